"""Surveys as a source and a target would answer them, for the tests of what is made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from crossdock.core.config import Config
from crossdock.core.ports import ServerFacts
from crossdock.core.tables import Column, Key, Schema, StoredCode, Table
from crossdock.move.survey import SourceFacts, TargetFacts
from crossdock.wordpress.installation import Blog, Installation
from crossdock.wordpress.people import SourceUser

BINLOG = {"log_bin": "ON", "binlog_format": "ROW", "max_allowed_packet": "16777216"}


def table(name: str, *columns: str, counter: int = 7, rows: int = 10, more: str = "") -> Table:
    """Columns as 'name type'; the first is the primary key."""
    made = tuple(Column(one.split()[0], one.split()[1].split("(")[0], one.split()[1], False) for one in columns)
    lines = "".join(f"  `{one.split()[0]}` {one.split()[1]} NOT NULL,\n" for one in columns)
    sql = (
        f"CREATE TABLE `{name}` (\n{lines}  PRIMARY KEY (`{made[0].name}`){more}\n"
        f") ENGINE=InnoDB AUTO_INCREMENT={counter} DEFAULT CHARSET=utf8mb4"
    )
    key = Key("PRIMARY", (made[0].name,), True)
    return Table(name, "InnoDB", "utf8mb4_unicode_ci", made, (key,), sql, counter, rows, rows * 100)


def core(prefix: str) -> tuple[Table, ...]:
    return (
        table(f"{prefix}options", "option_id bigint"),
        table(f"{prefix}posts", "ID bigint", "post_author bigint"),
    )


def installation(**changes: Any) -> Installation:
    return replace(Installation("/srv/www", "6.8", 60000, "8.2", "wp_", "shop", "localhost", "utf8mb4"), **changes)


def blog(number: int = 1, prefix: str = "wp_", host: str = "www.north.example") -> Blog:
    url = f"https://{host}"
    return Blog(number, prefix, host, "/", {"home": url, "siteurl": url, "stylesheet": "x"})


def source(
    server: str,
    *,
    tables: tuple[Table, ...] = (),
    code: tuple[StoredCode, ...] = (),
    blogs: tuple[Blog, ...] | None = None,
    users: tuple[SourceUser, ...] = (),
    **changes: Any,
) -> SourceFacts:
    shared = (table("wp_users", "ID bigint"), table("wp_usermeta", "umeta_id bigint", "user_id bigint"))
    schema = Schema("shop", (*core("wp_"), *shared, *tables), code)
    mysql = ServerFacts("10.11.6-MariaDB", "x@%", ("GRANT ALL PRIVILEGES",), BINLOG)
    there = blogs or (blog(host=f"www.{server}.example"),)
    return SourceFacts(server, "tunnel", installation(**changes), schema, mysql, there, users)


def target(environment: str, **changes: Any) -> TargetFacts:
    here = installation(root=f"/sites/{environment}", multisite=True, themes={"x": "1"})
    mysql = ServerFacts("10.11.6-MariaDB", "x@%", ("GRANT ALL PRIVILEGES",), BINLOG)
    made = TargetFacts(environment, "relay", "https", here, mysql, 1, "net.example", 2, 1)
    return replace(made, **changes)


def config(
    stores: tuple[tuple[str, str, int], ...] = (("north", "north", 1), ("south", "south", 1)),
    decisions: dict[str, str] | None = None,
    **more: Any,
) -> Config:
    """`stores`: (name, server, blog). `decisions`: key -> choice."""
    servers = tuple(dict.fromkeys(server for _, server, _ in stores))
    return Config.model_validate(
        {
            "project": {"name": "Lumen"},
            "servers": [{"name": name, "ssh": name, "root": "/srv/www"} for name in servers],
            "stores": [
                {
                    "name": name,
                    "server": server,
                    "blog": number,
                    "domains": {"staging": f"{name}.stage.example", "production": f"www.{name}.example"},
                }
                for name, server, number in stores
            ],
            "environments": {name: {"ssh": "managed", "root": f"/sites/{name}"} for name in ("staging", "production")},
            "decisions": {
                key: {"choice": choice, "by": "Ada", "reason": "r"} for key, choice in (decisions or {}).items()
            },
            **more,
        }
    )
