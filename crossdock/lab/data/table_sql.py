"""CREATE TABLE from a short notation: `column type; ...; KEY ...`.

`serial_id` is WordPress's auto-increment number, `big_id` a number that refers to one, `big` the same but nullable.
"""

from __future__ import annotations

TYPES = {
    "serial_id": "bigint(20) unsigned NOT NULL AUTO_INCREMENT",
    "big_id": "bigint(20) unsigned NOT NULL",
    "big": "bigint(20) unsigned",
}


def table_sql(table: str, columns: str, *, unless_there: bool = False) -> str:
    """CREATE TABLE of the full name `table`; `unless_there` makes an existing table no error."""
    parts = ",\n  ".join(_part(part.split()) for part in columns.split(";"))
    maybe = "IF NOT EXISTS " if unless_there else ""
    return (
        f"CREATE TABLE {maybe}`{table}` (\n  {parts}\n) "
        "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci"
    )


def _part(words: list[str]) -> str:
    if words[0] in ("KEY", "UNIQUE", "PRIMARY", "FULLTEXT"):
        return " ".join(words)
    return " ".join([f"`{words[0]}`", TYPES.get(words[1], words[1]), *words[2:]])
