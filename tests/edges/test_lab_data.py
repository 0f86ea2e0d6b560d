"""The lab's data: the same for a seed, sane for PHP, and holding each thing that a move has to survive."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from crossdock.lab.account import Account
from crossdock.lab.data import (
    DECISIONS,
    EAST,
    EAST_FR,
    NORTH,
    SIZES,
    SOUTH,
    StoreProfile,
    core_tables,
    decisions,
    install_core,
    media_paths,
    plugin_tables,
    populate,
    woocommerce_tables,
)  # fmt: skip
from crossdock.lab.data.strange_values import strange_values
from crossdock.lab.data.wording import EMOJI, url_forms
from crossdock.lab.mariadb import MariaDb, MariaDbOptions
from crossdock.lab.server import Server

pytestmark = pytest.mark.lab

# Values that PHP must refuse: the wrong length, the lookalikes, and the enum whose class nobody has.
NOT_SERIALIZED = {"_lab_broken_length", "_lab_looks_serialized", "_lab_almost_string", "_lab_enum"}
PHP_READS = """
while (($line = fgets(STDIN)) !== false) {
    [$key, $text] = explode("\\t", trim($line));
    $text = base64_decode($text);
    $value = @unserialize($text);
    $known = $value !== false || $text === 'b:0;';
    echo $key, "\\t", (int) $known, "\\t", (int) ($known && serialize($value) === $text), "\\n";
}
"""


@dataclass(frozen=True)
class Filled:
    """One filled database and how to ask it."""

    connection: Any
    store: StoreProfile
    prefix: str
    counts: dict[str, int]
    seconds: float

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql.replace("{p}", self.prefix))
            return list(cursor.fetchall())

    def value(self, sql: str) -> Any:
        return self.rows(sql)[0][0]

    def checksums(self) -> dict[str, int]:
        names = [name for name, kind in self.rows("SHOW FULL TABLES") if kind == "BASE TABLE"]
        return {name: self.rows(f"CHECKSUM TABLE `{name}`")[0][1] for name in names}


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    folder = Path(tempfile.mkdtemp(prefix="xd-data-"))
    folder.chmod(0o755)
    server = Server("data", "127.0.0.1", folder / "s", Account.ensure())
    try:
        with MariaDb(server, MariaDbOptions(networking=False)) as running:
            yield running
    finally:
        shutil.rmtree(folder)


def fill(mariadb: MariaDb, database: str, store: StoreProfile, *, prefix: str = "wp_", **arguments: Any) -> Filled:
    connection = mariadb.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{database}`")

    def connect() -> Any:
        return mariadb.connect(database)

    install_core(connect, store, prefix=prefix, blog=arguments.get("blog", 1))
    start = time.monotonic()
    settings = {"size": "tiny", "seed": 1, "woocommerce": False, **arguments}
    counts = populate(connect, store, prefix=prefix, **settings)
    blog_prefix = store.blog_prefix(prefix, arguments.get("blog", 1))
    return Filled(connect(), store, blog_prefix, counts, time.monotonic() - start)


@pytest.fixture(scope="module")
def north(mariadb: MariaDb) -> Filled:
    return fill(mariadb, "north", NORTH)


@pytest.fixture(scope="module")
def south(mariadb: MariaDb) -> Filled:
    return fill(mariadb, "south", SOUTH, prefix="shop_")


@pytest.fixture(scope="module")
def east(mariadb: MariaDb) -> Filled:
    return fill(mariadb, "east", EAST)


@pytest.fixture(scope="module")
def east_fr(mariadb: MariaDb, east: Filled) -> Filled:
    assert east.counts
    return fill(mariadb, "east", EAST_FR, blog=2)


def test_a_seed_gives_the_same_rows_each_time(mariadb: MariaDb, north: Filled) -> None:
    again = fill(mariadb, "north_again", NORTH)
    assert again.checksums() == north.checksums()
    assert again.counts == north.counts
    other = fill(mariadb, "north_other_seed", NORTH, seed=2).checksums()
    assert other["wp_posts"] != north.checksums()["wp_posts"]


def test_counts_are_what_the_tables_hold(north: Filled) -> None:
    for name, count in north.counts.items():
        if not name.endswith(("options", "users", "usermeta", "terms", "term_taxonomy")):  # the installation's own
            assert north.value(f"SELECT count(*) FROM `{name}`") == count, name


def test_sizes(mariadb: MariaDb, north: Filled) -> None:
    assert north.seconds < 12, "under 1 s on a disk that syncs fast; this bound only catches a blunder"
    assert 300 < sum(north.counts.values()) < 4_000
    small = fill(mariadb, "small", SOUTH, size="small")
    assert 15_000 < sum(small.counts.values()) < 35_000
    assert SIZES["large"].orders > 4 * SIZES["medium"].orders


def test_a_row_of_any_size(mariadb: MariaDb) -> None:
    filled = fill(mariadb, "big", NORTH, big_row_bytes=20_000_000)
    assert filled.value("SELECT length(body) FROM wp_vault WHERE id = 99") == 20_000_000
    assert filled.value("SELECT instr(note, 'www.north.example/big') FROM wp_vault WHERE id = 99") > 0


@pytest.mark.parametrize("form", sorted(url_forms(NORTH)))
def test_each_form_of_the_address_is_in_a_post_and_a_meta(north: Filled, form: str) -> None:
    text = url_forms(NORTH)[form].replace("\\", "\\\\\\\\").replace("%", "\\%").replace("_", "\\_")
    assert north.value(f"SELECT count(*) FROM wp_posts WHERE post_content LIKE BINARY '%{text}%'") >= 1
    assert north.value(f"SELECT count(*) FROM wp_postmeta WHERE meta_value LIKE BINARY '%{text}%'") >= 1


def test_people_whom_several_stores_know(north: Filled, south: Filled) -> None:
    first = dict(north.rows("SELECT user_login, user_email FROM wp_users"))
    second = dict(south.rows("SELECT user_login, user_email FROM shop_users"))
    assert first["ada"] == second["ada"]
    assert first["bo"] == second["bo.lind"]
    assert first["chris"] != second["chris"]
    assert first["Dora"] != second["dora"]
    assert first["Dora"].lower() == second["dora"]
    assert first["till-north"] == second["till-south"] == ""
    shoppers = {mail for mail in first.values() if "shopper" in mail} & {m for m in second.values() if "shopper" in m}
    assert shoppers, "neighbours share some of their shoppers"
    city = (
        "SELECT meta_value FROM {p}usermeta JOIN {p}users u ON u.ID = user_id WHERE user_login = 'ada' AND meta_key = "
    )
    assert north.value(f"{city}'billing_address_1'") != south.value(f"{city}'billing_address_1'")
    starts = {password[:4] for (password,) in north.rows("SELECT user_pass FROM wp_users")}
    assert starts >= {"$P$B", "$2y$", "$wp$"}


def test_users_metas_carry_the_prefix(south: Filled) -> None:
    keys = {key for (key,) in south.rows("SELECT DISTINCT meta_key FROM shop_usermeta")}
    assert keys >= {
        "shop_capabilities", "shop_user_level", "shop_user-settings", "shop_dashboard_quick_press_last_post_id",
        "shop_persisted_preferences", "wc_order_count_shop", "wc_last_order_shop", "wc_money_spent_shop",
        "_woocommerce_persistent_cart_1", "session_tokens", "billing_email", "shipping_city",
    }  # fmt: skip
    assert not {key for key in keys if key.startswith("wp_")}


def test_a_networks_second_blog_shares_its_people(east: Filled, east_fr: Filled) -> None:
    users = [login for (login,) in east.rows("SELECT user_login FROM wp_users")]
    assert len(users) == len(set(users))
    both = (
        "SELECT count(DISTINCT a.user_id) FROM wp_usermeta a JOIN wp_usermeta b USING (user_id) "
        "WHERE a.meta_key = 'wp_capabilities' AND b.meta_key = 'wp_2_capabilities'"
    )
    assert east.value(both) >= 3
    assert east_fr.value("SELECT count(*) FROM wp_2_posts WHERE post_type = 'post'") > 3
    assert not [name for (name,) in east.rows("SHOW TABLES") if name == "wp_2_users"]
    keys = {key for (key,) in east.rows("SELECT meta_key FROM wp_usermeta")}
    assert keys >= {"wc_order_count_wp", "wc_order_count_wp_2", "_woocommerce_persistent_cart_2"}


@pytest.mark.parametrize("name", ["north", "south", "east"])
def test_every_user_id_has_its_user(name: str, request: pytest.FixtureRequest) -> None:
    filled: Filled = request.getfixturevalue(name)
    orders = "wc_orders.customer_id" if filled.store.orders == "hpos" else ""
    columns = ["posts.post_author", "comments.user_id", "links.link_owner", "usermeta.user_id", "wc_webhooks.user_id",
               "woocommerce_api_keys.user_id", "woocommerce_payment_tokens.user_id", "wc_customer_lookup.user_id",
               "woocommerce_downloadable_product_permissions.user_id", "wc_download_log.user_id", "mystery.owner_id",
               "loyalty_accounts.customer_id", "trail_visits.user_id", orders]  # fmt: skip
    for table, column in (entry.split(".") for entry in columns if entry):
        sql = f"SELECT count(*) FROM {{p}}{table} WHERE {column} > 0 AND {column} NOT IN (SELECT ID FROM {{p}}users)"
        assert filled.value(sql) == 0, f"{table}.{column}"
        assert filled.value(f"SELECT count(*) FROM {{p}}{table} WHERE {column} > 0") > 0, f"{table}.{column}"


def test_lookup_customers_are_not_users(south: Filled) -> None:
    assert south.value("SELECT min(customer_id) FROM {p}wc_customer_lookup") > south.value(
        "SELECT max(ID) FROM {p}users"
    )
    known = "SELECT customer_id FROM {p}wc_customer_lookup"
    assert south.value(f"SELECT count(*) FROM {{p}}wc_order_stats WHERE customer_id NOT IN ({known})") == 0


def test_orders_lie_where_the_profile_says(north: Filled, south: Filled) -> None:
    assert north.value("SELECT count(*) FROM wp_wc_orders WHERE type = 'shop_order'") == SIZES["tiny"].orders
    assert north.value("SELECT count(*) FROM wp_posts WHERE post_type = 'shop_order_placehold'") >= SIZES["tiny"].orders
    assert south.value("SELECT count(*) FROM {p}wc_orders") == 0
    assert south.value("SELECT count(*) FROM {p}posts WHERE post_type = 'shop_order'") == SIZES["tiny"].orders
    keys = {key for (key,) in south.rows("SELECT DISTINCT meta_key FROM {p}postmeta")}
    assert keys >= {"_customer_user", "_order_total", "_refunded_by", "_used_by", "_edit_last", "_edit_lock"}
    guests = "SELECT count(*) FROM {p}postmeta WHERE meta_key = '_customer_user' AND meta_value = '0'"
    assert south.value(guests) > 0


@pytest.mark.parametrize("name", ["north", "south"])
def test_an_orders_items_add_up_to_its_total(name: str, request: pytest.FixtureRequest) -> None:
    filled: Filled = request.getfixturevalue(name)
    sums = (
        "SELECT s.order_id, s.total_sales, (SELECT sum(m.meta_value) FROM {p}woocommerce_order_itemmeta m "
        "JOIN {p}woocommerce_order_items i USING (order_item_id) WHERE i.order_id = s.order_id AND "
        "m.meta_key IN ('_line_total', '_line_tax', 'cost', 'total_tax')) FROM {p}wc_order_stats s WHERE parent_id = 0"
    )
    rows = filled.rows(sums)
    assert len(rows) == SIZES["tiny"].orders
    for order, total, items in rows:
        assert float(items) == pytest.approx(total, abs=0.001), order


@pytest.mark.parametrize("name", ["north", "south", "east"])
def test_every_table_of_a_shop_has_rows(name: str, request: pytest.FixtureRequest) -> None:
    filled: Filled = request.getfixturevalue(name)
    empty = set() if filled.store.orders == "hpos" else {n for n in woocommerce_tables.TABLES if n in HPOS}
    for table in (*woocommerce_tables.TABLES, *core_tables.TABLES, *plugin_tables.TABLES, *plugin_tables.MYISAM):
        assert (filled.counts.get(f"{filled.prefix}{table}", 0) > 0) is (table not in empty), table


HPOS = {"wc_orders", "wc_order_addresses", "wc_order_operational_data", "wc_orders_meta"}


@pytest.mark.parametrize("name", ["north", "east"])
def test_php_reads_what_is_serialized(name: str, request: pytest.FixtureRequest) -> None:
    filled: Filled = request.getfixturevalue(name)
    rows = filled.rows(
        "SELECT concat('option ', option_name), option_value FROM {p}options UNION ALL "
        "SELECT meta_key, meta_value FROM {p}postmeta UNION ALL "
        "SELECT concat('user ', meta_key), meta_value FROM {p}usermeta UNION ALL "
        "SELECT 'comment', meta_value FROM {p}commentmeta UNION ALL SELECT 'mystery', settings FROM {p}mystery "
        "UNION ALL SELECT 'item', meta_value FROM {p}woocommerce_order_itemmeta UNION ALL "
        "SELECT 'session', session_value FROM {p}woocommerce_sessions"
    )
    serialized = [(key, text) for key, text in rows if text and text[:2] in ("a:", "O:", "s:", "C:", "E:")]
    lines = "".join(f"{key}\t{base64.b64encode(text.encode()).decode()}\n" for key, text in serialized)
    done = subprocess.run(["php", "-r", PHP_READS], input=lines, capture_output=True, text=True, check=True)
    answers = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(answers) == len(serialized) > 60
    bad = {key.removeprefix("option lab_").removeprefix("_lab_") for key, known, _ in answers if known == "0"}
    assert bad == {key.removeprefix("_lab_") for key in NOT_SERIALIZED}
    # What PHP reads it also writes back to the same bytes: nothing here is a dialect of ours.
    dialect = {key for key, known, same in answers if known == "1" and same == "0"}
    assert dialect <= {"_lab_custom_serialized", "_lab_trailing"}, dialect


def test_strange_values_are_stored_byte_for_byte(south: Filled) -> None:
    stored = dict(south.rows("SELECT meta_key, meta_value FROM {p}postmeta"))
    for key, value in strange_values(SOUTH).items():
        assert stored[key] == value
    assert EMOJI in strange_values(SOUTH)["_lab_multibyte"]
    assert json.loads(stored["_elementor_data"])[0]["elements"][0]["elements"][0]["settings"]["image"]["id"] == 7


def test_zero_dates_bytes_and_types(north: Filled) -> None:
    assert north.value("SELECT count(*) FROM wp_posts WHERE post_date_gmt = '0000-00-00 00:00:00'") > 0
    assert north.value("SELECT body FROM wp_vault WHERE id = 1") == plugin_tables.ALL_BYTES
    types = "f + 0e0, big, e, e + 0, hex(b), cast(t AS char), cast(day AS char)"
    first, second = north.rows(f"SELECT {types} FROM wp_all_types ORDER BY id LIMIT 2")
    assert first == (16777216.0, 2**64 - 1, "yes", 2, "AAA", "-838:59:58.999999", "0000-00-00")
    assert second[2:4] == ("", 0), "the empty value of an enum that was given an unknown one"


def test_shapes_of_tables(north: Filled) -> None:
    def info(sql: str) -> set[Any]:
        return {row[0] for row in north.rows(f"SELECT {sql} AND table_schema = database()")}

    assert info("table_name FROM information_schema.tables WHERE engine = 'MyISAM'") == {
        "wp_search_words",
        "wp_old_log",
    }
    assert info("table_name FROM information_schema.views WHERE definer <> ''") == {"wp_sales_by_status"}
    assert info("extra FROM information_schema.columns WHERE generation_expression IS NOT NULL") == {
        "STORED GENERATED", "VIRTUAL GENERATED",
    }  # fmt: skip
    foreign = "constraint_name FROM information_schema.table_constraints WHERE constraint_type = 'FOREIGN KEY'"
    assert info(foreign) == {"wp_loyalty_entries_account_fk"}
    assert north.rows("SHOW TRIGGERS")[0][0] == "wp_mystery_touched"
    ledger = north.rows("SELECT sku, amount, note, at FROM wp_ledger")
    assert len(ledger) > len(set(ledger)), "duplicate rows, and no key to tell them apart"
    assert "KEY" not in north.rows("SHOW CREATE TABLE wp_ledger")[0][1].replace("KEY `sku`", "")
    assert north.value("SELECT count(*) FROM wp_sales_by_status") > 2


def test_counters_stand_beyond_the_last_row(north: Filled) -> None:
    for table, key in (("posts", "ID"), ("gone_orders", "id")):
        where = f"table_schema = 'north' AND table_name = 'wp_{table}'"
        counter = north.value(f"SELECT auto_increment FROM information_schema.tables WHERE {where}")
        assert counter > north.value(f"SELECT max({key}) FROM wp_{table}") + 1


def test_the_east_has_old_character_sets(east: Filled) -> None:
    charsets = dict(
        east.rows(
            "SELECT table_name, left(table_collation, 7) FROM information_schema.tables "
            "WHERE table_schema = 'east' AND table_type = 'BASE TABLE'"
        )
    )
    assert charsets["wp_commentmeta"] == charsets["wp_mystery"] == "latin1_"
    assert charsets["wp_termmeta"] == "utf8mb3"
    assert charsets["wp_posts"] == "utf8mb4"
    own = "table_schema = 'east' AND table_name = 'wp_shelf' AND column_name = 'note'"
    assert east.value(f"SELECT character_set_name FROM information_schema.columns WHERE {own}") == "greek"
    # The length counts what PHP saw (UTF-8), the column holds fewer bytes: a naive byte count is wrong here.
    assert east.value("SELECT count(*) FROM wp_mystery WHERE settings LIKE '%s:7:\"größe\"%' AND length(settings) < "
                      "length(convert(settings USING utf8mb4))") > 0  # fmt: skip


def test_decisions_answer_for_every_unknown_table(south: Filled) -> None:
    known = {f"shop_{name}" for name in (*core_tables.TABLES, *woocommerce_tables.TABLES)}
    views = {f"shop_{plugin_tables.VIEW}"}
    unknown = {name for (name,) in south.rows("SHOW TABLES")} - known - views
    answers = decisions("south", "shop_")
    assert {f"table:south:{name}" for name in unknown} == {key for key in answers if key.startswith("table:")}
    assert answers["column:south:shop_kiosk_sessions.user_id"]["choice"] == "plain"
    assert DECISIONS["column:east:wp_2_mystery.owner_id"]["choice"] == "user"
    assert {entry["choice"] for entry in answers.values()} == {"carry", "leave", "user", "plain"}


def test_a_store_keeps_the_folder_it_is_given(mariadb: MariaDb) -> None:
    filled = fill(mariadb, "rooted", replace(NORTH, root="/srv/elsewhere"))
    assert filled.value("SELECT count(*) FROM wp_options WHERE option_value LIKE '%/srv/elsewhere/wp-content%'") >= 2
    assert filled.value("SELECT count(*) FROM wp_options WHERE option_value LIKE '%/srv/north/%'") == 0


def test_every_image_that_is_named_can_be_put_into_place(north: Filled) -> None:
    named = {path for (path,) in north.rows("SELECT meta_value FROM wp_postmeta WHERE meta_key = '_wp_attached_file'")}
    assert named
    assert named <= set(media_paths(SIZES["tiny"]))
