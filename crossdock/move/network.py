"""The network's own rows: each blog's entry, the limits that would bite, the counters. And taking all of it back."""

from __future__ import annotations

from datetime import UTC, datetime

from crossdock.core.errors import TargetError
from crossdock.core.ports import Session
from crossdock.move import ledger
from crossdock.move.order import Order
from crossdock.move.survey import text
from crossdock.wordpress.ddl import quoted
from crossdock.wordpress.sitemap import USERMETA_FACTOR

# Fresh networks allow uploads of 1500 KB and 100 MB a site: images of a moved store would be refused.
_SITEMETA = {"fileupload_maxk": "1048576", "upload_space_check_disabled": "1"}
_FLAGS = ("public", "archived", "mature", "spam", "deleted", "lang_id")


def write(order: Order, session: Session, generation: int) -> None:
    """Writes the network rows, in one transaction, once: what is there already stays."""
    net = order.plan.network(order.environment)
    _raise_counters(order, session)
    ledger.fence(session, generation)
    blogs = quoted(net.prefix + "blogs")
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    for site in order.plan.sites(order.environment):
        facts = next(one for one in order.facts if one.server == site.server)
        for store in site.stores:
            blog = next(one for one in facts.blogs if one.number == store.source_blog)
            flags = {name: blog.flags.get(name, "0") for name in _FLAGS}
            if not blog.flags:
                flags["public"] = "1"
            flags["public"] = flags["public"] if store.public else "0"
            domain = store.target_url.split("://", 1)[1]
            ledger.remember(session, f"blog {store.target_blog}", None)
            session.execute(
                f"INSERT IGNORE INTO {blogs} (blog_id, site_id, domain, path, registered, last_updated, "
                f"{', '.join(_FLAGS)}) VALUES (%s, %s, %s, '/', %s, %s, {', '.join(['%s'] * len(_FLAGS))})",
                (
                    store.target_blog, net.network_id, domain, blog.flags.get("registered", now), now,
                    *(int(flags[name] or 0) for name in _FLAGS),
                ),
            )  # fmt: skip
    _sitemeta(session, net.prefix, net.network_id)
    session.execute("COMMIT")


def _sitemeta(session: Session, prefix: str, network_id: int) -> None:
    table = quoted(prefix + "sitemeta")
    blogs = session.query(f"SELECT COUNT(*) FROM {quoted(prefix + 'blogs')} WHERE deleted = 0")[0][0]
    users = session.query(f"SELECT COUNT(*) FROM {quoted(prefix + 'users')}")[0][0]
    wanted = _SITEMETA | {"blog_count": text(blogs), "user_count": text(users)}
    for key, value in wanted.items():
        rows = session.query(f"SELECT meta_value FROM {table} WHERE site_id = %s AND meta_key = %s", (network_id, key))
        ledger.remember(session, f"sitemeta {network_id} {key}", text(rows[0][0]) if rows else None)
        if rows:
            session.execute(
                f"UPDATE {table} SET meta_value = %s WHERE site_id = %s AND meta_key = %s", (value, network_id, key)
            )
        else:
            session.execute(
                f"INSERT INTO {table} (site_id, meta_key, meta_value) VALUES (%s, %s, %s)", (network_id, key, value)
            )


def _raise_counters(order: Order, session: Session) -> None:
    """New users and their meta get IDs above every server's range."""
    prefix = order.plan.network(order.environment).prefix
    above = (len(order.facts) + 1) * order.plan.headroom
    for table, value in ((prefix + "users", above), (prefix + "usermeta", above * USERMETA_FACTOR)):
        if _counter(session, table) < value:
            session.execute(f"ALTER TABLE {quoted(table)} AUTO_INCREMENT = {value}")


def remember_counters(order: Order, session: Session, generation: int) -> None:
    """Keeps the host's own counters, before the first row of ours raises one."""
    ledger.fence(session, generation)
    for name in ("users", "usermeta", "blogs", "sitemeta"):
        table = order.plan.network(order.environment).prefix + name
        ledger.remember(session, f"counter {table}", str(_counter(session, table)))
    session.execute("COMMIT")


def _counter(session: Session, table: str) -> int:
    status = session.query("SHOW TABLE STATUS WHERE Name = %s", (table,))
    return int(text(status[0][10]) or 0) if status else 0


def discard(environment: str, prefix: str, session: Session) -> int:
    """Takes a copy out of the target again, by what the ledger holds: its tables, views, people and network rows.
    Returns the tables dropped. Stopped half way, the same call goes on; nothing else will use what is left by then.

    Errors: TargetError when there is no copy of ours, LockedError while a run works on it.
    """
    ledger.lock(session, environment)
    names = {text(row[0]) for row in session.query("SHOW TABLES")}
    claim = ledger.read_claim(session) if ledger.CLAIM in names else None
    if claim is None:
        raise TargetError("there is no copy of ours in it", where=f"environment {environment}")
    ledger.begin_discard(session)
    session.execute("SET SESSION foreign_key_checks = 0")
    dropped = 0
    for what, _ in ledger.undo_entries(session):
        if what.startswith("view "):
            session.execute(f"DROP VIEW IF EXISTS {quoted(what[5:])}")
    for target in ledger.own_tables(session):
        session.execute(f"DROP TABLE IF EXISTS {quoted(target)}")
        dropped += 1
    session.execute("START TRANSACTION")
    session.execute(f"DELETE FROM {quoted(prefix + 'usermeta')} WHERE user_id > %s", (claim.largest_host_user,))
    session.execute(f"DELETE FROM {quoted(prefix + 'users')} WHERE ID > %s", (claim.largest_host_user,))
    for what, before in ledger.undo_entries(session):
        _undo(session, prefix, what, before)
    session.execute("COMMIT")
    for what, before in ledger.undo_entries(session):
        if what.startswith("counter ") and before:
            session.execute(f"ALTER TABLE {quoted(what[8:])} AUTO_INCREMENT = {int(before)}")
    ledger.drop(session)
    return dropped


def _undo(session: Session, prefix: str, what: str, before: str | None) -> None:
    kind, _, rest = what.partition(" ")
    if kind == "blog":
        session.execute(f"DELETE FROM {quoted(prefix + 'blogs')} WHERE blog_id = %s", (int(rest),))
    elif kind == "sitemeta":
        network_id, _, key = rest.partition(" ")
        table = quoted(prefix + "sitemeta")
        if before is None:
            session.execute(f"DELETE FROM {table} WHERE site_id = %s AND meta_key = %s", (int(network_id), key))
        else:
            sql = f"UPDATE {table} SET meta_value = %s WHERE site_id = %s AND meta_key = %s"
            session.execute(sql, (before, int(network_id), key))
