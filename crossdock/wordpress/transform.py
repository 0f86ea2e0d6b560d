"""The one row transform: what a source row becomes in the target.

Copying, following and verifying all go through `TableTransform.rows`: what was copied and what is proved can't differ.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from crossdock.core.errors import SourceError
from crossdock.core.tables import Column, Row, Table
from crossdock.wordpress import catalogue
from crossdock.wordpress.catalogue import Scope
from crossdock.wordpress.people import People
from crossdock.wordpress.rewriting import Rewriter
from crossdock.wordpress.sitemap import USERMETA_FACTOR, Destination, SiteMap, StoreMap

# Reasons for a row to be declared as left behind.
REBUILT = "rebuilt by the target (transients, rewrite rules)"
MERGED = "user merged into the account of an earlier store"
SIGNED_OUT = "login sessions end with the move"
OTHER_BLOG = "belongs to a blog that is not moved"
STALE_RIGHTS = "rights under a prefix that is not this WordPress's and means another blog in the target"

_KEY_LIMIT = 255  # characters: meta_key is varchar(255)
_ARGS_LIMIT = 191  # bytes: longer Action Scheduler arguments stand in extended_args, and their MD5 in args
_LONGEST_ID = 18  # digits: more is no user's ID but a guest's random session key
# A user's ID under a name that says so, in JSON that is not itself inside a JSON string.
_USER_ARGUMENT = re.compile(rb'("(?:user_id|customer_id)"\s*:\s*)("?)(\d{1,18})\2(?=\s*[,}])')


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


_NOBODY = (None, b"0")
_MOST_REMEMBERED = 100_000


class _Remembered(dict[bytes | None, bytes | None]):
    """A function's answers: the same few thousand users own most rows."""

    def __init__(self, ask: Callable[[bytes | None], bytes | None]) -> None:
        self._ask = ask

    def __missing__(self, value: bytes | None) -> bytes | None:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        answer = self[value] = self._ask(value)
        return answer


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
        self._users = _Remembered(self.user_id)
        self._steps = _steps(self, entry.keyed if entry else None)
        self._finish = _finish(self)

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Target rows for source rows, in order; rows left behind are gone and counted in `tally`."""
        kept: list[Row] = list(rows)
        for step in self._steps:
            kept = step(kept)
        kept = self._finish(rows, self._rewrite(self._map_users(kept)))
        self.tally.rows_source += len(rows)
        self.tally.rows_target += len(kept)
        return kept

    def user_id(self, value: bytes | None) -> bytes | None:
        """A user-ID value through the map; anything that is no number stays as it is.

        Errors: SourceError for an ID beyond the server's headroom: in the target it would be another server's user.
        """
        if value is None or not value.isdigit() or len(value) > _LONGEST_ID:
            return value
        number = int(value)
        if self._is_beyond(number):
            raise SourceError(
                f"{number} stands for a user and lies beyond the headroom of {self._site.headroom} user IDs",
                where=f"{self._site.server}.{self.table.name}",
                way_out="mend the row, or raise network.headroom above it, and plan again",
            )
        return b"%d" % self._people.target_id(number)

    def named_user(self, value: bytes) -> bytes:
        """The same for a number that is a user's ID by its name only: one beyond the headroom is something else."""
        number = int(value)
        return value if self._is_beyond(number) else b"%d" % self._people.target_id(number)

    def _is_beyond(self, number: int) -> bool:
        return 0 < self._site.headroom <= number

    # -- steps ---------------------------------------------------------------------------------------------------

    def _map_users(self, rows: list[Row]) -> list[Row]:
        users = self._users
        for number in self._user_columns:
            rows = [
                row if row[number] in _NOBODY else (*row[:number], users[row[number]], *row[number + 1 :])
                for row in rows
            ]
        return rows

    def _rewrite(self, rows: list[Row]) -> list[Row]:
        changed: dict[int, dict[int, bytes]] = {}
        columns = list(zip(*rows, strict=True))
        for number in self._text_columns if rows else ():
            values = columns[number]
            hits = self._rewriter.hits(values)
            if number in self._blobs:
                hits = [hit for hit in hits if is_text(values[hit] or b"")]
            for hit in hits:
                before = values[hit] or b""
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
Finish = Callable[[Sequence[Row], list[Row]], list[Row]]


def _steps(transform: TableTransform, keyed: tuple[str, str] | None) -> list[Step]:
    """The table's own steps, before user columns and addresses are mapped."""
    base, scope = transform.destination.base, transform.destination.scope
    index = transform._index
    if keyed and not {*keyed} <= index.keys():
        missing = ", ".join(sorted({*keyed} - index.keys()))
        raise SourceError(f"the table lacks WordPress's columns {missing}", where=transform.table.name)
    if base == "users" and scope is Scope.PEOPLE:
        return [_users(transform)]
    if base == "usermeta" and scope is Scope.PEOPLE and keyed:
        return [_usermeta(transform, index["user_id"], index[keyed[0]], index[keyed[1]])]
    if base == "options" and keyed:
        return [_options(transform, index[keyed[0]])]
    if base in ("postmeta", "wc_orders_meta") and keyed:
        return [_postmeta(transform, index[keyed[0]], index[keyed[1]])]
    if base == "woocommerce_sessions" and "session_key" in index:
        return [_map_column(index["session_key"], transform.user_id)]
    if base == "actionscheduler_actions":
        return [_map_column(index[name], _scheduled(transform)) for name in ("args", "extended_args") if name in index]
    return []


def _finish(transform: TableTransform) -> Finish:
    """What is done last, when addresses are rewritten. It sees the source's rows, too."""
    base, index = transform.destination.base, transform._index
    store = transform.destination.store
    if base == "options" and store is not None:
        return _fixed_options(store, index["option_name"], index["option_value"])
    if base == "actionscheduler_actions" and {"args", "extended_args"} <= index.keys():
        return _hashed_arguments(index["args"], index["extended_args"])
    return lambda _, rows: rows


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
            value = keys.value(key, row[value_at])
            if renamed is None or (value is None and row[value_at] is not None):
                transform.leave(OTHER_BLOG)
                continue
            if keys.is_stale_right(key, scoped):
                transform.leave(STALE_RIGHTS)
                continue
            if user in people.merged and not scoped:
                # The first account keeps the shared keys; the later store's values stay under the store's name.
                renamed = _shortened(b"_crossdock_%s_" % site.server.encode() + renamed)
            cells = list(row)
            cells[id_at] = b"%d" % _usermeta_id(transform, int(row[id_at] or 0))
            if row[key_at] is not None:
                cells[key_at] = renamed
            cells[value_at] = value
            made.append(tuple(cells))
        return made

    return step


def _usermeta_id(transform: TableTransform, source_id: int) -> int:
    site = transform._site
    limit = site.headroom * USERMETA_FACTOR
    if 0 < limit <= source_id:
        raise SourceError(
            f"umeta_id {source_id} lies beyond the server's range of {limit}",
            where=f"{site.server}.{transform.table.name}",
            way_out="raise network.headroom and plan again",
        )
    return site.usermeta_base + source_id


def _shortened(key: bytes) -> bytes:
    """A key that fits its column; a cut one ends in a hash, so that two keys never become one."""
    text = key.decode("utf-8", "surrogateescape")
    if len(text) <= _KEY_LIMIT:
        return key
    mark = "~" + hashlib.sha256(key).hexdigest()[:12]
    return (text[: _KEY_LIMIT - len(mark)] + mark).encode("utf-8", "surrogateescape")


class _UserKeys:
    """Renames usermeta keys that carry a blog's prefix or number."""

    def __init__(self, site: SiteMap) -> None:
        by_length = sorted(site.stores, key=lambda store: -len(store.source_prefix))
        self._prefixes = [(one.source_prefix.encode(), one.target_prefix.encode()) for one in by_length]
        self._base = site.source_base_prefix.encode()
        self._has_numbers = site.source_blogs != (1,)
        self._blogs = {str(one.source_blog).encode(): str(one.target_blog).encode() for one in site.stores}
        self._domains = {
            urlsplit(url).netloc.lower().encode(): urlsplit(one.target_url).netloc.encode()
            for one in site.stores
            for url in one.source_urls
        }
        rights = b"|".join(sorted(catalogue.RIGHTS_USER_KEYS))
        there = re.escape(site.target_base_prefix.encode())
        self._rights = re.compile(rb"%s(?:\d+_)?(?:%s)\s*" % (there, rights), re.IGNORECASE)
        self._seen: dict[bytes, tuple[bytes | None, bool]] = {}

    def target(self, key: bytes) -> tuple[bytes | None, bool]:
        """(new key, belongs to one blog); (None, True) when it belongs to a blog that is not moved."""
        found = self._seen.get(key)
        if found is None:
            found = self._target(key)
            if len(self._seen) < 10_000:
                self._seen[key] = found
        return found

    def value(self, key: bytes, value: bytes | None) -> bytes | None:
        """A value that names a blog, for the target; None when that blog is not moved."""
        if key == b"primary_blog":
            return self._blogs.get(value or b"")
        if key == b"source_domain":
            return self._domains.get((value or b"").lower())
        return value

    def is_stale_right(self, key: bytes, scoped: bool) -> bool:
        """Whether a key that is nobody's here (left from an earlier prefix) would give rights in a blog there."""
        return not scoped and self._rights.fullmatch(key) is not None

    def _target(self, key: bytes) -> tuple[bytes | None, bool]:
        if key.startswith(catalogue.CART_KEY):
            number = key[len(catalogue.CART_KEY) :]
            return (catalogue.CART_KEY + self._blogs[number], True) if number in self._blogs else (None, True)
        for stem in catalogue.SUFFIXED_USER_KEYS:
            if key.startswith(stem):
                return self._suffixed(stem, key[len(stem) :])
        if not key.startswith(self._base):
            return key, False
        digits, underscore, _ = key[len(self._base) :].partition(b"_")
        of_number = self._has_numbers and bool(underscore) and digits.isdigit()
        for source, target in self._prefixes:
            if key.startswith(source) and not (source == self._base and of_number):
                return target + key[len(source) :], True
        # The first blog's, which is not moved: kept as it is, it would give rights in the network's main site.
        return None, True

    def _suffixed(self, stem: bytes, prefix: bytes) -> tuple[bytes | None, bool]:
        for source, target in self._prefixes:
            if source.rstrip(b"_") == prefix:
                return stem + target.rstrip(b"_"), True
        return None, True


def _options(transform: TableTransform, name_at: int) -> Step:
    store = transform.destination.store
    renamed = {catalogue.CRON_OPTION: catalogue.HELD_CRON_OPTION}
    if store is not None:
        renamed[store.source_prefix.encode() + b"user_roles"] = store.target_prefix.encode() + b"user_roles"

    def step(rows: list[Row]) -> list[Row]:
        made: list[Row] = []
        for row in rows:
            name = row[name_at] or b""
            if catalogue.is_rebuilt_option(name):
                transform.leave(REBUILT)
                continue
            made.append((*row[:name_at], renamed[name], *row[name_at + 1 :]) if name in renamed else row)
        return made

    return step


def _fixed_options(store: StoreMap, name_at: int, value_at: int) -> Finish:
    """Options that the plan decides. Set last: the target's own address may be another store's source address."""
    url = store.target_url.encode()
    fixed = {b"siteurl": url, b"home": url, b"upload_path": b"", b"upload_url_path": b""}
    if not store.public:
        fixed[b"blog_public"] = b"0"  # production keeps what the store had

    def finish(_: Sequence[Row], rows: list[Row]) -> list[Row]:
        return [
            (*row[:value_at], fixed[name], *row[value_at + 1 :]) if (name := row[name_at] or b"") in fixed else row
            for row in rows
        ]

    return finish


def _postmeta(transform: TableTransform, key_at: int, value_at: int) -> Step:
    def changed(key: bytes | None, value: bytes | None) -> bytes | None:
        if key in catalogue.EDIT_LOCK_KEYS:
            stamp, colon, user = (value or b"").partition(b":")
            return stamp + colon + (transform.user_id(user) or b"") if colon else value
        return transform.user_id(value)

    def step(rows: list[Row]) -> list[Row]:
        special = {key for key in {row[key_at] for row in rows} if catalogue.holds_user(key)}
        if not special:
            return rows
        return [
            (*row[:value_at], changed(row[key_at], row[value_at]), *row[value_at + 1 :])
            if row[key_at] in special
            else row
            for row in rows
        ]

    return step


def _scheduled(transform: TableTransform) -> Callable[[bytes | None], bytes | None]:
    """Action Scheduler arguments: user IDs under a name that says so; everything else byte-exact."""

    def mapped(found: re.Match[bytes]) -> bytes:
        return found[1] + found[2] + transform.named_user(found[3]) + found[2]

    return lambda value: _USER_ARGUMENT.sub(mapped, value) if value else value


def _hashed_arguments(args_at: int, extended_at: int) -> Finish:
    """Arguments in the column that Action Scheduler looks for them in (ActionScheduler_DBStore::get_args_for_query)."""

    def placed(source: Row, row: Row) -> Row:
        extended = source[extended_at]
        before, after = extended or source[args_at], row[extended_at] or row[args_at]
        if before == after or after is None or (extended and source[args_at] != _md5(extended)):
            return row
        cells = list(row)
        fits = len(after) <= _ARGS_LIMIT
        cells[args_at], cells[extended_at] = (after, None) if fits else (_md5(after), after)
        return tuple(cells)

    return lambda rows, made: [placed(source, row) for source, row in zip(rows, made, strict=True)]


def _md5(value: bytes) -> bytes:
    return hashlib.md5(value, usedforsecurity=False).hexdigest().encode()


def is_text(value: bytes, encoding: str = "utf-8") -> bool:
    """A blob is rewritten only when it is text: in anything else a changed length would break it."""
    # Serialized objects hold NUL around private names; other data with NUL is no text.
    if b"\0" in value and value[:2] not in (b"a:", b"O:", b"C:", b"s:"):
        return False
    try:
        value.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
