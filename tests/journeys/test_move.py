"""The move from the command line on real servers: it is green, nothing is lost, and whatever is altered is named."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import projects as on
import pytest

from crossdock.cli.console import LiveProgress
from crossdock.core.config import Config, load
from crossdock.hub.boot import booted
from crossdock.hub.moves.access import opened
from crossdock.hub.moves.actions import Move
from crossdock.lab import addresses
from crossdock.lab.lab import Lab

pytestmark = pytest.mark.lab

PASSWORD = "lumen-lab"
FIRST_BLOG = 2
BASES = {"north": 1_000_000, "south": 2_000_000, "east": 3_000_000, "east-fr": 3_000_000}
ZEROS = ("rows_missing", "rows_extra", "rows_different", "oracle_failures", "source_urls_left")
BIG_ROW_BYTES = 20 << 20
# What a process may take: 300 MB for rows up to 16 MB, for larger ones eight times the row.
MEMORY_FLOOR_BYTES = 300 << 20


@dataclass(frozen=True)
class Store:
    """Where one store was and is."""

    name: str
    server: str
    source_prefix: str
    prefix: str
    base: int
    domains: dict[str, str]


@dataclass
class Moved:
    """Both environments after one `crossdock move run`, and what it left."""

    lab: Lab
    project: on.Project
    config: Config
    printed: str
    sources_before: dict[str, dict[str, str]]
    peak_bytes: int

    @property
    def stores(self) -> list[Store]:
        prefixes = {
            blog.store: source.spec.prefix + (f"{blog.number}_" if blog.number > 1 else "")
            for source in self.lab.sources.values()
            for blog in source.spec.blogs
        }
        return [
            Store(one.name, one.server, prefixes[one.name], f"wp_{FIRST_BLOG + at}_", BASES[one.name], one.domains)
            for at, one in enumerate(self.config.stores)
        ]

    def store(self, name: str) -> Store:
        return next(one for one in self.stores if one.name == name)

    def at_source(self, store: Store, query: str) -> list[tuple[Any, ...]]:
        return rows(self.lab, store.server, query.replace("{p}", store.source_prefix))

    def at_target(self, store: Store, query: str, environment: str = "staging") -> list[tuple[Any, ...]]:
        return rows(self.lab, environment, query.replace("{p}", store.prefix))


def rows(lab: Lab, place: str, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query in a source's or environment's schema; changes are committed."""
    with lab.connect(*on.schema_of(lab, place)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        found = list(cursor.fetchall())
        connection.commit()
    return found


def php(lab: Lab, place: str, code: str, domain: str) -> str:
    """What PHP prints in that WordPress, as the blog that the domain leads to."""
    site = lab.managed.wordpress[place] if place in lab.managed.wordpress else lab.sources[place].wordpress
    return site.cli("eval", code, url=f"http://{domain}/")


def receipts(project: on.Project, step: str) -> dict[str, dict[str, Any]]:
    """The newest receipt of a step by subject."""
    chain = json.loads(project.green("verify-evidence", "--json"))
    assert chain["holds"]
    return {one["subject"]: one["data"] for one in chain["receipts"] if one["step"] == step}


class Watch(threading.Thread):
    """Polls the largest memory (VmHWM) of any process that works for a project."""

    def __init__(self, project: on.Project) -> None:
        super().__init__(daemon=True)
        self.project, self.peak_bytes, self._end = project, 0, threading.Event()

    def run(self) -> None:
        while not self._end.wait(0.3):
            for pid in on.processes_of(self.project):
                try:
                    status = Path(f"/proc/{pid}/status").read_text()
                except OSError:
                    continue
                found = re.search(r"VmHWM:\s+(\d+) kB", status)
                self.peak_bytes = max(self.peak_bytes, int(found[1]) * 1024 if found else 0)

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join()


def put_big_row(lab: Lab, size: int) -> None:
    """As the lab's own big row: every byte there is, and a long text full of addresses."""
    text = "http://www.north.example/big/ 🏔️ "
    rows(
        lab, "north",
        "INSERT INTO wp_vault (id, name, body, note) VALUES (99, 'big row',"
        f" LEFT(REPEAT(UNHEX('{bytes(range(256)).hex()}'), {size // 256 + 1}), {size}),"
        f" REPEAT('{text}', {size // 10 // len(text.encode())}))",
    )  # fmt: skip


@pytest.fixture(scope="module")
def moved(lab_gateway: Lab) -> Iterator[Moved]:
    on.reset(lab_gateway)
    put_big_row(lab_gateway, BIG_ROW_BYTES)
    before = {name: on.checksums(lab_gateway, name) for name in lab_gateway.sources}
    project = on.new_project(lab_gateway)
    with Watch(project) as watch:
        printed = project.green("move", "run")
    yield Moved(lab_gateway, project, load(project.config), printed, before, watch.peak_bytes)
    project.close()
    rows(lab_gateway, "north", "DELETE FROM wp_vault WHERE id = 99")


# -- the whole move --------------------------------------------------------------------------------------------------


def test_both_environments_are_green_and_nothing_is_lost(moved: Moved) -> None:
    assert "GREEN" in moved.printed
    for environment, figures in receipts(moved.project, "validate").items():
        assert figures["green"] is True, environment
        assert {name: figures[name] for name in ZEROS} == dict.fromkeys(ZEROS, 0)
        assert figures["rows_source"] == figures["rows_moved"] + figures["rows_declared"] > 5_000
        assert figures["homes"] == 4
        assert figures["values_judged"] > 100
        assert figures["things_read_by_wordpress"] > 100
    assert set(receipts(moved.project, "validate")) == {"staging", "production"}


def test_nothing_changed_on_the_sources(moved: Moved) -> None:
    for name, before in moved.sources_before.items():
        assert on.different(before, on.checksums(moved.lab, name)) == {}


def test_running_again_does_nothing_and_says_so(moved: Moved) -> None:
    before = {name: on.checksums(moved.lab, name) for name in ("staging", "production")}
    printed = moved.project.green("move", "run")
    for step in ("copy staging: done before", "validate staging: green before", "validate production: green before"):
        assert step in printed
    assert {name: on.different(before[name], on.checksums(moved.lab, name)) for name in before} == {
        "staging": {}, "production": {},
    }  # fmt: skip


def test_a_large_row_is_moved_in_bounded_memory(moved: Moved) -> None:
    query = "SELECT SHA2(body, 256), LENGTH(note) FROM {p}vault WHERE id = 99"
    north = moved.store("north")
    (body, _), *_ = moved.at_source(north, query)
    assert moved.at_target(north, query)[0][0] == moved.at_target(north, query, "production")[0][0] == body
    assert moved.peak_bytes < MEMORY_FLOOR_BYTES


def test_each_home_answers_by_its_mapped_domain(moved: Moved) -> None:
    for store in moved.stores:
        title = moved.at_source(store, "SELECT option_value FROM {p}options WHERE option_name = 'blogname'")[0][0]
        for domain in store.domains.values():
            status, _, body = moved.lab.get(moved.lab.managed.server.address, domain)
            assert (status, f"<title>{title}" in body.decode()) == (200, True), domain
            assert f"http://{domain}" in body.decode()


# -- people ----------------------------------------------------------------------------------------------------------


def login(lab: Lab, domain: str, user: str, password: str) -> tuple[int, str]:
    """POSTs wp-login.php: status and the cookies it sets."""
    connection = http.client.HTTPConnection(lab.managed.server.address, addresses.HTTP_PORT, timeout=60)
    body = urlencode({"log": user, "pwd": password, "wp-submit": "1", "testcookie": "1"})
    headers = {"Host": domain, "Content-Type": "application/x-www-form-urlencoded",
               "Cookie": "wordpress_test_cookie=WP%20Cookie%20check"}  # fmt: skip
    connection.request("POST", "/wp-login.php", body, headers)
    answer = connection.getresponse()
    answer.read()
    cookies = " ".join(value for key, value in answer.getheaders() if key.lower() == "set-cookie")
    connection.close()
    return answer.status, cookies


def test_a_merged_person_signs_in_on_each_of_her_stores(moved: Moved) -> None:
    for name in ("north", "south", "east", "east-fr"):
        domain = moved.store(name).domains["staging"]
        status, cookies = login(moved.lab, domain, "ada", PASSWORD)
        assert (status, "wordpress_logged_in_" in cookies) == (302, True), name
        status, cookies = login(moved.lab, domain, "ada", PASSWORD + "x")
        assert (status, "wordpress_logged_in_" in cookies) == (200, False), name


def test_the_first_stores_password_stays(moved: Moved) -> None:
    query = "SELECT user_pass FROM wp_users WHERE user_email = 'eve@lumen.example'"
    north, east = (rows(moved.lab, name, query)[0][0] for name in ("north", "east"))
    assert north != east
    assert rows(moved.lab, "staging", query) == [(north,)]


def test_a_merged_person_has_each_stores_role(moved: Moved) -> None:
    # What is stored: without WooCommerce's code WordPress knows no shop_manager, here as at the source.
    code = "echo implode(',', array_keys(get_user_by('email', 'ada@lumen.example')->caps));"
    roles = {
        name: php(moved.lab, "staging", code, moved.store(name).domains["staging"])
        for name in ("north", "south", "east", "east-fr")
    }  # fmt: skip
    assert roles == {"north": "administrator", "south": "shop_manager", "east": "administrator",
                     "east-fr": "administrator"}  # fmt: skip
    code = "var_export(is_super_admin(get_user_by('email', 'ada@lumen.example')->ID));"
    assert php(moved.lab, "staging", code, moved.store("north").domains["staging"]) == "false"


def test_each_order_belongs_to_the_same_person(moved: Moved) -> None:
    # The installation's own administrators have an address for each server: nobody else has none.
    compared = 0
    for store in moved.stores:
        source_users = moved.lab.sources[store.server].spec.prefix + "users"
        query = "SELECT o.id, LOWER(u.user_email) FROM {p}wc_orders o JOIN `%s` u ON u.ID = o.customer_id ORDER BY o.id"
        mine = moved.at_source(store, query % source_users)
        assert mine == moved.at_target(store, query % "wp_users", "production") == moved.at_target(
            store, query % "wp_users"
        ), store.name  # fmt: skip
        guests = "SELECT COUNT(*) FROM {p}wc_orders WHERE customer_id = 0"
        assert moved.at_source(store, guests) == moved.at_target(store, guests)
        compared += len(mine)
    assert compared >= 10


# -- the database ----------------------------------------------------------------------------------------------------


def test_counters_are_carried(moved: Moved) -> None:
    for store in moved.stores:
        for environment in ("staging", "production"):
            with moved.lab.connect(*on.schema_of(moved.lab, environment)) as connection, connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO {store.prefix}gone_orders (note) VALUES ('probe')")
                number = cursor.lastrowid
                connection.rollback()
            assert number >= 978, store.name


def test_triggers_fire_views_read_and_foreign_keys_hold(moved: Moved) -> None:
    for store in moved.stores:
        with moved.lab.connect(*on.schema_of(moved.lab, "production")) as connection, connection.cursor() as cursor:
            cursor.execute(f"UPDATE {store.prefix}mystery SET title = 'probe' WHERE id = 1")
            cursor.execute(f"SELECT touched FROM {store.prefix}mystery WHERE id = 1")
            assert cursor.fetchone() == (1,)
            with pytest.raises(Exception, match="foreign key constraint fails"):
                cursor.execute(f"INSERT INTO {store.prefix}loyalty_entries (account_no, points) VALUES (777777, 1)")
            connection.rollback()
        query = "SELECT status, orders, net FROM {p}sales_by_status ORDER BY status"
        assert moved.at_source(store, query) == moved.at_target(store, query, "production") != []


def test_text_in_every_script_is_the_same_through_wordpress(moved: Moved) -> None:
    code = (
        "$page = get_page_by_path('landing'); $found = get_post_meta($page->ID, '_lab_multibyte', true);"
        "echo json_encode([$found['text'], array_keys($found), get_the_title($page)], JSON_UNESCAPED_UNICODE);"
    )
    for store in moved.stores:
        source = moved.at_source(store, "SELECT option_value FROM {p}options WHERE option_name = 'home'")[0][0]
        mine = php(moved.lab, store.server, code, source.removeprefix("http://"))
        theirs = php(moved.lab, "production", code, store.domains["production"])
        assert json.loads(mine.replace(source, f"http://{store.domains['production']}")) == json.loads(theirs)
        assert any(ord(letter) > 0xFFFF for letter in theirs)
        assert all(re.search(script, theirs) for script in ("[α-ω]", "[ぁ-ヿ一-鿿]"))


# -- alterations -----------------------------------------------------------------------------------------------------


def test_every_alteration_of_the_target_is_named(moved: Moved) -> None:
    """One damage of each kind at once on staging; each has its own line, and nothing else is red."""
    north, south, east, french = (moved.store(name) for name in ("north", "south", "east", "east-fr"))
    ada = BASES["north"] + rows(moved.lab, "north", "SELECT ID FROM wp_users WHERE user_login = 'ada'")[0][0]
    order = moved.at_target(north, "SELECT id FROM {p}wc_orders WHERE type = 'shop_order' LIMIT 1")[0][0]
    gone = moved.at_target(south, "SELECT MAX(order_item_id) FROM {p}woocommerce_order_items")[0][0]
    meta = moved.at_target(east, "SELECT meta_id FROM {p}postmeta WHERE meta_key = '_lab_object'")[0][0]
    for store, change in (
        (north, f"UPDATE {{p}}wc_orders SET total_amount = total_amount + 0.01 WHERE id = {order}"),
        (south, f"DELETE FROM {{p}}woocommerce_order_items WHERE order_item_id = {gone}"),
        (south, "INSERT INTO {p}wc_tax_rate_classes (tax_rate_class_id, name, slug) VALUES (987, 'probe', 'probe')"),
        (east, "UPDATE {p}ledger SET note = 'altered' WHERE sku = 'SKU-2' LIMIT 1"),
        (east, f"UPDATE {{p}}postmeta SET meta_value = REPLACE(meta_value, 's:3:', 's:4:') WHERE meta_id = {meta}"),
        (north, f"DELETE FROM wp_usermeta WHERE user_id = {ada} AND meta_key = '{south.prefix}capabilities'"),
        (east, "UPDATE {p}posts SET post_content = CONCAT(post_content, ' http://www.north.example/x/') WHERE ID = 1"),
        (french, "UPDATE wp_blogs SET archived = 1 WHERE domain = 'east-fr.staging.lumen.example'"),
    ):
        moved.at_target(store, change)
    done = moved.project.run("move", "validate", "--in", "staging", "--json")
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert result["green"] is False
    red = [f"{one['code']} {one['place']} {one['text']}" for one in result["findings"] if one["level"] == "fail"]
    for pattern in (
        rf"row\.different .*{north.prefix}wc_orders 1 rows .*key {order} \(total_amount\)",
        rf"row\.missing .*{south.prefix}woocommerce_order_items 1 rows .*key {gone}$",
        rf"row\.extra .*{south.prefix}wc_tax_rate_classes 1 rows .*key 987$",
        rf"row\.(missing|different) .*{east.prefix}ledger 1 rows .*SKU-2",
        rf"row\.different .*{east.prefix}postmeta 1 rows .*key {meta} \(meta_value\)",
        r"row\.missing .*usermeta 1 rows",
        rf"row\.different .*{east.prefix}posts 1 rows .*key 1 \(post_content\)",
        rf"url\.left .*{east.prefix}posts 1 addresses .* post_content",
        r"home\.status east-fr: http://east-fr\.staging\.lumen\.example/ answers 410",
    ):
        assert any(re.search(pattern, line) for line in red), f"{pattern} in:\n" + "\n".join(red)


# -- other hosts, other stores ---------------------------------------------------------------------------------------


def test_a_host_with_port_forwarding_is_moved_to_as_well() -> None:
    with on.new_lab("tunnel") as lab:
        project = on.new_project(lab)
        assert "GREEN" in project.green("move", "run", "--until", "validate staging")
        figures = receipts(project, "validate")["staging"]
        assert {name: figures[name] for name in ZEROS} == dict.fromkeys(ZEROS, 0)
        assert figures["homes"] == 4
        project.close()


@pytest.mark.soak
def test_a_row_of_100_mb_takes_no_more_than_eight_times_its_size() -> None:
    size = 100 << 20
    with on.new_lab(big_row_bytes=size) as lab:
        project = on.new_project(lab, ["north"])
        with Watch(project) as watch:
            project.green("move", "run", "--until", "validate staging")
        assert watch.peak_bytes < 8 * size
        project.close()


@pytest.fixture(scope="module")
def selling(lab_gateway: Lab) -> Iterator[tuple[Lab, on.Project]]:
    """South moved to staging, to which WooCommerce's code was deployed first."""
    on.reset(lab_gateway)
    on.deploy_woocommerce(lab_gateway)
    project = on.new_project(lab_gateway, ["south"])
    yield lab_gateway, project
    project.close()
    on.reset(lab_gateway)


@pytest.mark.woocommerce
def test_woocommerce_itself_reads_both_sides_and_the_moved_store_sells(selling: tuple[Lab, on.Project]) -> None:
    lab, project = selling
    project.green("move", "run", "--until", "copy staging")
    config = load(project.config)
    with booted(config.state) as hub, hub.running("validate") as journal, opened(config) as access:
        result = Move(config, access, journal, LiveProgress()).validate("staging")
    assert result.green, result.findings
    reading, *others = result.readings
    assert (reading.by, reading.problem, reading.differences, others) == ("WooCommerce", "", [], [])
    assert reading.counts["orders"] > 0 < reading.counts["products"]
    last = rows(lab, "staging", "SELECT MAX(ID) FROM wp_2_posts")[0][0]
    order = checkout(lab, "south.staging.lumen.example")
    assert order["status"] == "processing"
    assert order["order_id"] > last


def checkout(lab: Lab, domain: str) -> dict[str, Any]:
    """A guest buys the first simple product, cash on delivery, by the Store API."""
    token = ""

    def call(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        nonlocal token
        connection = http.client.HTTPConnection(lab.managed.server.address, addresses.HTTP_PORT, timeout=60)
        headers = {"Host": domain, "Content-Type": "application/json"} | ({"Cart-Token": token} if token else {})
        connection.request(method, f"/wp-json/wc/store/v1/{path}", json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        assert answer.status < 300, told
        token = answer.getheader("Cart-Token") or token
        connection.close()
        return told

    product = next(one for one in call("GET", "products") if one["is_purchasable"] and one["type"] == "simple")
    call("GET", "cart")
    call("POST", "cart/add-item", {"id": product["id"], "quantity": 1})
    address = {"first_name": "Ada", "last_name": "Berg", "address_1": "Ermou 1", "city": "Athens", "postcode": "10563",
               "country": "GR", "state": "I", "phone": "2101234567"}  # fmt: skip
    billing = {**address, "email": "ada@lumen.example"}
    body = {"billing_address": billing, "shipping_address": address, "payment_method": "cod"}
    found: dict[str, Any] = call("POST", "checkout", body)
    return found
