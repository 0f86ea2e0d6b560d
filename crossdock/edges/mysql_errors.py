"""What a database server's error codes mean to the person who runs the move."""

from __future__ import annotations

import re

from crossdock.core.errors import (
    AccessError,
    ConnectionLost,
    CrossdockError,
    LockWaitError,
    SourceError,
    TargetError,
)

LOST = frozenset({2002, 2003, 2005, 2006, 2013, 2055, 1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031})
LOCK_WAIT = frozenset({1205, 1213})
LOCAL_INFILE_REFUSED = frozenset({1148, 1235, 3948, 3950, 4166})
BULK_REFUSED = frozenset({1047, 1235, 1295, 1461})  # 1461: the server's max_prepared_stmt_count is used up

_ACCESS = {
    1044: "GRANT the account the rights on this database",
    1045: "check user and password in [servers.database] or wp-config.php, and the host the account is allowed from",
    1049: "check the database's name",
    1142: "GRANT the account this right",
    1143: "GRANT the account this right on the column",
    1227: "GRANT the account this right, or ask the host",
    1370: "GRANT the account this right",
    1698: "the account logs in by a socket plugin: use an account with a password",
    1040: "the server's max_connections is used up: lower policies.limits.workers",
    1203: "the account's max_user_connections is used up: lower policies.limits.workers",
    1226: "the account's resource limit is used up: lower policies.limits.workers or raise the limit",
}

_TARGET = {
    3: "free disk space on the database server (its temporary folder is full)",
    28: "free disk space on the database server",
    1021: "free disk space on the database server",
    1114: "free disk space on the database server; the table or its tablespace is full",
    1290: "the server is read-only: lift read_only on the server, or use the writable one",
    1792: "this session is a reading one",
    1836: "the server is read-only: use the writable one",
    1062: "a row with this key is in the table already",
    1153: "raise max_allowed_packet on the server",
}
# The storage engine's own numbers and the server's for a table that is damaged.
_DAMAGED = frozenset({126, 127, 130, 132, 134, 135, 136, 141, 144, 145, 1033, 1034, 1035, 1194, 1195, 1877})
_REPAIR = "the table is damaged: REPAIR TABLE on the server, or bring it back from a backup; DROP it if nobody needs it"


# Statements other than INSERT tell a full disk only inside the text of some other error, by the system's number (28) or
# by the storage engine's (135).
_FULL = re.compile(r"(?:errno|error|errcode):? \"?(?:28|135)\b|no space left|no more room|disk full", re.IGNORECASE)


def translate(error: BaseException, *, where: str, target: bool) -> CrossdockError:
    """The CrossdockError for a driver's error. `target` tells which side's error an unlisted code becomes."""
    if isinstance(error, CrossdockError):
        return error
    code, text = code_of(error), _text(error)
    what = f"{text} (error {code})" if code else text
    if code in LOST or isinstance(error, OSError) or (code == 0 and not target_like(error)):
        return ConnectionLost(what, where=where, way_out="connect again and resume")
    if code in LOCK_WAIT:
        return LockWaitError(what, where=where, way_out="run the transaction again")
    if code in _ACCESS:
        return AccessError(what, where=where, way_out=_ACCESS[code])
    side: type[CrossdockError] = TargetError if target else SourceError
    if target and code not in _TARGET and _FULL.search(text):
        return TargetError(what, where=where, way_out=_TARGET[28])
    return side(what, where=where, way_out=_REPAIR if code in _DAMAGED else _TARGET.get(code, ""))


def code_of(error: BaseException) -> int:
    """The server's or client's error number; 0 when the error carries none."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


def target_like(error: BaseException) -> bool:
    """True for errors of use (wrong arguments) as against a closed connection, which both drivers raise with code 0."""
    return type(error).__name__ not in ("InterfaceError", "OperationalError")


def _text(error: BaseException) -> str:
    text = error.args[1] if len(error.args) > 1 else error
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return text or "the connection is closed"
