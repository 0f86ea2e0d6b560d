"""What the survey means for the move: findings, with the questions that a person must answer. Pure."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

from crossdock.core.config import Config, Store
from crossdock.core.errors import SourceError
from crossdock.core.evidence import Finding, Level, digest_of
from crossdock.core.tables import Table
from crossdock.move.survey import SourceFacts, TargetFacts
from crossdock.wordpress import catalogue, ddl
from crossdock.wordpress.installation import Blog, blog_prefix
from crossdock.wordpress.people import Placement, email_key, login_key

_NAME_LIMIT = 64
CODE_MADE_AGAIN = ("view", "trigger")
_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")
_NEEDED = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "REFERENCES")


def findings(config: Config, sources: Sequence[SourceFacts], targets: Sequence[TargetFacts]) -> list[Finding]:
    """Everything worth telling, blocks first. A block stops the plan until its decision stands in [decisions]."""
    decisions = _Decisions(config)
    found: list[Finding] = []
    for facts in sources:
        stores = [store for store in config.stores if store.server == facts.server]
        found += _server(facts, stores)
        found += _tables(facts, stores, decisions)
        found += _code(facts, stores, decisions)
        found += _against_target(facts, targets)
        found += _names(facts, targets, len(config.stores))
        found += _users_within(facts, config.network.headroom)
    for target in targets:
        found += _target(target, config.network.headroom)
    found += _across(sources)
    found += decisions.leftovers()
    order = list(Level)
    return sorted(found, key=lambda one: (order.index(one.level), one.code, one.place))


class _Decisions:
    """Looks decisions up and remembers which were used."""

    def __init__(self, config: Config) -> None:
        self._given = config.decisions
        self._used: set[str] = set()
        self._file = str(config.path)

    def ask(self, key: str, choices: tuple[str, ...], code: str, place: str, text: str) -> tuple[str, list[Finding]]:
        """The choice made ('' while open), and the findings that follow."""
        self._used.add(key)
        given = self._given.get(key)
        answer = f'{{ choice = "{"|".join(choices)}", by = "...", reason = "..." }}'
        way_out = f'in {self._file} under [decisions]: "{key}" = {answer}'
        if given is None:
            return "", [Finding(code, Level.BLOCK, place, text, way_out, {"decision": key, "choices": list(choices)})]
        if given.choice not in choices:
            wrong = f'decision "{key}" says {given.choice}; possible: {", ".join(choices)}'
            return "", [Finding("decision.invalid", Level.BLOCK, place, wrong, way_out)]
        told = f"decided: {given.choice}, by {given.by or 'nobody named'} ({given.reason or 'no reason given'})"
        data = {"decision": key, "choice": given.choice, "by": given.by, "reason": given.reason}
        return given.choice, [Finding(code, Level.INFO, place, f"{text}; {told}", data=data)]

    def is_given(self, key: str) -> bool:
        return key in self._given

    def choice(self, key: str) -> str:
        """What was chosen under a key, without asking."""
        given = self._given.get(key)
        return given.choice if given else ""

    def leftovers(self) -> Iterable[Finding]:
        for key in sorted(set(self._given) - self._used):
            text = f'decision "{key}" answers no question'
            yield Finding("decision.unused", Level.WARN, self._file, text, "remove it, or mend its name")


def decided(config: Config, key: str) -> str:
    """The choice that stands under a decision key, or ''."""
    given = config.decisions.get(key)
    return given.choice if given else ""


def left_tables(config: Config, facts: SourceFacts) -> tuple[str, ...]:
    """Tables that a decision leaves behind. A table that the catalogue knows can't be left."""
    base = facts.installation.table_prefix
    return tuple(
        table.name
        for table in facts.schema.tables
        if catalogue.known(owner_of(table.name, base, facts.blogs)[1]) is None
        and decided(config, f"table:{facts.server}:{table.name}") == "leave"
    )


def user_columns(config: Config, facts: SourceFacts) -> tuple[tuple[str, str], ...]:
    """(table, column) that hold user IDs by decision."""
    base = facts.installation.table_prefix
    return tuple(
        (table.name, column)
        for table in facts.schema.tables
        for column in _askable(owner_of(table.name, base, facts.blogs)[1], table)
        if decided(config, f"column:{facts.server}:{table.name}.{column}") == "user"
    )


def _askable(name: str, table: Table) -> tuple[str, ...]:
    """Columns that a decision can speak of: those that are asked about, and any of a table that nobody knows."""
    if catalogue.known(name) is None:
        return tuple(column.name for column in table.stored_columns)
    return catalogue.open_columns(name, table)


# -- one source ------------------------------------------------------------------------------------------------------


def _server(facts: SourceFacts, stores: Sequence[Store]) -> Iterable[Finding]:
    numbers = {blog.number for blog in facts.blogs}
    for store in stores:
        if store.blog not in numbers:
            text = f"store {store.name}: blog {store.blog} is not on the server; there: {sorted(numbers)}"
            yield Finding("store.missing", Level.BLOCK, facts.server, text, "mend `blog` of this store")
    if "MariaDB" not in facts.mysql.version and "mariadb" not in facts.mysql.version.lower():
        text = f"MySQL {facts.mysql.version} as a source is not proved yet"
        yield Finding("mysql.unproved", Level.BLOCK, facts.server, text, "move it from a MariaDB replica")
    variables = facts.mysql.variables
    if variables.get("log_bin", "OFF").upper() not in ("ON", "1"):
        text = "the binary log is off: live changes will need the trigger log"
        yield Finding("binlog.off", Level.WARN, facts.server, text)
    elif variables.get("binlog_format") != "ROW" or variables.get("binlog_row_image", "FULL") != "FULL":
        text = f"binlog_format is {variables.get('binlog_format')}, row image {variables.get('binlog_row_image')}"
        yield Finding("binlog.format", Level.WARN, facts.server, text, "set ROW and FULL before following live changes")


def _users_within(facts: SourceFacts, headroom: int) -> Iterable[Finding]:
    if any(user.id <= 0 for user in facts.users):
        text = "a user has the ID 0, which means nobody"
        yield Finding("user.zero", Level.BLOCK, facts.server, text, "give the user another ID, or delete the row")
    beyond = [user.id for user in facts.users if user.id >= headroom]
    if beyond:
        text = f"{len(beyond)} user IDs lie beyond the headroom of {headroom} (largest: {max(beyond)})"
        yield Finding("user.beyond-headroom", Level.BLOCK, facts.server, text, "raise network.headroom")
    keys = [email_key(user.email) for user in facts.users if user.email]
    doubles = len(keys) - len(set(keys))
    if doubles:
        text = f"{doubles} users share an e-mail address with another user of the same server: they stay separate"
        yield Finding("user.same-email", Level.WARN, facts.server, text)


def _tables(facts: SourceFacts, stores: Sequence[Store], decisions: _Decisions) -> Iterable[Finding]:
    base = facts.installation.table_prefix
    moved = {store.blog for store in stores}
    unlisted = {blog.number for blog in facts.blogs} - moved
    for number in sorted(unlisted):
        key = f"blog:{facts.server}:{number}"
        place = f"{facts.server}: blog {number}"
        yield from decisions.ask(key, ("leave",), "blog.unlisted", place, "no store moves this blog")[1]
    for table in facts.schema.tables:
        place = f"{facts.server}.{table.name}"
        owner, name = owner_of(table.name, base, facts.blogs)
        if owner is None and name == "":
            key = f"table:{facts.server}:{table.name}"
            text = f"the table has not the prefix {base} of this WordPress"
            yield from decisions.ask(key, ("leave",), "table.foreign", place, text)[1]
        elif owner is None or owner.number in moved:
            carried = yield from _table(facts.server, table, name, place, decisions)
            if carried:
                yield from _references(facts, table, place, stores, decisions)


def owner_of(table: str, base_prefix: str, blogs: Sequence[Blog]) -> tuple[Blog | None, str]:
    """(blog that owns the table, its name without prefix); no blog for shared tables; no name for foreign tables."""
    if not table.startswith(base_prefix):
        return None, ""
    name = table[len(base_prefix) :]
    entry = catalogue.known(name)
    if entry is not None and entry.scope is not catalogue.Scope.BLOG:
        return None, name
    match = re.match(r"(\d+)_(.+)$", name)
    for blog in blogs:
        if match and blog.number == int(match[1]) and blog.prefix == blog_prefix(base_prefix, blog.number):
            return blog, match[2]
    first = next((blog for blog in blogs if blog.prefix == base_prefix), None)
    return first, name


def _table(server: str, table: Table, name: str, place: str, decisions: _Decisions) -> Generator[Finding, None, bool]:
    """Yields findings; returns whether the table is carried."""
    choice, entry = "carry", catalogue.known(name)
    if entry is not None and entry.scope is catalogue.Scope.NETWORK:
        return False
    if entry is None:
        columns = ", ".join(column.name for column in table.columns[:8])
        text = f"the catalogue does not know this table (columns: {columns}; about {table.rows_estimate} rows)"
        choice, told = decisions.ask(f"table:{server}:{table.name}", ("carry", "leave"), "table.unknown", place, text)
        yield from told
    if choice != "carry":
        return False
    asked = catalogue.open_columns(name, table)
    for column in _askable(name, table):
        key = f"column:{server}:{table.name}.{column}"
        if column in asked or decisions.is_given(key):
            text = f"column {column} looks like user IDs: map them, or are they plain numbers?"
            yield from decisions.ask(key, ("user", "plain"), "column.user-shaped", place, text)[1]
    yield from _storage(table, place)
    return True


def _storage(table: Table, place: str) -> Iterable[Finding]:
    """What becomes of a carried table's keys, engine and character sets."""
    try:
        ddl.table_ddl(table, lambda one: one, constraint_prefix="")
    except SourceError as error:
        yield Finding("table.ddl", Level.BLOCK, place, error.what, "change the table, or leave it behind")
    if "\n PARTITION BY " in table.create_sql:
        yield Finding("table.partitions", Level.INFO, place, "partitions are not made again")
    auto = next((column.name for column in table.columns if column.auto_increment), None)
    if auto and not any(key.columns[0] == auto for key in table.keys):
        text = f"AUTO_INCREMENT column {auto} leads no index (MyISAM only): InnoDB can't hold this table"
        yield Finding("table.composite-auto-increment", Level.BLOCK, place, text, "leave it, or change its key")
    if not table.primary_key:
        yield Finding("table.no-primary-key", Level.INFO, place, "no primary key: compared as a multiset")
    if table.engine != "InnoDB":
        yield Finding("table.engine", Level.INFO, place, f"{table.engine} becomes InnoDB")
    legacy = sorted({one.charset for one in table.columns if one.charset and one.charset not in ("utf8mb4", "ascii")})
    if legacy:
        yield Finding("table.charset", Level.INFO, place, f"{', '.join(legacy)} becomes utf8mb4")


def _across(sources: Sequence[SourceFacts]) -> Iterable[Finding]:
    counts = conflicts(sources)
    if any(counts.values()):
        text = (
            f"{counts['same_email']} people are on several servers with one e-mail address, "
            f"{counts['same_login_other_person']} logins belong to different people"
        )
        yield Finding("user.across-servers", Level.INFO, "people", text, "the plan names each decision", dict(counts))


def _references(
    facts: SourceFacts, table: Table, place: str, stores: Sequence[Store], decisions: _Decisions
) -> Iterable[Finding]:
    base, moved = facts.installation.table_prefix, {store.blog for store in stores}
    for there in ddl.references(table):
        owner, name = owner_of(there, base, facts.blogs)
        entry = catalogue.known(name)
        network = entry is not None and entry.scope is catalogue.Scope.NETWORK
        left = entry is None and decisions.choice(f"table:{facts.server}:{there}") == "leave"
        if not name or network or left or (owner is not None and owner.number not in moved):
            text = f"a foreign key refers to {there}, which is not carried"
            yield Finding("table.reference", Level.BLOCK, place, text, "leave this table behind, too, or drop the key")


def _code(facts: SourceFacts, stores: Sequence[Store], decisions: _Decisions) -> Iterable[Finding]:
    """Views and triggers: what can't be read or is not made again."""
    base, moved = facts.installation.table_prefix, {store.blog for store in stores}
    for code in facts.schema.stored_code:
        place = f"{facts.server}: {code.kind} {code.name}"
        if code.kind not in CODE_MADE_AGAIN:
            key = f"{code.kind}:{facts.server}:{code.name}"
            text = f"a {code.kind} is not made again: WordPress and WooCommerce have none"
            yield from decisions.ask(key, ("leave",), "code.other", place, text)[1]
            continue
        on = code.table or code.name
        owner, name = owner_of(on, base, facts.blogs)
        if decisions.choice(f"table:{facts.server}:{code.table}") == "leave" or (owner and owner.number not in moved):
            continue
        if not name:
            text = f"its name has not the prefix {base}: it is not made again"
            key = f"{code.kind}:{facts.server}:{code.name}"
            yield from decisions.ask(key, ("leave",), "code.foreign", place, text)[1]
        elif owner is None:
            text = f"stands on {on}, which all stores share in the target: it is not made again"
            key = f"{code.kind}:{facts.server}:{code.name}"
            yield from decisions.ask(key, ("leave",), "code.shared", place, text)[1]
        elif code.name in facts.broken_views or decisions.is_given(f"{code.kind}:{facts.server}:{code.name}"):
            why = facts.broken_views.get(code.name, "")
            text = f"the source itself can't read it: {why}" if why else "is not made again"
            key = f"{code.kind}:{facts.server}:{code.name}"
            yield from decisions.ask(key, ("leave",), "code.broken" if why else "code.left", place, text)[1]
        elif not code.create_sql:
            way_out = "grant SHOW VIEW and TRIGGER on the source's schema"
            yield Finding("code.unreadable", Level.BLOCK, place, "the account may not read its definition", way_out)
        else:
            yield Finding("code.carried", Level.INFO, place, "is made again, with the target account as its definer")


def _names(facts: SourceFacts, targets: Sequence[TargetFacts], stores: int) -> Iterable[Finding]:
    """Table names that grow beyond 64 characters."""
    base = facts.installation.table_prefix
    for target in targets:
        longest = f"{target.installation.table_prefix}{target.first_free_blog + stores}_"
        for table in facts.schema.tables:
            owner, name = owner_of(table.name, base, facts.blogs)
            if owner is not None and len(longest + name) > _NAME_LIMIT:
                text = f"its name grows longer than {_NAME_LIMIT} characters in the target"
                place = f"{facts.server}.{table.name}"
                yield Finding("table.long-name", Level.BLOCK, place, text, "rename it at the source, or drop it")


# -- the target ------------------------------------------------------------------------------------------------------


def _target(target: TargetFacts, headroom: int) -> Iterable[Finding]:
    place = f"environment {target.environment}"
    if target.largest_user >= headroom:
        text = f"the host's own users reach ID {target.largest_user}, into the first server's range"
        yield Finding("target.users", Level.BLOCK, place, text, "raise network.headroom above it")
    if target.occupied:
        text = f"the target is not empty: {'; '.join(target.occupied[:5])}"
        way_out = "empty it by the host's panel, or name an empty multisite"
        yield Finding("target.occupied", Level.BLOCK, place, text, way_out)
    grants = " ".join(target.mysql.grants).upper()
    missing = [one for one in _NEEDED if one not in grants and "ALL PRIVILEGES" not in grants]
    if missing:
        text = f"the database account lacks {', '.join(missing)}"
        yield Finding("target.grants", Level.BLOCK, place, text, "ask the host for them on this schema")
    if target.mysql.variables.get("read_only", "OFF").upper() in ("ON", "1"):
        yield Finding("target.read-only", Level.BLOCK, place, "the database is read-only", "ask the host")


def _against_target(facts: SourceFacts, targets: Sequence[TargetFacts]) -> Iterable[Finding]:
    here = facts.installation
    for target in targets:
        there = target.installation
        place = f"{facts.server} -> {target.environment}"
        if here.db_version > there.db_version:
            text = f"the source's WordPress {here.wp_version} is newer than the target's {there.wp_version}"
            yield Finding("wordpress.newer", Level.BLOCK, place, text, "update WordPress at the target")
        packet = int(target.mysql.variables.get("max_allowed_packet", "0") or 0)
        if packet < int(facts.mysql.variables.get("max_allowed_packet", "0") or 0):
            text = f"max_allowed_packet is {packet // 2**20} MiB: a row beyond it can't be written"
            yield Finding("target.packet", Level.WARN, place, text, "ask the host to raise it if such a row exists")
        hosts_own = {key for user in target.host_users if (key := email_key(user.email))}
        alike = sum(email_key(user.email) in hosts_own for user in facts.users)
        if alike:
            text = f"{alike} users have the e-mail address of one of the host's own accounts: they stay separate"
            yield Finding("user.host-email", Level.WARN, place, text, "sign-in by e-mail finds either of the two")
        for blog in facts.blogs:
            theme = blog.options.get("stylesheet", "")
            if theme and theme not in there.themes:
                text = f"theme {theme} of blog {blog.number} is not at the target yet"
                yield Finding("theme.missing", Level.WARN, place, text, "it comes with the files")


# -- people ----------------------------------------------------------------------------------------------------------


def people_findings(placements: Mapping[str, Sequence[Placement]]) -> Iterable[Finding]:
    """One line a server: how many users are merged and renamed."""
    for server, some in placements.items():
        merged = sum(one.merged for one in some)
        renamed = sum(one.renamed for one in some)
        if merged or renamed:
            text = f"{merged} users are merged into accounts of earlier stores, {renamed} are renamed"
            yield Finding("user.conflicts", Level.INFO, server, text, data={"merged": merged, "renamed": renamed})


def conflicts(facts: Sequence[SourceFacts]) -> dict[str, int]:
    """How many people are on several servers by e-mail, and how many logins belong to different people there."""
    servers: dict[str, set[str]] = {}
    holders: dict[str, set[str]] = {}
    for one in facts:
        for user in one.users:
            key = email_key(user.email)
            if key:
                servers.setdefault(key, set()).add(one.server)
            holders.setdefault(login_key(user.login), set()).add(key or f"{one.server}:{user.id}")
    return {
        "same_email": sum(len(places) > 1 for places in servers.values()),
        "same_login_other_person": sum(len(people) > 1 for people in holders.values()),
    }


# -- facts as data ---------------------------------------------------------------------------------------------------


def facts_json(sources: Sequence[SourceFacts], targets: Sequence[TargetFacts]) -> dict[str, Any]:
    """What a plan rests on, without anything that changes while stores are open: no counts, counters or people."""
    return {
        "sources": {one.server: _source_json(one) for one in sources},
        "targets": {one.environment: _target_json(one) for one in targets},
    }


def facts_digest(sources: Sequence[SourceFacts], targets: Sequence[TargetFacts]) -> str:
    return digest_of(facts_json(sources, targets))


def _source_json(facts: SourceFacts) -> dict[str, Any]:
    here = facts.installation
    return {
        "wordpress": here.wp_version,
        "php": here.php_version,
        "root": here.root,
        "content": [here.content_dir, here.content_url, here.uploads],
        "prefix": here.table_prefix,
        "charset": here.db_charset,
        "multisite": here.multisite,
        "database": facts.mysql.version,
        "log_bin": facts.mysql.variables.get("log_bin", ""),
        "blogs": [
            {"number": one.number, "prefix": one.prefix, "domain": one.domain, "path": one.path}
            | {key: one.options.get(key, "") for key in ("siteurl", "home", "upload_path", "upload_url_path")}
            for one in facts.blogs
        ],
        "tables": {table.name: _COUNTER.sub("", table.create_sql) for table in facts.schema.tables},
        "stored_code": {f"{one.kind} {one.name}": one.create_sql for one in facts.schema.stored_code},
    }


def _target_json(facts: TargetFacts) -> dict[str, Any]:
    here = facts.installation
    return {
        "wordpress": here.wp_version,
        "root": here.root,
        "prefix": here.table_prefix,
        "subdomains": here.subdomain_install,
        "network": facts.network_id,
        "domain": facts.network_domain,
        "scheme": facts.scheme,
        "first_free_blog": facts.first_free_blog,
        "database": facts.mysql.version,
    }


def changed_places(before: dict[str, Any], after: dict[str, Any], path: str = "") -> list[str]:
    """Where two fact trees differ, as dotted paths."""
    places: list[str] = []
    for key in sorted({*before, *after}):
        one, other, here = before.get(key), after.get(key), f"{path}.{key}" if path else key
        if isinstance(one, list) and isinstance(other, list):
            one, other = dict(enumerate(one)), dict(enumerate(other))
        if isinstance(one, dict) and isinstance(other, dict):
            places += changed_places(one, other, here)
        elif one != other:
            places.append(here)
    return places
