"""What people, servers and stores get wrong: told with place and way out, by its exit code, and nothing is changed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import projects as on
import pytest

from crossdock.lab.lab import Lab

pytestmark = pytest.mark.lab

RED, CONFIG, BLOCKED, ACCESS, STALE, TARGET, SOURCE = 1, 3, 4, 5, 7, 9, 10
UTF8 = "DEFAULT CHARSET=utf8mb4"


@pytest.fixture(scope="module")
def lab(lab_gateway: Lab) -> Lab:
    on.reset(lab_gateway)
    return lab_gateway


@pytest.fixture
def north(lab: Lab) -> Iterator[on.Project]:
    """A fresh project that moves north alone. Every test must leave the targets as it found them."""
    project = on.new_project(lab, ["north"])
    yield project
    project.close()


def sql(lab: Lab, place: str, *statements: str) -> list[tuple[Any, ...]]:
    """Runs them on a source or environment; rows of the last one."""
    with lab.connect(*on.schema_of(lab, place)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


@contextmanager
def tables(lab: Lab, **statements: str) -> Iterator[None]:
    """CREATE TABLE bodies on north by name without prefix, gone afterwards. Names are SQL-quoted here."""
    try:
        for name, body in statements.items():
            sql(lab, "north", f"CREATE TABLE `wp_{name}` {body}")
        yield
    finally:
        for name in statements:
            sql(lab, "north", f"DROP TABLE IF EXISTS `wp_{name}`")


def edit(project: on.Project, before: str, after: str) -> None:
    text = project.config.read_text(encoding="utf-8")
    assert before in text
    project.config.write_text(text.replace(before, after), encoding="utf-8")


def decide(project: on.Project, **choices: str) -> None:
    """Adds decisions; `table__x=carry` stands for "table:north:wp_x"."""
    with project.config.open("a", encoding="utf-8") as file:
        for key, choice in choices.items():
            kind, name = key.split("__", 1)
            file.write(f'"{kind}:north:wp_{name}" = {{ choice = "{choice}", by = "Ada Berg", reason = "test" }}\n')


def refused(project: on.Project, code: int, *patterns: str, command: tuple[str, ...] = ("move", "assess")) -> str:
    """Runs it; the exit code and each pattern must fit, and no traceback or password is shown."""
    done = project.run(*command)
    said = done.stdout + done.stderr
    assert done.returncode == code, f"exit {done.returncode}\n{said}"
    for pattern in patterns:
        assert re.search(pattern, said), f"{pattern} in:\n{said}"
    assert "Traceback" not in said
    for secret in (project.lab.folder / "secrets").iterdir():
        assert secret.read_text(encoding="utf-8").strip() not in said, secret
    return said


# -- ways in ---------------------------------------------------------------------------------------------------------

WAYS = {
    "wrong database password": (
        'password = "file:secrets/north-db"', 'password = "file:secrets/south-db"', "", "",
        (r"north .*Access denied for user", r"Way out: check user and password"),
    ),
    "folder without WordPress": (
        '/north/www"', '/north/home"', "", "",
        (r"north: .*/north/home: no WordPress in", r"Way out: check `root`"),
    ),
    "wrong SSH user": (
        "", "", r"User .*", "User nobody-here",
        (r"north \(ssh north\): the server refused our key: nobody-here@", "Way out: add our"),
    ),
    "unknown host key": (
        "", "", r"(UserKnownHostsFile .*)", r"\1-none",
        (r"north .*host key is not known", "Way out: compare its fingerprint"),
    ),
    "changed host key": (
        "", "", r"(UserKnownHostsFile .*)", r"\1-other",
        (r"north .*host key has CHANGED", "Way out: ask the server's owner"),
    ),
    "unreachable": (
        "", "", r"HostName (127\.\d+\.\d+)\.1\n", r"HostName \1.99\n",
        (r"north .*no SSH server answers", "Way out: check HostName"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WAYS)
def test_a_way_in_that_fails_is_named(lab: Lab, north: on.Project, tmp_path: Path, case: str) -> None:
    before, after, pattern, replacement, told = WAYS[case]
    if before:
        edit(north, before, after)
    if pattern:
        ssh = lab.folder / "ssh_config-bad"
        ssh.write_text(re.sub(pattern, replacement, lab.ssh_config.read_text()))
        known = lab.folder / "known_hosts"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True, timeout=30
        )
        other = (tmp_path / "key.pub").read_text().split()[1]
        lines = [" ".join([*line.split()[:2], other]) for line in known.read_text().splitlines()]
        Path(f"{known}-other").write_text("\n".join(lines) + "\n")
        edit(north, '"ssh_config"', '"ssh_config-bad"')
    refused(north, ACCESS, *told)


def test_a_broken_wp_config_is_named(lab: Lab, north: on.Project) -> None:
    path = lab.sources["north"].wordpress.root / "wp-config.php"
    whole = path.read_text()
    try:
        path.write_text('<?php\ndefine("DB_NAME", "x" ;\n')
        refused(north, ACCESS, r"wp-config.php can't be evaluated: syntax error", "Way out: mend wp-config.php")
        path.write_text(re.sub(r"\$table_prefix = .*", "$table_prefix = 'nope_';", whole))
        refused(north, SOURCE, r"north: no table nope_options in database wp_north", r"Way out: check \$table_prefix")
    finally:
        path.write_text(whole)


# -- questions -------------------------------------------------------------------------------------------------------


def test_open_questions_block_and_change_nothing(lab: Lab, north: on.Project) -> None:
    targets = {name: on.checksums(lab, name) for name in ("staging", "production")}
    with tables(
        lab,
        composite="(grp INT NOT NULL, n INT NOT NULL AUTO_INCREMENT, PRIMARY KEY (grp, n)) ENGINE=MyISAM",
        nobody_knows="(id INT PRIMARY KEY, text TEXT)",
        stray="(id INT)",
        western="(id INT PRIMARY KEY, t TEXT) DEFAULT CHARSET=latin1",
    ):
        sql(
            lab, "north", "CREATE VIEW wp_hollow AS SELECT id FROM wp_stray", "DROP TABLE wp_stray",
            "INSERT INTO wp_users (ID, user_login, user_nicename, user_email) VALUES"
            " (1000007, 'far', 'far', 'f@x.example'), (500, 'twin1', 'twin1', 'twin@x.example'),"
            " (501, 'twin2', 'twin2', 'Twin@x.example')",
        )  # fmt: skip
        sources = on.checksums(lab, "south")
        try:
            edit(north, 'wp_phrases" = { choice = "carry"', 'wp_phrases" = { choice = "maybe"')
            edit(north, '"column:north:wp_mystery.owner_id"', '"column:north:wp_mystery.owner"')
            decide(north, table__composite="carry", table__no_such_table="carry", table__western="carry")
            refused(
                north, BLOCKED,
                r"block table\.unknown +north\.wp_nobody_knows: .*\n +in .*: \"table:north:wp_nobody_knows\"",
                r"block column\.user-shaped +north\.wp_mystery: column owner_id",
                r"block decision\.invalid +north\.wp_phrases: .* says maybe; possible: carry, leave",
                r"block table\.composite-auto-increment +north\.wp_composite",
                r"block code\.broken +north: view wp_hollow: .*references invalid",
                r"block user\.beyond-headroom +north: 1 user IDs .*1000007",
                r"warn +decision\.unused .*\"table:north:wp_no_such_table\"",
                r"warn +decision\.unused .*\"column:north:wp_mystery\.owner\"",
                r"warn +user\.same-email +north: 1 users",
                r"info +table\.no-primary-key +north\.wp_ledger",
                r"info +table\.charset +north\.wp_western: latin1 becomes utf8mb4",
            )  # fmt: skip
            refused(north, BLOCKED, r"findings block the move", command=("move", "run"))
        finally:
            sql(lab, "north", "DROP VIEW wp_hollow", "DELETE FROM wp_users WHERE ID IN (1000007, 500, 501)")
        assert on.different(sources, on.checksums(lab, "south")) == {}
    for name, before in targets.items():
        assert on.different(before, on.checksums(lab, name)) == {}


def test_a_damaged_table_is_named(lab: Lab, north: on.Project) -> None:
    with tables(lab, damaged="(id INT PRIMARY KEY, t TEXT) ENGINE=MyISAM"):
        sql(lab, "north", "INSERT INTO wp_damaged VALUES (1, 'x')", "FLUSH TABLES wp_damaged")
        index = lab.mariadb("north").data / "wp_north/wp_damaged.MYI"
        whole = index.read_bytes()
        index.write_bytes(b"\0" * 200 + whole[200:])
        sql(lab, "north", "FLUSH TABLES")
        refused(north, SOURCE, r"north .*wp_damaged", "Way out: the table is damaged: REPAIR TABLE")
        index.write_bytes(whole)
        sql(lab, "north", "FLUSH TABLES")


# -- order of steps --------------------------------------------------------------------------------------------------


def test_a_plan_is_applied_in_order_and_only_as_it_was_made(lab: Lab, north: on.Project) -> None:
    to_staging = ("move", "copy", "--to", "staging")
    before = on.checksums(lab, "staging")
    refused(north, BLOCKED, "there is no plan yet", "Way out: crossdock move plan", command=to_staging)
    refused(north, CONFIG, "no environment nowhere", command=("move", "copy", "--to", "nowhere"))
    north.green("move", "plan")
    refused(north, BLOCKED, "staging is not validated green", command=("move", "copy", "--to", "production"))
    sql(lab, "north", "ALTER TABLE wp_phrases ADD COLUMN extra INT")
    try:
        refused(north, STALE, r"has changed: .*north\.tables\.wp_phrases", command=to_staging)
    finally:
        sql(lab, "north", "ALTER TABLE wp_phrases DROP COLUMN extra")
    domain = 'staging = "north.staging.lumen.example"'
    edit(north, domain, 'staging = "elsewhere.staging.lumen.example"')
    refused(north, STALE, "has changed", "Way out: .*plan again", command=to_staging)
    edit(north, 'staging = "elsewhere.staging.lumen.example"', domain)
    plan = north.state / "plan.json"
    plan.write_text(plan.read_text().replace('"wp_2_posts"', '"wp_9_posts"'))
    refused(north, STALE, r"plan\.json: .*digest does not fit", command=to_staging)
    assert on.different(before, on.checksums(lab, "staging")) == {}


def test_a_target_that_is_not_empty_is_refused(lab: Lab, north: on.Project) -> None:
    for put, take, told in (
        ("INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES (2, 1, 'x.example', '/')",
         "DELETE FROM wp_blogs WHERE blog_id = 2", "blog 2 exists"),
        ("CREATE TABLE wp_2_posts (id INT)", "DROP TABLE wp_2_posts", "wp_2_posts"),
    ):  # fmt: skip
        sql(lab, "staging", put)
        try:
            refused(north, BLOCKED, rf"environment staging: the target is not empty: .*{told}", command=("move", "run"))
        finally:
            sql(lab, "staging", take)
    sql(lab, "staging", "ALTER TABLE wp_blogs AUTO_INCREMENT = 2")


# -- data ------------------------------------------------------------------------------------------------------------

UNTIL = ("move", "run", "--until", "validate staging")


def test_odd_names_character_sets_and_values_are_carried(lab: Lab, north: on.Project) -> None:
    """Names with capitals, `$`, letters beyond ASCII, backticks and reserved words; text as UTF-8 bytes in latin1."""
    odd = "日本 Ünï 🏔️ http://www.north.example/x"
    with tables(
        lab,
        **{
            "UpperCase": f"(id INT PRIMARY KEY, `order` VARCHAR(60), `back``tick` TEXT, `größe 1` TEXT) {UTF8}",
            "do$lar": f"(`select` INT PRIMARY KEY, `from` TEXT) {UTF8}",
            "größe": f"(id INT PRIMARY KEY, `ключ` VARCHAR(99) DEFAULT 'x''y') {UTF8}",
            "latin": "(id INT PRIMARY KEY, t TEXT, u TEXT CHARACTER SET utf8mb3) DEFAULT CHARSET=latin1",
        },
    ):
        sql(
            lab, "north",
            f"INSERT INTO `wp_UpperCase` VALUES (1, 'a', '{odd}', '{odd}'), (2, NULL, NULL, NULL)",
            f"INSERT INTO `wp_do$lar` VALUES (1, '{odd}')", f"INSERT INTO `wp_größe` VALUES (7, '{odd}')",
            "INSERT INTO wp_latin VALUES (1, 'Ångström http://www.north.example/å', 'Ράφι http://www.north.example/')",
        )  # fmt: skip
        decide(north, table__UpperCase="carry", table__do_lar="carry", table__größe="carry", table__latin="carry")
        edit(north, "wp_do_lar", "wp_do$lar")
        try:
            printed = north.green(*UNTIL)
            assert re.search(r"warn +value\.broken +north\.wp_postmeta .*look serialized and do not parse", printed)
            there = odd.replace("www.north.example", "north.staging.lumen.example")
            assert sql(lab, "staging", "SELECT `back``tick`, `größe 1` FROM `wp_2_UpperCase` WHERE id = 1") == [
                (there, there)
            ]
            assert sql(lab, "staging", "SELECT `from` FROM `wp_2_do$lar`") == [(there,)]
            assert sql(lab, "staging", "SELECT `ключ` FROM `wp_2_größe`") == [(there,)]
            assert sql(lab, "staging", "SELECT t, u FROM wp_2_latin") == [
                ("Ångström http://north.staging.lumen.example/å", "Ράφι http://north.staging.lumen.example/")
            ]
            values = (
                "SELECT meta_key, meta_value FROM {p}postmeta WHERE meta_key IN "
                "('_lab_broken_length', '_lab_looks_serialized', '_lab_almost_string') ORDER BY meta_key"
            )
            mine = sql(lab, "north", values.replace("{p}", "wp_"))
            theirs = sql(lab, "staging", values.replace("{p}", "wp_2_"))
            there = "north.staging.lumen.example"
            assert [(key, value.replace("www.north.example", there)) for key, value in mine] == theirs
        finally:
            on.reset(lab, "staging")


def test_utf8_in_latin1_columns_of_a_latin1_wordpress(lab: Lab, north: on.Project) -> None:
    """What PHP saw is what PHP sees: WordPress wrote UTF-8 bytes over a latin1 connection."""
    config = lab.sources["north"].wordpress.root / "wp-config.php"
    whole = config.read_text()
    text = "日本 Ünï http://www.north.example/x"
    with tables(lab, old_text="(id INT PRIMARY KEY, t TEXT) DEFAULT CHARSET=latin1"):
        sql(
            lab, "north",
            f"INSERT INTO wp_old_text VALUES (1, CONVERT(UNHEX('{text.encode().hex()}') USING latin1))",
        )  # fmt: skip
        decide(north, table__old_text="carry")
        config.write_text(whole.replace("'DB_CHARSET', 'utf8mb4'", "'DB_CHARSET', 'latin1'"))
        try:
            north.green("move", "run", "--until", "copy staging")
            there = text.replace("www.north.example", "north.staging.lumen.example")
            assert sql(lab, "staging", "SELECT t FROM wp_2_old_text") == [(there,)]
        finally:
            config.write_text(whole)
            on.reset(lab, "staging")


def test_values_that_do_not_fit_are_named_and_not_cut(lab: Lab, north: on.Project) -> None:
    with tables(lab, narrow=f"(id INT PRIMARY KEY, link VARCHAR(30)) {UTF8}"):
        sql(lab, "north", "INSERT INTO wp_narrow VALUES (1, 'http://www.north.example/abcd')")
        decide(north, table__narrow="carry")
        told = (r"wp_2_narrow", r"column 'link'", "Way out: .*widen the column")
        try:
            refused(north, TARGET, *told, command=UNTIL)
            assert sql(lab, "staging", "SELECT COUNT(*) FROM wp_2_narrow") == [(0,)]
        finally:
            on.reset(lab, "staging")


def test_a_row_beyond_the_targets_packet_is_named(lab: Lab, north: on.Project) -> None:
    with tables(lab, wide="(id INT PRIMARY KEY, body LONGBLOB)"):
        sql(lab, "north", f"INSERT INTO wp_wide VALUES (1, REPEAT('x', {6 << 20}))")
        decide(north, table__wide="carry")
        limit = sql(lab, "staging", "SELECT @@GLOBAL.max_allowed_packet")[0][0]
        sql(lab, "staging", f"SET GLOBAL max_allowed_packet = {4 << 20}")
        try:
            told = ("wp_2_wide", "more than max_allowed_packet = 4,194,304", "Way out: raise max_allowed_packet")
            refused(north, TARGET, *told, command=UNTIL)
        finally:
            sql(lab, "staging", f"SET GLOBAL max_allowed_packet = {limit}")
            on.reset(lab, "staging")
