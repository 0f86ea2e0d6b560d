"""Facts about database tables, as information_schema gives them, with no meaning attached."""

from __future__ import annotations

from dataclasses import dataclass

# One row as it travels: the bytes the server sent for each column, None for NULL.
Row = tuple[bytes | None, ...]


@dataclass(frozen=True)
class Column:
    """`type_name` is information_schema's DATA_TYPE in lower case; `full_type` its COLUMN_TYPE."""

    name: str
    type_name: str
    full_type: str
    nullable: bool
    charset: str | None = None
    collation: str | None = None
    generated: bool = False
    auto_increment: bool = False

    @property
    def is_integer(self) -> bool:
        return self.type_name in ("tinyint", "smallint", "mediumint", "int", "bigint")

    @property
    def is_text(self) -> bool:
        return self.type_name in ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json")

    @property
    def is_binary(self) -> bool:
        return self.type_name in ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")


@dataclass(frozen=True)
class Key:
    """A primary (`PRIMARY`), unique or plain index; `columns` in index order."""

    name: str
    columns: tuple[str, ...]
    unique: bool


@dataclass(frozen=True)
class Table:
    """A base table. `create_sql` is SHOW CREATE TABLE; rows_estimate and bytes_estimate are the server's estimates."""

    name: str
    engine: str
    collation: str
    columns: tuple[Column, ...]
    keys: tuple[Key, ...]
    create_sql: str
    auto_increment: int | None = None
    rows_estimate: int = 0
    bytes_estimate: int = 0

    @property
    def primary_key(self) -> tuple[str, ...]:
        for key in self.keys:
            if key.name == "PRIMARY":
                return key.columns
        return ()

    @property
    def stored_columns(self) -> tuple[Column, ...]:
        """The columns that a row carries: generated ones are computed by the server."""
        return tuple(column for column in self.columns if not column.generated)

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name}.{name}")

    @property
    def integer_key(self) -> str | None:
        """The one integer column that is the whole primary key, by which the table is cut into chunks."""
        key = self.primary_key
        return key[0] if len(key) == 1 and self.column(key[0]).is_integer else None


@dataclass(frozen=True)
class StoredCode:
    """`kind` is view, trigger, procedure, function, event or sequence. `create_sql`: SHOW CREATE's text of the first
    two; `table`: the trigger's table."""

    kind: str
    name: str
    create_sql: str
    table: str = ""


@dataclass(frozen=True)
class Schema:
    """One database: its tables, and what else it stores."""

    database: str
    tables: tuple[Table, ...]
    stored_code: tuple[StoredCode, ...] = ()

    def table(self, name: str) -> Table | None:
        return next((table for table in self.tables if table.name == name), None)
