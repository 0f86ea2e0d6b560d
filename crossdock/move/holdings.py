"""Asks a source's database what its stores hold beside their pages: scheduled events, gateways, webhooks, keys,
licences, media elsewhere, accounts, personal data. Reads only; of secrets and people nothing but counts, names of
options and IDs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from crossdock.core.errors import AccessError, ConnectionLost, SourceError
from crossdock.core.inventory import Item
from crossdock.core.ports import Session
from crossdock.core.tables import Row, Table
from crossdock.move.assess import owner_of
from crossdock.move.survey import SourceFacts, text
from crossdock.wordpress import catalogue
from crossdock.wordpress.code import plain, register
from crossdock.wordpress.ddl import quoted
from crossdock.wordpress.installation import Blog
from crossdock.wordpress.serialization import Malformed, PhpValue, parse

_COUNTED_BELOW = 1_000_000
_MOST_ROWS = 500
_YEAR_SECONDS = 365 * 86_400
# Usermeta in which WooCommerce and plugins keep when somebody was there last, as seconds since 1970 or as a date.
_SEEN_KEYS = ("wc_last_active", "last_login", "_last_login", "wfls-last-login", "when_last_login", "wp-last-login")
_STAFF = ("administrator", "shop_manager", "editor")
_DEFAULT_LOGINS = ("admin", "administrator", "root", "test", "webmaster")
_MODES = ("testmode", "test_mode", "sandbox", "sandbox_mode", "environment", "mode")
_PAYS = frozenset(
    {*_MODES, "payment_action", "api_key", "merchant_id", "secret_key", "instructions", "account_details"}
)
_OFFLINE = ("bacs", "cheque", "cod")
_PERSONAL = re.compile(
    r"e_?mail|phone|mobile|address|street|first_?name|last_?name|surname|birth|iban|ip_addr", re.IGNORECASE
)
_PEOPLE_TABLES = {
    "users": "accounts", "comments": "comments", "wc_orders": "orders", "wc_customer_lookup": "customers",
    "wc_order_addresses": "addresses of orders", "woocommerce_sessions": "carts and sessions",
    "wc_download_log": "downloads, with IP addresses", "wc_stock_notifications": "people who wait for an article",
    "woocommerce_downloadable_product_permissions": "people who may download", "signups": "sign-ups of the network",
    "registration_log": "registrations in the network",
}  # fmt: skip


@dataclass(frozen=True)
class Staff:
    """Accounts that may change a store, by user ID. `seen`: seconds since 1970, 0 where nothing tells."""

    role: str
    users: tuple[int, ...] = ()
    seen: dict[int, int] = field(default_factory=dict)
    registered: dict[int, int] = field(default_factory=dict)

    def never_seen(self) -> tuple[int, ...]:
        return tuple(user for user in self.users if not self.seen.get(user))

    def old(self, now: float) -> tuple[int, ...]:
        """Those not seen for a year, and those registered more than a year ago of whom nothing tells."""
        return tuple(
            user for user in self.users if (self.seen.get(user) or self.registered.get(user) or 0) < now - _YEAR_SECONDS
        )


def survey_holdings(session: Session, facts: SourceFacts, *, now: float | None = None) -> list[Item]:
    """What each blog of a source holds, as items. What the account may not read is left out.

    Errors: ConnectionLost."""
    moment = time.time() if now is None else now
    items: list[Item] = []
    for blog in facts.blogs:
        asked = _Asked(session, facts, blog)
        for ask in (_cron, _actions, _gateways, _webhooks, _api_keys, _licences, _media):
            items += _answered(ask(asked))
        items += _answered(_accounts(asked, moment))
    items += _answered(_personal(session, facts))
    return items


def network_plugins(session: Session, facts: SourceFacts) -> tuple[str, ...]:
    """The plugin files that are active in a whole network."""
    if not facts.installation.multisite:
        return ()
    sitemeta = quoted(facts.installation.table_prefix + "sitemeta")
    rows = session.query(
        f"SELECT CAST(meta_value AS BINARY) FROM {sitemeta} WHERE meta_key = 'active_sitewide_plugins' LIMIT 1"
    )
    return tuple(_entries(_value(rows[0][0]))) if rows else ()


def _answered(asked: Iterator[Item]) -> list[Item]:
    """What could be read before something could not."""
    made: list[Item] = []
    try:
        for item in asked:
            made.append(item)
    except ConnectionLost:
        raise
    except (AccessError, SourceError):
        pass
    return made


@dataclass(frozen=True)
class _Asked:
    """One blog's rows."""

    session: Session
    facts: SourceFacts
    blog: Blog

    def item(self, kind: str, name: str, told: str, **data: object) -> Item:
        """Names are unique on the server: those of a network's further blogs say so."""
        within = "" if self.blog.prefix == self.facts.installation.table_prefix else f"blog-{self.blog.number}/"
        return Item(kind, self.facts.server, within + name, told, {"blog": self.blog.number, **data})

    def has(self, name: str) -> bool:
        return self.facts.schema.table(self.blog.prefix + name) is not None

    def rows(self, sql: str, name: str, *args: object) -> Sequence[Row]:
        return self.session.query(sql.replace("{}", quoted(self.blog.prefix + name)), args)

    def option(self, name: str) -> PhpValue:
        """An option's value; a plain one as bytes, None where there is none."""
        rows = self.rows("SELECT CAST(option_value AS BINARY) FROM {} WHERE option_name = %s", "options", name)
        return _value(rows[0][0]) if rows else None


def _value(raw: bytes | None) -> PhpValue:
    try:
        return parse(raw or b"")
    except Malformed:
        return raw


def _entries(value: PhpValue) -> dict[str, PhpValue]:
    return {_word(key): one for key, one in value.items()} if isinstance(value, dict) else {}


def _word(value: object) -> str:
    shown = value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)
    return plain(shown)


# -- scheduled events ------------------------------------------------------------------------------------------------


def _cron(asked: _Asked) -> Iterator[Item]:
    hooks: dict[str, int] = {}
    for time_, events in _entries(asked.option("cron")).items():
        for hook, some in _entries(events).items() if time_.lstrip("-").isdigit() else ():
            hooks[hook] = hooks.get(hook, 0) + max(len(_entries(some)), 1)
    for hook, count in sorted(hooks.items())[:_MOST_ROWS]:
        yield asked.item("cron-hook", hook, f"{count} scheduled events of WordPress's cron", events=count)


def _actions(asked: _Asked) -> Iterator[Item]:
    if not asked.has("actionscheduler_actions"):
        return
    sql = "SELECT hook, status, COUNT(*) FROM {} GROUP BY hook, status ORDER BY hook, status LIMIT 2000"
    hooks: dict[str, dict[str, int]] = {}
    for row in asked.rows(sql, "actionscheduler_actions"):
        hooks.setdefault(_word(row[0]), {})[_word(row[1])] = int(row[2] or 0)
    for hook, states in hooks.items():
        told = ", ".join(f"{count} {state}" for state, count in states.items())
        yield asked.item("cron-hook", f"action:{hook}", f"Action Scheduler: {told}", actions=states)


# -- what is bound to a site -----------------------------------------------------------------------------------------


def _gateways(asked: _Asked) -> Iterator[Item]:
    order = {_word(one) for one in _entries(asked.option("woocommerce_gateway_order"))}
    sql = (
        "SELECT option_name, CAST(option_value AS BINARY) FROM {} WHERE option_name LIKE 'woocommerce\\_%%\\_settings' "
        "ORDER BY option_name LIMIT 1000"
    )
    for row in asked.rows(sql, "options"):
        name = _word(row[0]).removeprefix("woocommerce_").removesuffix("_settings")
        settings = _entries(_value(row[1]))
        if settings.get("enabled") != b"yes" or not (name in order or name in _OFFLINE or settings.keys() & _PAYS):
            continue
        mode = _mode(name, settings)
        yield asked.item("gateway", name, f"payment gateway, enabled, {mode}", mode=mode)


def _mode(name: str, settings: Mapping[str, PhpValue]) -> str:
    if name in _OFFLINE:
        return "offline"
    values = [_word(settings[key]).lower() for key in _MODES if key in settings]
    return "test" if any(one in ("yes", "1", "test", "sandbox") for one in values) else "live"


def _webhooks(asked: _Asked) -> Iterator[Item]:
    if not asked.has("wc_webhooks"):
        return
    sql = f"SELECT webhook_id, status, topic, delivery_url FROM {{}} ORDER BY webhook_id LIMIT {_MOST_ROWS}"
    for row in asked.rows(sql, "wc_webhooks"):
        number, status, topic = (_word(one) for one in row[:3])
        there = shown_url(text(row[3]))
        yield asked.item("webhook", number, f"{topic} to {there}, {status}", status=status, topic=topic, url=there)


def shown_url(url: str) -> str:
    """An address without what may be a secret: no user, query and fragment, and no part of the path that looks like a
    token."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that can't be read"
    path = "/".join("..." if _is_token(one) else one for one in parts.path.split("/"))
    return plain(f"{parts.scheme}://{host}{port}{path}", 200)


def _is_token(part: str) -> bool:
    mixed = re.search(r"\d", part) is not None and re.search(r"[A-Za-z]", part) is not None
    return len(part) >= 20 or (mixed and len(part) >= 8)


def _api_keys(asked: _Asked) -> Iterator[Item]:
    if not asked.has("woocommerce_api_keys"):
        return
    sql = "SELECT permissions, COUNT(*), MAX(last_access) FROM {} GROUP BY permissions ORDER BY permissions"
    for row in asked.rows(sql, "woocommerce_api_keys"):
        rights, last = _word(row[0]), _word(row[2])[:10]
        told = f"{int(row[1] or 0)} REST API keys that may {rights.replace('_', ' and ')}, last used {last or 'never'}"
        yield asked.item("api-key", rights, told, count=int(row[1] or 0), last=last)


def _licences(asked: _Asked) -> Iterator[Item]:
    sql = (
        "SELECT option_name FROM {} WHERE option_name REGEXP 'licen[cs]e|api_?key|serial_?key|purchase_?code' "
        "AND option_name NOT LIKE '\\_transient%%' AND option_name NOT LIKE '\\_site\\_transient%%' "
        f"AND option_value <> '' ORDER BY option_name LIMIT {_MOST_ROWS}"
    )
    for row in asked.rows(sql, "options"):
        name = _word(row[0])
        yield asked.item("licence", name, "an option that is named like a licence or key; its value was not read")


# -- media elsewhere -------------------------------------------------------------------------------------------------


def _media(asked: _Asked) -> Iterator[Item]:
    found: dict[str, str] = {}
    settings = _entries(asked.option("tantan_wordpress_s3"))
    if bucket := _word(settings.get("bucket")):
        found[bucket] = "WP Offload Media's bucket"
    for option in ("sm_bucket", "ilab-media-s3-bucket", "mcloud-storage-s3-bucket"):
        if bucket := _word(asked.option(option)):
            found[bucket] = f"the bucket of option {option}"
    address = asked.blog.options.get("upload_url_path", "")
    host = urlsplit(address).hostname or ""
    if host and host != asked.blog.domain.partition(":")[0]:
        found[plain(host)] = "uploads are served from there (upload_url_path)"
    for name, why in found.items():
        away = _offloaded(asked)
        told = f"{why}; {away} attachments are kept elsewhere" if away else why
        yield asked.item("media", name, told, attachments=away)


def _offloaded(asked: _Asked) -> int:
    """Attachments that WP Offload Media keeps elsewhere, in its table or as in earlier versions in postmeta."""
    if asked.has("as3cf_items"):
        return int(asked.rows("SELECT COUNT(*) FROM {}", "as3cf_items")[0][0] or 0)
    sql = "SELECT COUNT(*) FROM {} WHERE meta_key = 'amazonS3_info'"
    return int(asked.rows(sql, "postmeta")[0][0] or 0)


# -- people ----------------------------------------------------------------------------------------------------------


def _accounts(asked: _Asked, now: float) -> Iterator[Item]:
    for role in _STAFF:
        staff = _staff(asked, role)
        if staff.users:
            yield _staff_item(asked, staff, now)
    if asked.blog.prefix != asked.facts.installation.table_prefix:
        return
    logins = {user.id: user.login.lower() for user in asked.facts.users}
    guessed = sorted(user for user, login in logins.items() if login in _DEFAULT_LOGINS)
    if guessed:
        named = ", ".join(sorted({logins[user] for user in guessed}))
        told = f"{len(guessed)} accounts have a login that everybody guesses ({named})"
        yield asked.item("account", "default-logins", told, users=guessed)


def _staff_item(asked: _Asked, staff: Staff, now: float) -> Item:
    never, old = staff.never_seen(), staff.old(now)
    told = [f"{len(staff.users)} accounts of role {staff.role}"]
    told += [f"{len(old)} were not seen for a year"] if old else []
    told += [f"of {len(never)} nothing tells when they were here last"] if never else []
    return asked.item(
        "account",
        staff.role,
        ", ".join(told),
        count=len(staff.users),
        never_seen=len(never),
        old=list(old[:_MOST_ROWS]),
    )


def _staff(asked: _Asked, role: str) -> Staff:
    base = asked.facts.installation.table_prefix
    users_table, meta = quoted(base + "users"), quoted(base + "usermeta")
    rows = asked.session.query(
        f"SELECT user_id FROM {meta} WHERE meta_key = %s AND meta_value LIKE %s ORDER BY user_id LIMIT 10000",
        (asked.blog.prefix + "capabilities", f'%"{role}"%'),
    )
    users = tuple(dict.fromkeys(int(row[0] or 0) for row in rows))
    if not users:
        return Staff(role)
    marks = ", ".join(["%s"] * len(users))
    seen: dict[int, int] = {}
    keys = ", ".join(["%s"] * (len(_SEEN_KEYS) + 1))
    sql = (
        f"SELECT user_id, meta_key, CAST(meta_value AS BINARY) FROM {meta} WHERE user_id IN ({marks}) "
        f"AND meta_key IN ({keys})"
    )
    for row in asked.session.query(sql, (*users, *_SEEN_KEYS, "session_tokens")):
        user = int(row[0] or 0)
        seen[user] = max(seen.get(user, 0), _moment(text(row[1]), row[2]))
    sql = f"SELECT ID, UNIX_TIMESTAMP(user_registered) FROM {users_table} WHERE ID IN ({marks})"
    registered = {int(row[0] or 0): int(float(row[1] or 0)) for row in asked.session.query(sql, users)}
    return Staff(role, users, seen, registered)


def _moment(key: str, value: bytes | None) -> int:
    """Seconds since 1970 of a sign of life, 0 where it can't be read."""
    if key == "session_tokens":
        tokens = [_entries(one) for one in _entries(_value(value)).values()]
        return max((int(at) for one in tokens if isinstance(at := one.get("login"), int)), default=0)
    told = text(value).strip()
    if told.isdigit():
        return int(told)
    try:
        return int(time.mktime(time.strptime(told[:10], "%Y-%m-%d")))
    except (ValueError, OverflowError):
        return 0


# -- personal data ---------------------------------------------------------------------------------------------------


def _personal(session: Session, facts: SourceFacts) -> Iterator[Item]:
    base = facts.installation.table_prefix
    for table in facts.schema.tables:
        blog, name = owner_of(table.name, base, facts.blogs)
        if told := _what_of_people(name, table):
            count, about = _count(session, table)
            data = {"table": table.name, "rows": count, **({"blog": blog.number} if blog else {})}
            if (known := catalogue.known(name)) is not None and known.scope is catalogue.Scope.NETWORK:
                data["register"] = True
            yield Item("data", facts.server, table.name, f"{about}{count:,} rows: {told}", data)


def _what_of_people(name: str, table: Table) -> str:
    """What a table holds of people, '' where nothing suggests that it does."""
    if name in _PEOPLE_TABLES:
        return _PEOPLE_TABLES[name]
    if name in register().form_tables:
        return f"what people wrote into forms ({register().form_tables[name]})"
    columns = [column.name for column in table.columns if _PERSONAL.search(column.name)]
    if not columns or catalogue.known(name) is not None:
        return ""
    return f"columns that are named like personal data: {', '.join(columns[:6])}"


def _count(session: Session, table: Table) -> tuple[int, str]:
    """(rows, '' or 'about '): a large table is not counted row by row."""
    if table.rows_estimate >= _COUNTED_BELOW:
        return table.rows_estimate, "about "
    return int(session.query(f"SELECT COUNT(*) FROM {quoted(table.name)}")[0][0] or 0), ""
