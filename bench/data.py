"""A large WooCommerce store for benchmarks: seeded, made from templates, loaded by LOAD DATA.

Most rows are short meta rows, as in life. Serialized values and page-builder JSON come from pools made once, with
lengths that are right, so that making a row costs about a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import values

from crossdock.lab.data.core_tables import install_core
from crossdock.lab.data.profiles import StoreProfile
from crossdock.lab.data.table_sql import table_sql
from crossdock.lab.data.woocommerce_tables import TABLES as WOOCOMMERCE_TABLES

PREFIX = "wp_"
STORE = StoreProfile(
    slug="bench", server="bench", url=f"https://{values.HOST}", root=values.ROOT, title="Fell & Fjord",
    tagline="Gear for long days", locale="en_GB", country="GB", currency="GBP", tax_rates=(), orders="hpos", position=0,
)  # fmt: skip
# Rows of each table in 1,000 of the database.
SHARES = {
    "postmeta": 505, "posts": 50, "woocommerce_order_itemmeta": 130, "wc_orders_meta": 50, "usermeta": 78,
    "actionscheduler_logs": 40, "actionscheduler_actions": 20, "woocommerce_order_items": 26, "comments": 28,
    "commentmeta": 14, "wc_order_addresses": 16, "wc_orders": 8, "wc_order_operational_data": 8, "wc_order_stats": 8,
    "wc_order_product_lookup": 10, "users": 6, "options": 3,
}  # fmt: skip
NULL = b"\x10N"
_DATE = b"2026-%02d-%02d %02d:%02d:%02d"
_BATCH_LINES = 4000

Rows = Iterator[bytes]
Pools = values.Pools


@dataclass
class Made:
    """What was generated. `url_rows`: rows that hold the store's address, guid not counted."""

    rows: int
    url_rows: int
    data_bytes: int = 0
    index_bytes: int = 0


def generate(connect: Callable[[], Any], folder: Path, rows: int, seed: int) -> Made:
    """Fills an empty database. `connect` gives a pymysql connection to it that may LOAD DATA LOCAL."""
    install_core(connect, STORE, prefix=PREFIX)
    connection = connect()
    connection.query("SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO', unique_checks=0, foreign_key_checks=0")
    for name, columns in WOOCOMMERCE_TABLES.items():
        connection.query(table_sql(PREFIX + name, columns))
    pools = values.Pools(seed)
    made = Made(0, 0)
    for number, (name, share) in enumerate(SHARES.items()):
        count = max(rows * share // sum(SHARES.values()) + 1, 10)
        source = _Random(np.random.default_rng([seed, number]), pools, count, rows)
        columns, lines = TABLES[name](source)
        made.rows += count
        made.url_rows += _load(connection, folder / f"{name}.load", PREFIX + name, columns, lines)
    _analyze(connection, made)
    connection.close()
    return made


def _load(connection: Any, path: Path, table: str, columns: str, lines: Rows) -> int:
    """Loads the lines; returns how many of them hold the address."""
    hits = 0
    allowed = 1 if table.endswith("posts") else 0  # a post's guid always holds the address
    with path.open("wb") as file:
        batch: list[bytes] = []
        for line in lines:
            hits += values.HOST_BYTES in line and line.count(values.HOST_BYTES) > allowed
            batch.append(line)
            if len(batch) == _BATCH_LINES:
                file.write(b"\x1e".join(batch) + b"\x1e")
                batch.clear()
        file.write(b"".join(line + b"\x1e" for line in batch))
    connection.query(
        f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE `{table}` CHARACTER SET binary FIELDS TERMINATED BY 0x1D "
        f"ESCAPED BY 0x10 LINES TERMINATED BY 0x1E ({columns})"
    )
    warnings = connection.show_warnings()
    path.unlink()
    if warnings:
        raise RuntimeError(f"{table}: {warnings[:2]}")
    return hits


def _analyze(connection: Any, made: Made) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        names = ", ".join(f"`{row[0]}`" for row in cursor.fetchall())
        cursor.execute(f"ANALYZE TABLE {names}")
        cursor.fetchall()
        cursor.execute(
            "SELECT SUM(DATA_LENGTH), SUM(INDEX_LENGTH) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
        )
        data, index = cursor.fetchone()
    made.data_bytes, made.index_bytes = int(data), int(index)


class _Random:
    """A table's own stream of random numbers. `count` rows are wanted; `total` is the database's size in rows."""

    def __init__(self, rng: np.random.Generator, pools: Pools, count: int, total: int) -> None:
        self.rng, self.pools, self.count, self.total = rng, pools, count, total

    def below(self, limit: int) -> list[int]:
        """One number a row, in [0, limit)."""
        return self.rng.integers(0, max(limit, 1), self.count).tolist()  # type: ignore[no-any-return]

    def of(self, table: str) -> int:
        """How many rows another table has."""
        return max(self.total * SHARES[table] // sum(SHARES.values()), 9)

    def dates(self) -> list[bytes]:
        """One date a row."""
        parts = self.rng.integers([1, 1, 0, 0, 0], [11, 28, 24, 60, 60], (5000, 5)).tolist()
        pool = [_DATE % tuple(part) for part in parts]
        return [pool[at] for at in self.below(5000)]


# -- content ---------------------------------------------------------------------------------------------------------


def _posts(random: _Random) -> tuple[str, Rows]:
    columns = (
        "ID, post_author, post_date, post_date_gmt, post_content, post_title, post_excerpt, post_status, "
        "comment_status, ping_status, post_password, post_name, to_ping, pinged, post_modified, post_modified_gmt, "
        "post_content_filtered, post_parent, guid, menu_order, post_type, post_mime_type, comment_count"
    )
    kinds = (b"post", b"page", b"product", b"attachment", b"product_variation", b"revision")
    linked, plain, words = random.pools.linked_blocks, random.pools.blocks, random.pools.titles

    def lines() -> Rows:
        dice, many, first, date = random.below(100), random.below(5), random.below(1 << 30), random.dates()
        for at in range(random.count):
            pick, number = first[at], at + 1
            kind = kinds[dice[at] % len(kinds)]
            pieces = [plain[(pick + 7 * step) % len(plain)] for step in range(many[at] + 1)]
            if dice[at] < 70:
                pieces[pick % len(pieces)] = linked[pick % len(linked)]
            title = words[pick % len(words)]
            yield b"\x1d".join((
                b"%d" % number, b"%d" % (pick % 40 + 1), date[at], date[at], b"\n\n".join(pieces), title, b"",
                b"inherit" if kind in (b"attachment", b"revision") else b"publish", b"open", b"closed", b"",
                title.lower().replace(b" ", b"-") + b"-%d" % number, b"", b"", date[at], date[at], b"",
                b"%d" % (pick % number), b"https://%s/?p=%d" % (values.HOST_BYTES, number), b"0", kind,
                b"image/jpeg" if kind == b"attachment" else b"", b"0",
            ))  # fmt: skip

    return columns, lines()


def _meta(key: str, owner: str, owner_table: str, pool: str, linked: int, serialized: int = 0) -> Any:
    """A meta table; of 1,000 rows `linked` hold the address, and `serialized` more are serialized without it."""

    def make(random: _Random) -> tuple[str, Rows]:
        short, urls = random.pools.meta[pool], random.pools.linked_meta[pool]
        arrays, owners = random.pools.serialized, max(random.of(owner_table), 1)
        first = 1000 if pool == "user" else 1

        def lines() -> Rows:
            dice, pick = random.below(1000), random.below(1 << 30)
            for at in range(random.count):
                number = pick[at]
                if dice[at] < linked:
                    name, value = urls[number % len(urls)]
                elif dice[at] < linked + serialized:
                    name, value = arrays[number % len(arrays)]
                else:
                    name, value = short[number % len(short)]
                yield b"%d\x1d%d\x1d%s\x1d%s" % (at + first, at * owners // random.count + 1, name, value)

        return f"{key}, {owner}, meta_key, meta_value", lines()

    return make


def _comments(random: _Random) -> tuple[str, Rows]:
    columns = (
        "comment_ID, comment_post_ID, comment_author, comment_author_email, comment_author_url, comment_author_IP, "
        "comment_date, comment_date_gmt, comment_content, comment_approved, comment_agent, comment_type, user_id"
    )
    texts, posts, users = random.pools.sentences, random.of("posts"), random.of("users")

    def lines() -> Rows:
        dice, pick, date = random.below(100), random.below(1 << 30), random.dates()
        for at in range(random.count):
            number = pick[at]
            link = b" See https://%s/product/p-%d/" % (values.HOST_BYTES, number % 9000) if dice[at] < 25 else b""
            yield (
                b"%d\x1d%d\x1dAnn %d\x1dann%d@mail.example\x1d\x1d10.0.0.%d\x1d%s\x1d%s\x1d%s%s\x1d1\x1d%s\x1d%s\x1d%d"
            ) % (
                at + 1, number % posts + 1, number % 977, number % 9001, number % 250, date[at], date[at],
                texts[number % len(texts)], link, b"Mozilla/5.0 (X11; Linux x86_64)",
                b"review" if dice[at] % 3 else b"order_note", number % users if dice[at] % 2 else 0,
            )  # fmt: skip

    return columns, lines()


def _options(random: _Random) -> tuple[str, Rows]:
    arrays, urls = random.pools.serialized, random.pools.linked_meta["post"]

    def lines() -> Rows:
        dice, pick = random.below(100), random.below(1 << 30)
        for at in range(random.count):
            _, value = urls[pick[at] % len(urls)] if dice[at] < 25 else arrays[pick[at] % len(arrays)]
            yield b"%d\x1dplugin_%d_setting\x1d%s\x1d%s" % (at + 1000, at, value, b"no" if dice[at] % 5 else b"yes")

    return "option_id, option_name, option_value, autoload", lines()


def _users(random: _Random) -> tuple[str, Rows]:
    columns = "ID, user_login, user_pass, user_nicename, user_email, user_url, user_registered, display_name"

    def lines() -> Rows:
        date, dice = random.dates(), random.below(100)
        for at in range(random.count):
            url = b"https://%s/author/u%d/" % (values.HOST_BYTES, at) if dice[at] < 5 else b""
            yield b"%d\x1dshopper%d\x1d$P$B%032d\x1dshopper%d\x1dshopper%d@mail.example\x1d%s\x1d%s\x1dShopper %d" % (
                at + 2, at, at, at, at, url, date[at], at,
            )  # fmt: skip

    return columns, lines()


# -- orders ----------------------------------------------------------------------------------------------------------


def _orders(random: _Random) -> tuple[str, Rows]:
    columns = (
        "id, status, currency, type, tax_amount, total_amount, customer_id, billing_email, date_created_gmt, "
        "date_updated_gmt, parent_order_id, payment_method, payment_method_title, transaction_id, ip_address, "
        "user_agent, customer_note"
    )
    users = random.of("users")

    def lines() -> Rows:
        pick, date = random.below(1 << 30), random.dates()
        for at in range(random.count):
            number = pick[at]
            yield b"\x1d".join((
                b"%d" % (at + 1), b"wc-completed" if number % 7 else b"wc-processing", b"GBP", b"shop_order",
                b"%d.20000000" % (number % 90), b"%d.40000000" % (number % 900),
                b"%d" % (number % users if number % 4 else 0), b"shopper%d@mail.example" % (number % users), date[at],
                date[at], b"0", b"stripe", b"Card", b"ch_%x" % number, b"10.1.%d.%d" % (number % 250, number % 199),
                b"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)", NULL if number % 9 else b"Ring twice",
            ))  # fmt: skip

    return columns, lines()


def _addresses(random: _Random) -> tuple[str, Rows]:
    columns = (
        "id, order_id, address_type, first_name, last_name, company, address_1, address_2, city, state, postcode, "
        "country, email, phone"
    )

    def lines() -> Rows:
        pick = random.below(1 << 30)
        for at in range(random.count):
            number = pick[at]
            yield (
                b"%d\x1d%d\x1d%s\x1dAnn\x1dBerg %d\x1d\x1d%d High St\x1d\x1dLeeds\x1d%s\x1dLS%d 1AA\x1dGB\x1d%s\x1d%d"
            ) % (
                at + 1, at // 2 + 1, b"shipping" if at % 2 else b"billing", number % 5000, number % 300, NULL,
                number % 29, b"shopper%d@mail.example" % (number % 9999), number % 10**9,
            )  # fmt: skip

    return columns, lines()


def _operational(random: _Random) -> tuple[str, Rows]:
    columns = (
        "id, order_id, created_via, woocommerce_version, prices_include_tax, coupon_usages_are_counted, "
        "download_permission_granted, cart_hash, new_order_email_sent, order_key, order_stock_reduced, date_paid_gmt, "
        "shipping_tax_amount, shipping_total_amount, discount_tax_amount, discount_total_amount, recorded_sales"
    )

    def lines() -> Rows:
        pick, date = random.below(1 << 30), random.dates()
        for at in range(random.count):
            yield (
                b"%d\x1d%d\x1dcheckout\x1d11.0.1\x1d1\x1d1\x1d1\x1d%032x\x1d1\x1dwc_order_%x\x1d1\x1d%s\x1d0\x1d4.9\x1d0\x1d0\x1d1"
            ) % (
                at + 1, at + 1, pick[at] * 7919, pick[at], date[at],
            )  # fmt: skip

    return columns, lines()


def _stats(random: _Random) -> tuple[str, Rows]:
    columns = (
        "order_id, parent_id, date_created, date_created_gmt, date_paid, date_completed, num_items_sold, total_sales, "
        "tax_total, shipping_total, net_total, returning_customer, status, customer_id"
    )

    def lines() -> Rows:
        pick, date = random.below(1 << 30), random.dates()
        for at in range(random.count):
            day, number = date[at], pick[at]
            yield (
                b"%d\x1d0\x1d%s\x1d%s\x1d%s\x1d%s\x1d%d\x1d%d.4\x1d%d.2\x1d4.9\x1d%d.3\x1d%d\x1dwc-completed\x1d%d"
            ) % (
                at + 1, day, day, day, day, number % 6 + 1, number % 900, number % 90, number % 800, number % 2,
                number % 40_000 + 1,
            )  # fmt: skip

    return columns, lines()


def _items(random: _Random) -> tuple[str, Rows]:
    titles, orders = random.pools.titles, random.of("wc_orders")

    def lines() -> Rows:
        pick = random.below(1 << 30)
        for at in range(random.count):
            kind = b"line_item" if pick[at] % 3 else b"shipping"
            yield b"%d\x1d%s\x1d%s\x1d%d" % (
                at + 1, titles[pick[at] % len(titles)], kind, at * orders // random.count + 1,
            )  # fmt: skip

    return "order_item_id, order_item_name, order_item_type, order_id", lines()


def _product_lookup(random: _Random) -> tuple[str, Rows]:
    columns = (
        "order_item_id, order_id, product_id, variation_id, customer_id, date_created, product_qty, "
        "product_net_revenue, product_gross_revenue, coupon_amount, tax_amount, shipping_amount, shipping_tax_amount"
    )

    def lines() -> Rows:
        pick, date = random.below(1 << 30), random.dates()
        for at in range(random.count):
            number = pick[at]
            yield b"%d\x1d%d\x1d%d\x1d0\x1d%d\x1d%s\x1d%d\x1d%d.5\x1d%d.1\x1d0\x1d%d.2\x1d0\x1d0" % (
                at + 1, at // 2 + 1, number % 9000, number % 40_000 + 1, date[at], number % 5 + 1, number % 300,
                number % 360, number % 60,
            )  # fmt: skip

    return columns, lines()


# -- Action Scheduler ------------------------------------------------------------------------------------------------


def _actions(random: _Random) -> tuple[str, Rows]:
    columns = (
        "action_id, hook, status, scheduled_date_gmt, scheduled_date_local, args, schedule, group_id, attempts, "
        "last_attempt_gmt, last_attempt_local, claim_id, extended_args"
    )
    hooks = (b"wc-admin_import_orders", b"woocommerce_deliver_webhook_async", b"wc_delete_related_product_transients")
    schedule = (
        b'O:30:"ActionScheduler_SimpleSchedule":2:{s:22:"\0*\0scheduled_timestamp";i:%d;'
        b's:41:"\0ActionScheduler_SimpleSchedule\0timestamp";i:%d;}'
    )

    def lines() -> Rows:
        pick, date = random.below(1 << 30), random.dates()
        for at in range(random.count):
            number, day = pick[at], date[at]
            args = b'[%d]' % (number % 90_000) if number % 10 else (
                b'{"url":"https:\\/\\/%s\\/?id=%d","user_id":%d}' % (values.HOST_BYTES, number % 999, number % 40_000)
            )  # fmt: skip
            stamp = 1_760_000_000 + number % 10**7
            yield b"\x1d".join((
                b"%d" % (at + 1), hooks[number % 3], b"complete" if number % 9 else b"pending", day, day, args,
                schedule % (stamp, stamp), b"2", b"1", day, day, b"%d" % (number % 5000), NULL,
            ))  # fmt: skip

    return columns, lines()


def _logs(random: _Random) -> tuple[str, Rows]:
    actions = random.of("actionscheduler_actions")
    texts = (b"action created", b"action started via WP Cron", b"action complete via WP Cron")

    def lines() -> Rows:
        date = random.dates()
        for at in range(random.count):
            yield b"%d\x1d%d\x1d%s\x1d%s\x1d%s" % (
                at + 1, at * actions // random.count + 1, texts[at % 3], date[at], date[at],
            )  # fmt: skip

    return "log_id, action_id, message, log_date_gmt, log_date_local", lines()


TABLES: dict[str, Callable[[_Random], tuple[str, Rows]]] = {
    "posts": _posts,
    "postmeta": _meta("meta_id", "post_id", "posts", "post", linked=175, serialized=70),
    "comments": _comments,
    "commentmeta": _meta("meta_id", "comment_id", "comments", "comment", linked=0),
    "usermeta": _meta("umeta_id", "user_id", "users", "user", linked=35, serialized=90),
    "users": _users,
    "options": _options,
    "wc_orders": _orders,
    "wc_order_addresses": _addresses,
    "wc_order_operational_data": _operational,
    "wc_order_stats": _stats,
    "wc_order_product_lookup": _product_lookup,
    "wc_orders_meta": _meta("id", "order_id", "wc_orders", "order", linked=200),
    "woocommerce_order_items": _items,
    "woocommerce_order_itemmeta": _meta("meta_id", "order_item_id", "woocommerce_order_items", "item", linked=70),
    "actionscheduler_actions": _actions,
    "actionscheduler_logs": _logs,
}
