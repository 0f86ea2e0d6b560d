"""The one row transform: what a source row becomes in the target.

Copying, following and verifying all go through `TableTransform.rows`: what was copied and what is proved can't differ.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from crossdock.core.tables import Column, Row, Table
from crossdock.wordpress import catalogue
from crossdock.wordpress.catalogue import Scope
from crossdock.wordpress.people import People
from crossdock.wordpress.rewriting import Rewriter
from crossdock.wordpress.sitemap import Destination, SiteMap

# Reasons for a row to be declared as left behind.
REBUILT = "rebuilt by the target (transients, rewrite rules)"
MERGED = "user merged into the account of an earlier store"
SIGNED_OUT = "login sessions end with the move"
OTHER_BLOG = "belongs to a blog that is not moved"

_KEY_LIMIT = 255


@dataclass
class Tally:
    """What a transform did: rows in and out, rows left behind by reason, changed values, and the values that
    look serialized, hold an address and do not parse: (column, key) pairs, at most 100."""

    rows_source: int = 0
    rows_target: int = 0
    values_changed: int = 0
    declared: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.rows_source += other.rows_source
        self.rows_target += other.rows_target
        self.values_changed += other.values_changed
        self.declared.update(other.declared)
        self.broken.extend(other.broken[: 100 - len(self.broken)])


class TableTransform:
    """The compiled transform of one source table. `columns` are the row's columns, in order, on both sides.

    `judge`, when given, is called with (before, after) of every value that the rewriting changed.
    """

    def __init__(self, table: Table, site: SiteMap, people: People, rewriter: Rewriter) -> None:
        destination = site.destination(table.name)
        if destination is None:
            raise ValueError(f"{table.name} has no place in the plan")
        self.table = table
        self.destination: Destination = destination
        self.columns: tuple[Column, ...] = table.stored_columns
        self.tally = Tally()
        self.judge: Callable[[bytes, bytes], None] | None = None
        self._site = site
        self._people = people
        self._rewriter = rewriter
        self._index = {column.name: number for number, column in enumerate(self.columns)}
        self._key_columns = [self._index[name] for name in table.primary_key if name in self._index]
        entry = catalogue.known(destination.base)
        users = [
            *(entry.user_columns if entry else ()),
            *(name for owner, name in site.user_columns if owner == table.name),
        ]
        self._user_columns = [self._index[name] for name in users if name in self._index]
        untouched = entry.untouched if entry else ()
        self._text_columns = [
            number
            for number, column in enumerate(self.columns)
            if (column.is_text or column.type_name.endswith("blob")) and column.name not in untouched
        ]
        self._blobs = {number for number, column in enumerate(self.columns) if column.is_binary}
        self._steps = _steps(self, entry.keyed if entry else None)

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Target rows for source rows, in order; rows left behind are gone and counted in `tally`."""
        kept: list[Row] = list(rows)
        for step in self._steps:
            kept = step(kept)
        kept = self._rewrite(self._map_users(kept))
        self.tally.rows_source += len(rows)
        self.tally.rows_target += len(kept)
        return kept

    def user_id(self, value: bytes | None) -> bytes | None:
        """A user-ID value through the map; anything that is no number stays as it is."""
        if value is None or not value.isdigit():
            return value
        return b"%d" % self._people.target_id(int(value))

    # -- steps ---------------------------------------------------------------------------------------------------

    def _map_users(self, rows: list[Row]) -> list[Row]:
        for number in self._user_columns:
            rows = [
                row if row[number] in (None, b"0") else (*row[:number], self.user_id(row[number]), *row[number + 1 :])
                for row in rows
            ]
        return rows

    def _rewrite(self, rows: list[Row]) -> list[Row]:
        changed: dict[int, dict[int, bytes]] = {}
        for number in self._text_columns:
            values = [row[number] for row in rows]
            for hit in self._rewriter.hits(values):
                before = values[hit]
                if before is None or (number in self._blobs and not is_text(before)):
                    continue
                result = self._rewriter.rewrite(before)
                if result.broken:
                    self._report_broken(number, rows[hit])
                if result.value != before:
                    changed.setdefault(hit, {})[number] = result.value
                    if self.judge is not None:
                        self.judge(before, result.value)
        for hit, values_of_row in changed.items():
            row = list(rows[hit])
            for number, value in values_of_row.items():
                row[number] = value
            rows[hit] = tuple(row)
            self.tally.values_changed += len(values_of_row)
        return rows

    def _report_broken(self, number: int, row: Row) -> None:
        if len(self.tally.broken) < 100:
            key = ",".join((row[at] or b"").decode("utf-8", "replace") for at in self._key_columns)
            self.tally.broken.append((self.columns[number].name, key))

    def leave(self, reason: str) -> None:
        self.tally.declared[reason] += 1


Step = Callable[[list[Row]], list[Row]]


def _steps(transform: TableTransform, keyed: tuple[str, str] | None) -> list[Step]:
    """The table's own steps, before user columns and addresses are mapped."""
    base, scope = transform.destination.base, transform.destination.scope
    index = transform._index
    if keyed and not {*keyed} <= index.keys():
        return []
    if base == "users" and scope is Scope.PEOPLE:
        return [_users(transform)]
    if base == "usermeta" and scope is Scope.PEOPLE and keyed:
        return [_usermeta(transform, index["user_id"], index[keyed[0]], index[keyed[1]])]
    if base == "options" and keyed:
        return [_options(transform, index[keyed[0]], index[keyed[1]])]
    if base in ("postmeta", "wc_orders_meta") and keyed:
        return [_postmeta(transform, index[keyed[0]], index[keyed[1]])]
    if base == "woocommerce_sessions" and "session_key" in index:
        return [_map_column(index["session_key"], transform.user_id)]
    if base == "actionscheduler_actions":
        return [_map_column(index[name], _scheduled(transform)) for name in ("args", "extended_args") if name in index]
    return []


def _map_column(number: int, change: Callable[[bytes | None], bytes | None]) -> Step:
    def step(rows: list[Row]) -> list[Row]:
        made: list[Row] = []
        for row in rows:
            before = row[number]
            after = change(before)
            made.append(row if after == before else (*row[:number], after, *row[number + 1 :]))
        return made

    return step


def _users(transform: TableTransform) -> Step:
    people, index = transform._people, transform._index
    at_id, login, nicename = index["ID"], index["user_login"], index["user_nicename"]
    password, key = index["user_pass"], index["user_activation_key"]

    def step(rows: list[Row]) -> list[Row]:
        made: list[Row] = []
        for row in rows:
            user = int(row[at_id] or 0)
            if user in people.merged:
                transform.leave(MERGED)
                continue
            cells = list(row)
            if user in people.renamed:
                names = people.renamed[user]
                cells[login], cells[nicename] = names[0].encode(), names[1].encode()
            if transform._site.reset_passwords:
                cells[password] = b"!"  # no hash is "!": nobody signs in before asking for a new password
                cells[key] = b""
            made.append(tuple(cells))
        return made

    return step


def _usermeta(transform: TableTransform, user_at: int, key_at: int, value_at: int) -> Step:
    site, people = transform._site, transform._people
    id_at = transform._index["umeta_id"]
    keys = _UserKeys(site)

    def step(rows: list[Row]) -> list[Row]:
        made: list[Row] = []
        for row in rows:
            key, user = row[key_at] or b"", int(row[user_at] or 0)
            if key in catalogue.DROPPED_USER_KEYS:
                transform.leave(SIGNED_OUT)
                continue
            renamed, scoped = keys.target(key)
            if renamed is None:
                transform.leave(OTHER_BLOG)
                continue
            if user in people.merged and not scoped:
                # The first account keeps the shared keys; the later store's values stay under the store's name.
                renamed = (b"_crossdock_%s_" % site.server.encode() + renamed)[:_KEY_LIMIT]
            cells = list(row)
            cells[id_at] = b"%d" % (site.usermeta_base + int(row[id_at] or 0))
            if row[key_at] is not None:
                cells[key_at] = renamed
            if key == b"primary_blog":
                cells[value_at] = keys.blog(row[value_at])
            made.append(tuple(cells))
        return made

    return step


class _UserKeys:
    """Renames usermeta keys that carry a blog's prefix or number."""

    def __init__(self, site: SiteMap) -> None:
        by_length = sorted(site.stores, key=lambda store: -len(store.source_prefix))
        self._prefixes = [(one.source_prefix.encode(), one.target_prefix.encode()) for one in by_length]
        self._base = site.source_base_prefix.encode()
        self._blogs = {str(one.source_blog).encode(): str(one.target_blog).encode() for one in site.stores}
        self._seen: dict[bytes, tuple[bytes | None, bool]] = {}

    def target(self, key: bytes) -> tuple[bytes | None, bool]:
        """(new key, belongs to one blog); (None, True) when it belongs to a blog that is not moved."""
        found = self._seen.get(key)
        if found is None:
            found = self._target(key)
            if len(self._seen) < 10_000:
                self._seen[key] = found
        return found

    def blog(self, value: bytes | None) -> bytes | None:
        return self._blogs.get(value or b"", value)

    def _target(self, key: bytes) -> tuple[bytes | None, bool]:
        if key.startswith(catalogue.CART_KEY):
            number = key[len(catalogue.CART_KEY) :]
            return (catalogue.CART_KEY + self._blogs[number], True) if number in self._blogs else (None, True)
        for stem in catalogue.SUFFIXED_USER_KEYS:
            if key.startswith(stem):
                return self._suffixed(stem, key[len(stem) :] + b"_")
        rest = key.removeprefix(self._base) if key.startswith(self._base) else b""
        digits = rest.split(b"_", 1)[0] if b"_" in rest else b""
        for source, target in self._prefixes:
            if key.startswith(source) and not (source == self._base and digits.isdigit()):
                return target + key[len(source) :], True
        return (None, True) if digits.isdigit() else (key, False)

    def _suffixed(self, stem: bytes, prefix: bytes) -> tuple[bytes | None, bool]:
        for source, target in self._prefixes:
            if source == prefix:
                return stem + target[:-1], True
        return None, True


def _options(transform: TableTransform, name_at: int, value_at: int) -> Step:
    store = transform.destination.store
    assert store is not None
    roles = store.source_prefix.encode() + b"user_roles"
    url = store.target_url.encode()
    fixed = {
        b"siteurl": url,
        b"home": url,
        b"upload_path": b"",
        b"upload_url_path": b"",
        b"blog_public": b"1" if store.public else b"0",
    }
    if store.public:
        del fixed[b"blog_public"]  # production keeps what the store had

    def step(rows: list[Row]) -> list[Row]:
        made: list[Row] = []
        for row in rows:
            name = row[name_at] or b""
            if catalogue.is_rebuilt_option(name):
                transform.leave(REBUILT)
                continue
            cells = list(row)
            if name == roles:
                cells[name_at] = store.target_prefix.encode() + b"user_roles"
            elif name == catalogue.CRON_OPTION:
                cells[name_at] = catalogue.HELD_CRON_OPTION
            elif name in fixed:
                cells[value_at] = fixed[name]
            made.append(tuple(cells))
        return made

    return step


def _postmeta(transform: TableTransform, key_at: int, value_at: int) -> Step:
    special = catalogue.USER_ID_KEYS | catalogue.EDIT_LOCK_KEYS | catalogue.USED_BY_KEYS

    def changed(key: bytes | None, value: bytes | None) -> bytes | None:
        if key in catalogue.EDIT_LOCK_KEYS:
            stamp, colon, user = (value or b"").partition(b":")
            return stamp + colon + (transform.user_id(user) or b"") if colon else value
        return transform.user_id(value)

    def step(rows: list[Row]) -> list[Row]:
        return [
            row
            if row[key_at] not in special
            else (*row[:value_at], changed(row[key_at], row[value_at]), *row[value_at + 1 :])
            for row in rows
        ]

    return step


def _scheduled(transform: TableTransform) -> Callable[[bytes | None], bytes | None]:
    """Action Scheduler arguments: user IDs under a name that says so, in a JSON object; everything else byte-exact."""

    def change(value: bytes | None) -> bytes | None:
        if not value or (b'"user_id"' not in value and b'"customer_id"' not in value):
            return value
        try:
            arguments = json.loads(value)
        except ValueError:
            return value
        changes = _mapped_arguments(arguments, transform)
        return json.dumps(arguments, separators=(",", ":")).replace("/", "\\/").encode() if changes else value

    return change


def _mapped_arguments(value: object, transform: TableTransform) -> int:
    if isinstance(value, list):
        return sum(_mapped_arguments(one, transform) for one in value)
    if not isinstance(value, dict):
        return 0
    changes = 0
    for key, one in value.items():
        if key in ("user_id", "customer_id") and isinstance(one, int | str) and str(one).isdigit():
            mapped = int(transform.user_id(str(one).encode()) or 0)
            value[key] = mapped if isinstance(one, int) else str(mapped)
            changes += 1
        else:
            changes += _mapped_arguments(one, transform)
    return changes


def is_text(value: bytes) -> bool:
    """A blob is rewritten only when it is text: in anything else a changed length would break it."""
    # Serialized objects hold NUL around private names; other data with NUL is no text.
    if b"\0" in value and value[:2] not in (b"a:", b"O:", b"C:", b"s:"):
        return False
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
