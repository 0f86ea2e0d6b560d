"""Tables of plugins that nobody knows: every column type, key shape, engine and kind of stored code."""

from __future__ import annotations

import random
from collections.abc import Callable

from crossdock.lab.data.php import PhpObject, json_escaped, serialize
from crossdock.lab.data.sink import literal
from crossdock.lab.data.wording import COMPOSED, DECOMPOSED, EMOJI, GREEK, SCRIPTS, latin
from crossdock.lab.data.world import TIME_BASE, World, stamp

UTF8 = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci"
# Every byte there is, then the bytes that text formats trip over.
ALL_BYTES = bytes(range(256)) + b"\0\x1a\t\n\r\\\x10\x1d\x1e'\"`;--/*"

TABLES: dict[str, str] = {
    "mystery": "id bigint unsigned NOT NULL AUTO_INCREMENT, owner_id bigint unsigned NOT NULL DEFAULT 0, "
    "title varchar(200) NOT NULL, settings longtext, touched int NOT NULL DEFAULT 0, PRIMARY KEY (id), "
    "KEY owner_id (owner_id)",
    "trail_visits": "id bigint unsigned NOT NULL AUTO_INCREMENT, user_id bigint unsigned DEFAULT NULL, "
    "path varchar(191) NOT NULL, referer text, agent varchar(255) NOT NULL, score float NOT NULL, "
    "at datetime NOT NULL, PRIMARY KEY (id), KEY user_id (user_id), KEY at (at)",
    "kiosk_sessions": "id int NOT NULL AUTO_INCREMENT, user_id int NOT NULL COMMENT 'number of the till key', "
    "opened datetime NOT NULL, PRIMARY KEY (id)",
    "stale_cache": "cache_key varchar(100) NOT NULL, body mediumtext, PRIMARY KEY (cache_key)",
    "all_types": "id bigint unsigned NOT NULL, f float, d double, n decimal(30,10), b bit(12), "
    "e enum('','yes','no','später'), s set('a','b','c'), y year, t time(6), day date, moment datetime(3), "
    "ts timestamp NULL, j json, u uuid, ip inet6, p point, big bigint unsigned, small tinyint, "
    "zf int(8) unsigned zerofill, bin binary(8), vb varbinary(300), tt tinytext, c char(10), PRIMARY KEY (id)",
    "ledger": "sku varchar(64), amount decimal(12,4), note text, at datetime, KEY sku (sku)",
    "shelf": "hall varchar(20) NOT NULL, slot int NOT NULL, note text{own_charset}, url varchar(200), "
    "PRIMARY KEY (hall, slot)",
    "phrases": "phrase varchar(150) NOT NULL, translation text, PRIMARY KEY (phrase)",
    "vault": "id bigint unsigned NOT NULL AUTO_INCREMENT, name varchar(100) NOT NULL, body longblob, note longtext, "
    "PRIMARY KEY (id)",
    "price_book": "id int NOT NULL AUTO_INCREMENT, net decimal(10,2) NOT NULL, "
    "gross decimal(10,2) GENERATED ALWAYS AS (net * 1.25) STORED, sku varchar(60) NOT NULL, "
    "sku_upper varchar(60) GENERATED ALWAYS AS (upper(sku)) VIRTUAL, note varchar(100), PRIMARY KEY (id), "
    "KEY gross (gross)",
    "loyalty_accounts": "id bigint unsigned NOT NULL AUTO_INCREMENT, customer_id bigint unsigned NOT NULL, "
    "card varchar(40) NOT NULL, page text, PRIMARY KEY (id), UNIQUE KEY card (card)",
    "loyalty_entries": "id bigint unsigned NOT NULL AUTO_INCREMENT, account_no bigint unsigned NOT NULL, "
    "points int NOT NULL, order_no bigint unsigned, PRIMARY KEY (id), KEY account_no (account_no), "
    "CONSTRAINT `{prefix}loyalty_entries_account_fk` FOREIGN KEY (account_no) "
    "REFERENCES `{prefix}loyalty_accounts` (id) ON DELETE CASCADE",
    "gone_orders": "id bigint unsigned NOT NULL AUTO_INCREMENT, note varchar(100), PRIMARY KEY (id)",
}
MYISAM: dict[str, str] = {
    "search_words": "word varchar(60) NOT NULL, post bigint unsigned NOT NULL, weight float NOT NULL DEFAULT 1, "
    "PRIMARY KEY (word, post), FULLTEXT KEY words (word)",
    "old_log": "id int unsigned NOT NULL AUTO_INCREMENT, line text, at datetime NOT NULL, PRIMARY KEY (id)",
}
VIEW = "sales_by_status"
TRIGGER = "mystery_touched"


def create_plugin_tables(world: World) -> None:
    """Tables, the view and the trigger. Needs CREATE VIEW, TRIGGER and, with a binary log, the server's trust."""
    prefix, quirky = world.prefix, world.store.quirky_charsets
    for name, body in TABLES.items():
        tail = "ENGINE=InnoDB DEFAULT CHARSET=latin1" if quirky and name == "mystery" else UTF8
        own = " CHARACTER SET greek" if quirky else ""
        columns = body.replace("{prefix}", prefix).replace("{own_charset}", own)
        world.execute(f"CREATE TABLE `{prefix}{name}` ({columns}) {tail}")
    for name, body in MYISAM.items():
        world.execute(f"CREATE TABLE `{prefix}{name}` ({body}) ENGINE=MyISAM DEFAULT CHARSET=utf8mb4")
    world.execute(
        f"CREATE DEFINER=CURRENT_USER SQL SECURITY DEFINER VIEW `{prefix}{VIEW}` AS "
        f"SELECT s.status, count(*) AS orders, sum(s.net_total) AS net, max(p.post_date) AS latest "
        f"FROM `{prefix}wc_order_stats` s "
        f"LEFT JOIN `{prefix}posts` p ON p.ID = s.order_id GROUP BY s.status"
    )
    world.execute(
        f"CREATE TRIGGER `{prefix}{TRIGGER}` BEFORE UPDATE ON `{prefix}mystery` FOR EACH ROW "
        "SET NEW.touched = OLD.touched + 1"
    )


def convert_charsets(world: World) -> None:
    """Before they are filled: core tables whose text fits go to the character sets of an old server."""
    if not world.store.quirky_charsets:
        return
    for charset, tables in (("latin1", ("commentmeta", "links")), ("utf8mb3", ("termmeta", "wc_webhooks"))):
        for name in tables:
            world.execute(f"ALTER TABLE `{world.table(name)}` CONVERT TO CHARACTER SET {charset}")


def fill_plugin_tables(world: World, big_row_bytes: int) -> None:
    chance = world.chance("plugins")
    for fill in (_mystery, _visits, _all_types, _odd_keys, _vault, _loyalty, _small_tables):
        fill(world, chance)
    _counters(world)
    if big_row_bytes:
        _big_row(world, big_row_bytes)


def _text(world: World) -> Callable[[str], str]:
    """Texts of the tables that are latin1 in a quirky store."""
    return latin if world.store.quirky_charsets else str


def _mystery(world: World, chance: random.Random) -> None:
    fits, url = _text(world), world.store.url
    for number in range(max(4, world.size.posts // 5)):
        owner = chance.choice(world.members)
        nested = serialize({"größe": f"{fits(COMPOSED)}{url}/ü/", "owner": owner.user_id})
        settings = {"url": f"{url}/mystery/{number}/", "Straße": fits(f"Äö {GREEK}{EMOJI}"), "inner": nested}
        thing = PhpObject("Mystery_Thing", public=settings, private={"path": f"{world.store.root}/x/ß.txt"})
        text = json_escaped(settings) if number % 3 == 2 else serialize(thing if number % 3 else settings)
        title = fits(f"Rätsel {number} {GREEK}")
        world.add("mystery", "id,owner_id,title,settings", number + 1, owner.user_id, title, text)


def _visits(world: World, chance: random.Random) -> None:
    """The bulk of a large store; two in five rows hold an address of the store."""
    url, agent = world.store.url, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    people = [member.user_id for member in world.members]
    paths = [f"/story-{number}/?step={number}" for number in range(1, 400)]
    draw, total = chance.random, len(people)
    columns, table = "id,user_id,path,referer,agent,score,at", world.table("trail_visits")
    for first in range(1, world.size.visits + 1, 1_000):
        at = stamp(TIME_BASE - 31_000_000 + first * 60)
        texts = []
        for number in range(first, min(first + 1_000, world.size.visits + 1)):
            roll = draw()
            user = people[int(roll * total)] if number % 3 == 0 else "NULL"
            referer = (
                f"{url}/story-{number % 97}/?from={number}" if number % 5 < 2 else "https://search.example/?q=tent"
            )
            texts.append(f"({number},{user},'{paths[number % 399]}','{referer}','{agent}',{roll:.3f},'{at}')")
        world.sink.extend(table, columns, texts)


def _all_types(world: World, _: random.Random) -> None:
    """Edges of every type. A direct statement: the empty enum value needs a lenient session."""
    table = world.table("all_types")
    document = literal(json_escaped({"url": f"{world.store.url}/json/", "é": EMOJI}))
    world.execute("SET @mode = @@sql_mode, SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'")
    world.execute(
        f"INSERT INTO `{table}` VALUES "
        f"(1, 16777216, 1.7976931348623157e308, 12345678901234567890.0123456789, b'101010101010', 'yes', 'a,c', 1901, "
        f"'-838:59:58.999999', '0000-00-00', '2025-02-28 23:59:59.999', '1970-01-01 00:00:01', {document}, "
        f"'123e4567-e89b-12d3-a456-426655440000', '2001:db8::ff00:42:8329', ST_GeomFromText('POINT(20.26 63.83)'), "
        f"18446744073709551615, -128, 42, x'00ff1a0a', {literal(ALL_BYTES)}, {literal(SCRIPTS)}, 'pad  '),"
        "(2, 0.1, -0.0, -0.0000000001, b'0', 'no such value', '', 0000, '00:00:00.000001', '2024-02-30', "
        "'0000-00-00 00:00:00', NULL, '[]', '00000000-0000-0000-0000-000000000000', '::ffff:192.0.2.1', NULL, 0, 127, "
        "0, x'', x'', '', ''),"
        "(3, 3.4e38, 5e-324, 1, b'111111111111', 'später', 'a,b,c', 2155, '838:59:59', '9999-12-31', "
        "'9999-12-31 23:59:59.999', '2038-01-19 03:14:07', 'null', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '::', "
        "ST_GeomFromText('POINT(-180 90)'), 9223372036854775808, 0, 99999999, x'2020202020202020', x'00', 'x', 'é'),"
        "(4, 1.1754944e-38, 0.1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
        "NULL, NULL, NULL, NULL, NULL, NULL)"
    )
    world.execute("SET SESSION sql_mode = @mode")
    world.sink.counts[table] += 4


def _odd_keys(world: World, _: random.Random) -> None:
    url = world.store.url
    for number in range(6):  # three different rows, each twice: only a multiset can compare them
        row = (f"SKU-{number // 2}", None if number < 2 else "10.5000", f"{url}/ledger/", stamp(TIME_BASE))
        world.insert("ledger", "sku,amount,note,at", row)
    world.insert("ledger", "sku,amount,note,at", (None, None, None, None), (None, None, None, None))
    for hall, slot in (("A", 1), ("A", 2), ("Östra", 1), ("b\tc\nd", 0), ("", -1)):
        note = "Ράφι" if world.store.quirky_charsets else f"Ράφι {EMOJI}"
        world.add("shelf", "hall,slot,note,url", hall, slot, note, f"{url}/shelf/{slot}/")
    for phrase in ("Hello", "häng upp", f"smile {EMOJI}", "quote ' \\ \" %s", url, "trailing "):
        world.add("phrases", "phrase,translation", phrase, f"{DECOMPOSED} {phrase}")


def _vault(world: World, _: random.Random) -> None:
    columns = "id,name,body,note"
    world.add(
        "vault", columns, 1, "all bytes", ALL_BYTES, "tab\there, newline\nhere, NUL\0 here, \\N \x1a \x10\x1d\x1e"
    )
    world.add("vault", columns, 2, "address in a blob", f"\0\xff{world.store.url}/blob/\0".encode("latin-1"), "NULL")
    world.add("vault", columns, 3, "nothing", None, None)
    world.add("vault", columns, 4, "empty", b"", "")
    packed = serialize({"url": f"{world.store.url}/packed/"}).encode()
    world.add("vault", columns, 5, "serialized in a blob", packed, world.store.root)


def _loyalty(world: World, chance: random.Random) -> None:
    """Written at once: entries need their account. The account number is no user ID, customer_id is one."""
    buyers = [member for member in world.members if member.address][: max(3, world.size.posts // 20)]
    accounts = [
        (number, member.user_id, f"CARD-{number:06d}", f"{world.store.url}/card/{number}/")
        for number, member in enumerate(buyers, 9_001)
    ]
    world.insert("loyalty_accounts", "id,customer_id,card,page", *accounts)
    entries = [(account[0], chance.randint(1, 500), 1) for account in accounts for _ in range(2)]
    world.insert("loyalty_entries", "account_no,points,order_no", *entries)


def _small_tables(world: World, chance: random.Random) -> None:
    for number in range(1, 5):
        world.add("kiosk_sessions", "id,user_id,opened", number, 900 + number, stamp(TIME_BASE))
        world.add("price_book", "net,sku,note", float(number), f"sku-{number}ß", f"{world.store.url}/p/{number}")
        world.add("search_words", "word,post,weight", f"word{number}", number, 0.5)
        world.add("old_log", "line,at", f"GET {world.store.url}/ {EMOJI}", stamp(TIME_BASE - number))
        world.add(
            "stale_cache", "cache_key,body", f"page-{number}", f"<a href='{world.store.url}'>{chance.random()}</a>"
        )


def _counters(world: World) -> None:
    """A deleted last row: the counter must not go back to it."""
    world.insert("gone_orders", "id,note", (41, "stays"), (977, "deleted"))
    world.execute(f"DELETE FROM `{world.table('gone_orders')}` WHERE id = 977")
    world.sink.counts[world.table("gone_orders")] -= 1


def _big_row(world: World, size: int) -> None:
    """One longblob of `size` bytes and a longtext a tenth as long; the server's max_allowed_packet must be above."""
    unit = f"{world.store.url}/big/ {EMOJI} "
    repeat = max(1, size // 10 // len(unit.encode()))
    times = size // len(ALL_BYTES) + 1
    world.insert("vault", "id,name", (99, "big row"))
    world.execute(
        f"UPDATE `{world.table('vault')}` SET body = LEFT(REPEAT({literal(ALL_BYTES)}, {times}), {size}), "
        f"note = REPEAT({literal(unit)}, {repeat}) WHERE id = 99"
    )
