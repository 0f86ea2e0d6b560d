"""What a rewriting did to a database: every value before and after, with PHP as judge. It shares no code with the
rewriter: both databases are read by SELECT, and what is left is counted by wordpress.residue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from crossdock.core.ports import Session
from crossdock.core.tables import Row, Table
from crossdock.edges.judge import JudgeAt, PhpJudge
from crossdock.edges.mysql import Endpoint
from crossdock.wordpress.residue import Residue

_BATCH_PAIRS = 2_000


@dataclass
class Verdict:
    changed: int = 0
    newly_broken: int = 0  # PHP read it before, and does not now, or reads another shape
    addresses_left: int = 0
    emails_changed: int = 0


def verdict_of(source: Endpoint, target: Endpoint, host: str) -> Verdict:
    """Compares the tables of both databases row by row. Errors: RuntimeError when rows are missing."""
    made, judge, residue = Verdict(), JudgeAt()(), Residue([host])
    before, after = source.open_source(), target.open_source()
    try:
        for table in before.schema().tables:
            _compare(table, _rows(before, table), _rows(after, table), host.encode(), judge, residue, made)
    finally:
        before.close()
        after.close()
        judge.close()
    return made


def _rows(session: Session, table: Table) -> Iterator[Row]:
    names = ", ".join(f"`{name}`" for name in table.primary_key)
    sql = f"SELECT {session.select_list(table.stored_columns)} FROM `{table.name}` ORDER BY {names}"
    for batch in session.stream(sql):
        yield from batch


def _compare(
    table: Table,
    before: Iterator[Row],
    after: Iterator[Row],
    host: bytes,
    judge: PhpJudge,
    residue: Residue,
    made: Verdict,
) -> None:
    pairs: list[tuple[bytes, bytes]] = []
    keys = [number for number, column in enumerate(table.stored_columns) if column.name in table.primary_key]
    for row in before:
        # WordPress writes options of its own as soon as WP-CLI loads it.
        there = next((other for other in after if all(other[key] == row[key] for key in keys)), None)
        if there is None:
            raise RuntimeError(f"{table.name} has lost rows")
        for value, now in zip(row, there, strict=True):
            if value is None or now is None:
                continue
            if host in now.lower():
                made.addresses_left += residue.count(now)
            if value != now:
                made.changed += 1
                made.emails_changed += now.count(b"@" + host) < value.count(b"@" + host)
                pairs.append((value, now))
        if len(pairs) >= _BATCH_PAIRS:
            made.newly_broken += len(judge.judge(pairs))
            pairs.clear()
    made.newly_broken += len(judge.judge(pairs))
