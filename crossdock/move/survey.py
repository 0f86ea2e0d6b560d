"""Asks the sources and the target what is there. Reads only; decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from crossdock.core.errors import AccessError, ConnectionLost, SourceError, TargetError
from crossdock.core.ports import Database, ServerFacts, Session, Shell, Web
from crossdock.core.tables import Schema
from crossdock.move import ledger
from crossdock.wordpress.ddl import quoted
from crossdock.wordpress.installation import Blog, Installation, blog_prefix
from crossdock.wordpress.people import SourceUser

_BLOG_OPTIONS = (
    "siteurl", "home", "blogname", "stylesheet", "template", "upload_path", "upload_url_path", "active_plugins",
    "db_version", "WPLANG", "woocommerce_currency", "show_on_front",
)  # fmt: skip
_SOURCE_VARIABLES = (
    "log_bin", "binlog_format", "binlog_row_image", "gtid_domain_id", "read_only", "max_allowed_packet",
    "character_set_server", "lower_case_table_names", "version_comment",
)  # fmt: skip
_TARGET_VARIABLES = (
    "local_infile", "max_allowed_packet", "read_only", "lower_case_table_names", "log_bin",
    "log_bin_trust_function_creators", "innodb_strict_mode", "version_comment",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One source server as the move reaches it."""

    name: str
    shell: Shell
    database: Database
    installation: Installation
    transport: str = ""


@dataclass(frozen=True)
class Target:
    """One environment of the target as the move reaches it."""

    environment: str
    shell: Shell
    database: Database
    installation: Installation
    web: Web
    transport: str = ""
    scheme: str = "https"


@dataclass(frozen=True)
class SourceFacts:
    """What one source server holds. `users` stays in memory: it never enters a plan, a receipt or a file.
    `broken_views`: name -> why the server itself can't read it."""

    server: str
    transport: str
    installation: Installation
    schema: Schema
    mysql: ServerFacts
    blogs: tuple[Blog, ...]
    users: tuple[SourceUser, ...] = field(repr=False, default=())
    broken_views: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TargetFacts:
    """What one environment holds: `occupied` says why it is not the empty network the host gave us; `claimed_by` is the
    digest of the plan whose copy is in it; `first_free_blog` is the lowest blog number never given out."""

    environment: str
    transport: str
    scheme: str
    installation: Installation
    mysql: ServerFacts
    network_id: int
    network_domain: str
    first_free_blog: int
    largest_user: int
    occupied: tuple[str, ...] = ()
    claimed_by: str = ""
    host_users: tuple[SourceUser, ...] = field(repr=False, default=())


def survey_source(source: Source) -> SourceFacts:
    """Facts of one source. Read-only: the session is, and nothing is run on the server but reads.

    Errors: SourceError when the tables that the configuration names are not there.
    """
    session = source.database.open_source()
    try:
        prefix = source.installation.table_prefix
        schema = session.schema()
        if schema.table(prefix + "options") is None:
            raise SourceError(
                f"no table {prefix}options in database {source.installation.db_name or '(none named)'}",
                where=source.name,
                way_out="check $table_prefix and DB_NAME in wp-config.php, and the account's grants",
            )
        return SourceFacts(
            source.name,
            source.transport,
            source.installation,
            schema,
            session.server(_SOURCE_VARIABLES),
            read_blogs(session, schema, source.installation),
            tuple(read_users(session, prefix)),
            broken_views(session, schema),
        )
    finally:
        session.close()


def other_databases(database: Database) -> list[tuple[str, int, int]]:
    """Every schema that the account sees, with its tables and bytes. Errors: AccessError."""
    session = database.open_source()
    try:
        rows = session.query(
            "SELECT TABLE_SCHEMA, COUNT(*), SUM(DATA_LENGTH + INDEX_LENGTH) FROM information_schema.TABLES "
            "GROUP BY TABLE_SCHEMA"
        )
        return [(text(row[0]), int(row[1] or 0), int(float(row[2] or 0))) for row in rows]
    finally:
        session.close()


def broken_views(session: Session, schema: Schema) -> dict[str, str]:
    """Views over tables or columns that are gone. One whose definer alone is gone will do: the target's is another."""
    found: dict[str, str] = {}
    for code in schema.stored_code:
        if code.kind != "view":
            continue
        try:
            session.query(f"SELECT 1 FROM {quoted(code.name)} LIMIT 0")
        except SourceError as error:
            if "(error 1449)" not in error.what:
                found[code.name] = error.what
        except ConnectionLost:
            raise
        except AccessError:
            pass  # its definer is gone or lacks rights, which the target's own account will not
    return found


def survey_target(target: Target) -> TargetFacts:
    """Facts of one environment. Errors: TargetError when it is no WordPress multisite."""
    here = target.installation
    where = f"environment {target.environment}"
    if not here.multisite:
        raise TargetError("the target is no WordPress multisite", where=where, way_out="ask the host to make it one")
    session = target.database.open_target()
    try:
        prefix = here.table_prefix
        names = {text(row[0]) for row in session.query("SHOW TABLES")}
        if prefix + "blogs" not in names:
            raise TargetError(f"no table {prefix}blogs", where=where, way_out="check $table_prefix in wp-config.php")
        claim = ledger.read_claim(session) if ledger.CLAIM in names else None
        blogs = session.query(f"SELECT blog_id FROM {quoted(prefix + 'blogs')} ORDER BY blog_id")
        site = session.query(f"SELECT id, domain FROM {quoted(prefix + 'site')} ORDER BY id LIMIT 1")
        largest = session.query(f"SELECT MAX(ID) FROM {quoted(prefix + 'users')}")[0][0]
        return TargetFacts(
            target.environment,
            target.transport,
            target.scheme,
            here,
            session.server(_TARGET_VARIABLES),
            int(site[0][0] or 1),
            text(site[0][1]),
            claim.first_blog if claim else _first_free_blog(session, prefix),
            claim.largest_host_user if claim else int(largest or 0),
            () if claim else _occupied(names, [int(row[0] or 0) for row in blogs], prefix),
            claim.plan if claim else "",
            tuple(user for user in read_users(session, prefix) if claim is None or user.id <= claim.largest_host_user),
        )
    finally:
        session.close()


def read_users(session: Session, prefix: str) -> list[SourceUser]:
    """Everybody in a users table, by ID."""
    rows: list[SourceUser] = []
    sql = (
        "SELECT ID, CONVERT(user_login USING utf8mb4), CONVERT(user_nicename USING utf8mb4), "
        f"CONVERT(user_email USING utf8mb4) FROM {quoted(prefix + 'users')} ORDER BY ID"
    )
    for batch in session.stream(sql):
        rows.extend(SourceUser(int(row[0] or 0), text(row[1]), text(row[2]), text(row[3])) for row in batch)
    return rows


def text(value: bytes | None) -> str:
    """A column's bytes as text; NULL is empty."""
    return (value or b"").decode("utf-8", "surrogateescape")


def _first_free_blog(session: Session, prefix: str) -> int:
    status = session.query("SHOW TABLE STATUS WHERE Name = %s", (prefix + "blogs",))
    counter = int(status[0][10] or 0) if status else 0
    largest = int(session.query(f"SELECT MAX(blog_id) FROM {quoted(prefix + 'blogs')}")[0][0] or 1)
    return max(counter, largest + 1, 2)


def _occupied(names: set[str], blogs: list[int], prefix: str) -> tuple[str, ...]:
    reasons = [f"blog {number} exists" for number in blogs if number != 1]
    sites = sorted(name for name in names if name.startswith(prefix) and name[len(prefix) :].split("_")[0].isdigit())
    if sites and not reasons:
        reasons.append(f"tables of a blog exist: {', '.join(sites[:3])}")
    return tuple(reasons)


def read_blogs(session: Session, schema: Schema, here: Installation) -> tuple[Blog, ...]:
    """Every blog of an installation, with the options that matter here."""
    if not here.multisite:
        options = _options(session, here.table_prefix)
        address = urlsplit(options.get("home") or options.get("siteurl", ""))
        return (Blog(1, here.table_prefix, address.netloc, (address.path.rstrip("/") or "") + "/", options),)
    found: list[Blog] = []
    columns = ("public", "archived", "mature", "spam", "deleted", "lang_id", "registered")
    rows = session.query(
        f"SELECT blog_id, domain, path, {', '.join(columns)} FROM {quoted(here.table_prefix + 'blogs')} "
        "ORDER BY blog_id"
    )
    for row in rows:
        number = int(row[0] or 0)
        prefix = blog_prefix(here.table_prefix, number)
        if schema.table(prefix + "options") is None:
            continue  # a deleted blog whose row stayed behind
        flags = dict(zip(columns, (text(value) for value in row[3:]), strict=True))
        found.append(Blog(number, prefix, text(row[1]), text(row[2]), _options(session, prefix), flags))
    return tuple(found)


def _options(session: Session, prefix: str) -> dict[str, str]:
    marks = ", ".join(["%s"] * len(_BLOG_OPTIONS))
    rows: Sequence[tuple[bytes | None, ...]] = session.query(
        f"SELECT option_name, CONVERT(option_value USING utf8mb4) FROM {quoted(prefix + 'options')} "
        f"WHERE option_name IN ({marks})",
        _BLOG_OPTIONS,
    )
    return {text(row[0]): text(row[1]) for row in rows}
