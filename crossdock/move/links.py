"""What is made when all rows are in: foreign keys, triggers, views."""

from __future__ import annotations

from crossdock.core.errors import TargetError
from crossdock.core.ports import Session
from crossdock.core.tables import Schema
from crossdock.move import ledger
from crossdock.move.order import Order
from crossdock.move.worker import constraint_prefix, renamer
from crossdock.wordpress.ddl import quoted, stored_code_ddl, table_ddl


def make(order: Order, session: Session, generation: int) -> None:
    """Makes every foreign key, trigger and view that is missing. Errors: TargetError naming the one that fails."""
    ledger.fence(session, generation)
    session.execute("COMMIT")
    for (server, source), state in ledger.tables(session).items():
        if not state.linked:
            _foreign_keys(order, session, server, source)
            ledger.mark_table(session, server, source, "linked")
            session.execute("COMMIT")
    for facts in order.facts:
        _code(order, session, facts.server, facts.schema)


def _foreign_keys(order: Order, session: Session, server: str, source: str) -> None:
    site = order.plan.site(server, order.environment)
    made = table_ddl(order.table(server, source), renamer(site), constraint_prefix=constraint_prefix(site, source))
    if not made.foreign_keys:
        return
    rows = session.query(
        "SELECT CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_TYPE = 'FOREIGN KEY' "
        "AND TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s",
        (renamer(site)(source),),
    )
    # ALTER is atomic: one of its constraints there means that all are.
    if not any(f"CONSTRAINT {quoted((row[0] or b'').decode())} " in made.foreign_keys for row in rows):
        session.execute(made.foreign_keys)


def _code(order: Order, session: Session, server: str, schema: Schema) -> None:
    site = order.plan.site(server, order.environment)
    names = {
        (one.kind, one.source): one.targets[order.environment] for one in order.plan.stored_code if one.server == server
    }
    waiting = [code for code in schema.stored_code if (code.kind, code.name) in names]
    tables = {table.name for table in schema.tables} | {one.name for one in schema.stored_code if one.kind == "view"}
    while waiting:
        failed: list[tuple[str, TargetError]] = []
        later = []
        for code in waiting:
            name = names[code.kind, code.name]
            kind = "VIEW" if code.kind == "view" else "TRIGGER"
            if kind == "VIEW":
                ledger.remember(session, f"view {name}", None)
                session.execute("COMMIT")
            session.execute(f"DROP {kind} IF EXISTS {quoted(name)}")
            try:
                session.execute(
                    stored_code_ddl(code, renamer(site), name=name, database=schema.database, tables=tables)
                )
            except TargetError as error:
                # A view may stand on another view that comes later in this list.
                failed.append((code.name, error))
                later.append(code)
        if len(later) == len(waiting):
            name, cause = failed[0]
            raise TargetError(
                cause.what,
                where=f"{server}: {name}",
                way_out="ask the host for CREATE VIEW and TRIGGER on this schema; or leave it: under [decisions] "
                f'"{later[0].kind}:{server}:{name}" = {{ choice = "leave", by = "...", reason = "..." }}; plan again',
            ) from cause
        waiting = later
