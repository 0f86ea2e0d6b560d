"""crossdock.toml: what a good file becomes, and what each bad one is told."""

from __future__ import annotations

import datetime
import pickle
from pathlib import Path

import pytest

from crossdock.core.config import Config, Decision, load
from crossdock.core.errors import ConfigError

GOOD = """
[project]
name = "Lumen Outdoor"

[[servers]]
name = "north"
ssh = "north"
ssh_config = "ssh_config"
root = "/srv/north/www/"
[servers.database]
user = "crossdock"
password = "file:secrets/north-db"

[[servers]]
name = "south"
ssh = "deploy@south.example"
root = "/var/www"
transport = "relay"

[[stores]]
name = "north"
server = "north"
[stores.domains]
staging = "North.Staging.lumen.example"
production = "www.bücher.example"

[[stores]]
name = "south-shop"
server = "south"
blog = 3
domains = { staging = "south.staging.lumen.example", production = "south.example" }

[environments.staging]
ssh = "managed"
root = "/sites/lumen/staging"
http = "127.0.20.1:8080"
scheme = "http"

[environments.production]
ssh = "managed"
root = "/sites/lumen/production"
[environments.production.database]
user = "wp"
password = "env:PRODUCTION_DB"

[[people]]
name = "Ada Berg"
email = "ada@lumen.example"
role = "operator"

[policies.limits]
workers = 3

[files]
themes = ["lumen-outdoor", "south/lumen-outdoor"]
must_use = ["brand.php"]
exclude = ["cache/", "*.log"]
bandwidth_kib_per_second = 4096

[decisions]
"table:north:wp_mystery" = { choice = "carry", by = "Ada Berg", reason = "client's own plugin" }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "crossdock.toml"
    path.write_text(text, encoding="utf-8")
    return path


def errors_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text))
    return str(caught.value).splitlines()


def only_error(folder: Path, text: str) -> str:
    lines = errors_of(folder, text)
    assert len(lines) == 1, lines
    return lines[0]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(write(tmp_path, GOOD))


def test_a_good_file(config: Config, tmp_path: Path) -> None:
    assert config.project.name == "Lumen Outdoor"
    assert config.path == tmp_path / "crossdock.toml"
    assert config.state == tmp_path / ".crossdock"
    assert [server.name for server in config.servers] == ["north", "south"]
    assert config.server("south").transport == "relay"
    assert config.store("south-shop").blog == 3
    assert [store.name for store in config.stores_of("north")] == ["north"]
    assert config.network.headroom == 1_000_000
    assert config.environments["staging"].http == "127.0.20.1:8080"
    assert config.environments["production"].scheme == "https"
    assert config.policies.people == "merge-by-email"
    assert (config.policies.limits.workers, config.policies.limits.chunk_rows) == (3, 20_000)
    assert config.files.themes == ("lumen-outdoor", "south/lumen-outdoor")
    assert (config.files.plugins, config.files.exclude) == ((), ("cache", "*.log"))
    assert config.files.bandwidth_kib_per_second == 4096
    assert config.decisions["table:north:wp_mystery"] == Decision(
        choice="carry", by="Ada Berg", reason="client's own plugin"
    )


def test_unknown_names_are_key_errors(config: Config) -> None:
    with pytest.raises(KeyError):
        config.server("west")
    with pytest.raises(KeyError):
        config.store("north ")


def test_paths_are_relative_to_the_file(config: Config, tmp_path: Path) -> None:
    north = config.server("north")
    assert north.ssh_config == tmp_path / "ssh_config"
    assert north.root == "/srv/north/www"
    assert north.database
    assert north.database.password
    assert north.database.password.reference == f"file:{tmp_path}/secrets/north-db"
    production = config.environments["production"].database
    assert production
    assert production.password
    assert production.password.reference == "env:PRODUCTION_DB"


def test_domains_are_ascii_and_lower_case(config: Config) -> None:
    assert config.store("north").domains == {
        "staging": "north.staging.lumen.example",
        "production": "www.xn--bcher-kva.example",
    }


def test_a_config_is_frozen_and_travels_to_workers(config: Config) -> None:
    with pytest.raises(ValueError, match="frozen"):
        config.servers[0].root = "/tmp"
    again = pickle.loads(pickle.dumps(config))
    assert again == config
    assert again.path == config.path


def test_all_errors_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace('transport = "relay"', 'transport = "relai"')
        .replace('name = "Lumen Outdoor"', 'nmae = "Lumen Outdoor"')
        .replace('server = "south"', 'server = "sout"')
        .replace('production = "south.example"', 'production = "www.BÜCHER.example"')
        .replace("blog = 3", 'blog = "3"')
    )
    told = "\n".join(errors_of(tmp_path, text))
    for part in (
        'project.name: is missing. Way out: add the project\'s name, as in name = "Lumen Outdoor"',
        'project.nmae: unknown key. Way out: did you mean "name"?',
        'servers[south].transport: "relai" is not known. Way out: did you mean "relay"?',
        "stores[south-shop].blog: must be a whole number",
        'stores[south-shop].server: there is no server "sout". Way out: did you mean "south"?',
        'stores[south-shop].domains.production: "www.xn--bcher-kva.example" is the domain of store north already',
    ):
        assert part in told
    assert len(told.splitlines()) == 6
    assert all(line.startswith(f"{tmp_path}/crossdock.toml: ") and "Way out: " in line for line in told.splitlines())


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "south"\n', 'name = "north"\n', "servers[north]: this name is there twice"),
        ('name = "south-shop"', 'name = "north"', "stores[north]: this name is there twice"),
        ('server = "south"\nblog = 3', 'server = "north"', "blog 1 of server north is store north already"),
        ('name = "south-shop"', 'name = "South Shop"', '"South Shop" is not a slug'),
        ('"south.example"', '"https://south.example/"', "is not a bare host name"),
        ('"south.example"', '"south.example:8443"', "is not a bare host name"),
        ('"south.example"', '"203.0.113.9"', "is an IP address"),
        ('"south.example"', '"bad_name.example"', "is not a valid host name"),
        (', production = "south.example"', "", "stores[south-shop].domains.production: is missing"),
        ('production = "south.example"', 'production = "s.example", live = "l.example"', "domains.live: unknown"),
        ("[environments.production]", "[environments.live]", "environments.live: unknown environment"),
        ('root = "/var/www"', 'root = "www"', "servers[south].root: is not an absolute path on the server"),
        ('ssh = "deploy@south.example"', 'ssh = "-oProxyCommand=x"', "servers[south].ssh: is not an SSH destination"),
        ('"127.0.20.1:8080"', '"http://127.0.20.1"', "environments.staging.http: is not a host:port address"),
        ('transport = "relay"', 'http = "https://203.0.113.5"', "servers[south].http: is not a host:port address"),
        ('"brand.php"', '"a/b/c"', 'files.must_use[#1]: "a/b/c" is not a name'),
        ('role = "operator"', 'role = "boss"', "known here: operator, qa, client-it, client-owner, sales"),
        ("workers = 3", "workers = 0", "policies.limits.workers: input should be greater than or equal to 1"),
        ('user = "crossdock"\n', "", "servers[north].database.user: is missing, though there is a password"),
        (', reason = "client\'s own plugin"', "", "decisions.table:north:wp_mystery.reason: is missing"),
        ('"brand.php"', '"../brand.php"', 'files.must_use: "../brand.php": there is no server ".."'),
        ('"brand.php"', '".."', 'files.must_use[#1]: ".." is not a name. Way out: write a folder'),
        (
            '"brand.php"',
            "7",
            "files.must_use[#1]: must be text in quotes. Way out: approved files or folders of mu-plug",
        ),
        ('["brand.php"]', '"brand.php"', "files.must_use: must be a list of names. Way out: approved files"),
        ('"south/lumen', '"sauth/lumen', 'there is no server "sauth". Way out: did you mean "south"?'),
        ('"cache/"', '"/cache"', 'files.exclude[#1]: "/cache" is no pattern below uploads'),
        ("= 4096", "= 0", "files.bandwidth_kib_per_second: input should be greater than or equal to 1"),
        ("must_use", "mu_plugins", "files.mu_plugins: unknown key"),
        ('[project]\nname = "Lumen Outdoor"', 'path = "x"\n[project]\nname = "L"', "path: unknown key"),
        ("[files]\n", '[backup]\nrepository = "rclone:box:x"\n[files]\n', "backup.repository: rclone: is not known"),
    ],
)
def test_one_error(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    lines = errors_of(tmp_path, GOOD.replace(old, new))
    assert told in "\n".join(lines)
    assert all("Way out: " in line for line in lines)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('[backup]\nrepository = "b2:bucket"', "backup.repository: b2: is not known"),
        ('[backup]\nfolders = { nord = ["/srv"] }', "backup.folders.nord: there is no such server"),
        ('[backup]\nfolders = { north = ["srv"] }', "is not an absolute path on the server"),
        ('[backup]\naccess_key = "env:KEY"', "backup.secret_key: is missing"),
        ('[backup]\npassword = "hunter2"', "backup.password: a secret is a reference"),
        ("[backup]\nkeep_daily = 0", "backup.keep_daily: input should be greater than or equal to 1"),
        ('[backup.scratch]\nuser = "x"', "backup.scratch.password: is missing"),
        (
            '[[aws]]\nname = "a"\nregions = ["eu-west-1"]\ninstances = { nord = "i-1" }',
            "aws[a].instances.nord: there is no such server",
        ),
        (
            '[[aws]]\nname = "a"\nregions = ["eu-west-1", "eu-west-2"]\ninstances = { north = "i-1" }',
            "aws[a].instances: the region of an instance is not clear",
        ),
    ],
)
def test_one_error_of_backups(tmp_path: Path, more: str, told: str) -> None:
    lines = errors_of(tmp_path, f"{GOOD}\n{more}\n")
    assert told in "\n".join(lines)
    assert "hunter2" not in "\n".join(lines)


def test_a_missing_environment(tmp_path: Path) -> None:
    head, _, tail = GOOD.partition("[environments.production]")
    _, _, rest = tail.partition("[[people]]")
    assert "environments.production: is missing" in only_error(tmp_path, head + "[[people]]" + rest)


def test_a_secret_given_as_a_value_is_never_repeated(tmp_path: Path) -> None:
    for value in ("hunter2", "s3cret:hunter2"):
        told = only_error(tmp_path, GOOD.replace("file:secrets/north-db", value))
        assert "servers[north].database.password: a secret is a reference" in told
        assert "hunter2" not in told


def test_a_secret_under_a_mistyped_key_is_never_repeated(tmp_path: Path) -> None:
    told = "\n".join(errors_of(tmp_path, GOOD.replace('password = "file:secrets/north-db"', 'pasword = "hunter2"')))
    assert 'did you mean "password"?' in told
    assert "hunter2" not in told


def test_bad_toml_names_its_line(tmp_path: Path) -> None:
    told = "\n".join(errors_of(tmp_path, GOOD.replace('root = "/var/www"', 'root = "/var/www')))
    line = GOOD.splitlines().index('root = "/var/www"') + 1
    assert f"crossdock.toml:{line}: is not valid TOML" in told
    assert "Way out: " in told


def test_files_that_are_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="crossdock init"):
        load(tmp_path / "crossdock.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe4"')
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "latin.toml")
    with pytest.raises(ConfigError, match="can't be read"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["", "servers = 3", "[servers]\nname='x'", "[[servers]]\n[[stores]]", "stores = [1]"])
def test_no_file_makes_the_reader_fall_over(tmp_path: Path, text: str) -> None:
    assert all("Way out: " in line for line in errors_of(tmp_path, text))


def test_empty_lists(tmp_path: Path) -> None:
    told = "\n".join(errors_of(tmp_path, "servers = []\nstores = []"))
    assert "servers: needs at least one entry. Way out: one [[servers]] for each source server" in told


# -- looking around and access -----------------------------------------------------------------------------------------

AROUND = """
[survey]
folder_seconds = 3
[dns]
resolvers = ["9.9.9.9", "127.0.0.1:5300", "[2620:fe::fe]:53"]
selectors = ["k1"]
[costs]
host_month = 249
servers = { north = 89.9 }
[[aws]]
name = "aws"
regions = ["eu-central-1", "us-gov-west-1"]
profile = "lumen"
[[access]]
name = "relay"
purpose = "smtp"
address = "smtp://smtp.lumen.example:587"
user = "stores"
password = "env:RELAY"
until = 2026-12-24
"""


def test_the_tables_that_say_how_to_look_around(tmp_path: Path) -> None:
    config = load(write(tmp_path, GOOD + AROUND))
    assert config.dns.resolvers == ("9.9.9.9", "127.0.0.1:5300", "[2620:fe::fe]:53")
    assert (config.costs.host_month, config.costs.servers["north"], config.costs.currency) == (249.0, 89.9, "EUR")
    assert config.aws[0].regions == ("eu-central-1", "us-gov-west-1")
    assert (config.access[0].until, config.access[0].who) == (datetime.date(2026, 12, 24), "client-it")
    assert (config.survey.folder_seconds, config.survey.fresh_hours, config.policies.access_days) == (3, 24, 7)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('"9.9.9.9"', '"dns.example"', '"dns.example" is no address of a resolver'),
        ("host_month = 249", "host_month = -1", "costs.host_month: is no price"),
        ("host_month = 249", 'host_month = "249"', "costs.host_month: is no price"),
        ('"k1"', '"k1._domainkey"', "dns.selectors"),
        ('"eu-central-1"', '"Frankfurt"', "aws[aws].regions"),
        ("until = 2026-12-24", 'until = "soon"', "access[relay].until: is not a date"),
        ("smtp://smtp.lumen.example:587", "smtp://stores:hunter2@smtp.lumen.example", "holds a user or password"),
        ("smtp://smtp.lumen.example:587", "gopher://x", "is no address that can be tried"),
        ('password = "env:RELAY"', 'password = "hunter2"', "a secret is a reference"),
        ('purpose = "smtp"', 'purpose = "mail"', '"mail" is not known'),
        ("folder_seconds = 3", "folder_second = 3", 'did you mean "folder_seconds"?'),
        ("[[aws]]\n", '[[aws]]\nname = "aws"\nregions = ["eu-west-1"]\n[[aws]]\n', "this name is there twice"),
    ],
)
def test_wrong_values_of_those_tables(tmp_path: Path, before: str, after: str, told: str) -> None:
    assert before in AROUND
    lines = errors_of(tmp_path, GOOD + AROUND.replace(before, after))
    assert any(told in line for line in lines), lines
    assert not any("hunter2" in line for line in lines)
