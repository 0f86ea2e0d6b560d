"""What the rooms of this package share while one store is being filled."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

from crossdock.lab.data.php import serialize
from crossdock.lab.data.profiles import StoreProfile
from crossdock.lab.data.sink import Sink, literal
from crossdock.lab.data.sizes import Size

TIME_BASE = 1_767_225_600  # 2026-01-01 00:00:00 UTC: "now" of all data, so that a seed gives the same bytes any day
FAR_FUTURE = TIME_BASE + 20 * 365 * 86_400  # sessions that no clean-up removes

POST = (
    "ID,post_author,post_date,post_date_gmt,post_content,post_title,post_excerpt,post_status,comment_status,"
    "ping_status,post_password,post_name,to_ping,pinged,post_modified,post_modified_gmt,post_content_filtered,"
    "post_parent,guid,menu_order,post_type,post_mime_type,comment_count"
)
COMMENT = (
    "comment_ID,comment_post_ID,comment_author,comment_author_email,comment_author_url,comment_author_IP,"
    "comment_date,comment_date_gmt,comment_content,comment_karma,comment_approved,comment_agent,comment_type,"
    "comment_parent,user_id"
)


def stamp(seconds: int) -> str:
    """DATETIME text, UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def meta_text(value: Any) -> str | None:
    """As WordPress stores a meta value: text and numbers as text, NULL as NULL, anything else serialized."""
    if isinstance(value, str) or value is None:
        return value
    return str(value) if type(value) in (int, float) else serialize(value)


def php_array(value: Any) -> str:
    return value if isinstance(value, str) else serialize(value)


@dataclass
class Variation:
    post_id: int
    cents: int
    colour: str


@dataclass
class Product:
    """`cents` is the net price; `download_id` is set for downloadable ones."""

    post_id: int
    name: str
    sku: str
    cents: int
    variations: list[Variation] = field(default_factory=list)
    download_id: str = ""


@dataclass
class Member:
    """A user of this store; `lookup_id` is wc_customer_lookup's own number, not a user ID."""

    user_id: int
    login: str
    email: str
    first_name: str
    last_name: str
    role: str
    lookup_id: int = 0
    address: dict[str, str] = field(default_factory=dict)


@dataclass
class World:
    """One store being filled: where rows go, the next free IDs, and what has been made so far."""

    sink: Sink
    connection: Any
    store: StoreProfile
    size: Size
    seed: int
    base_prefix: str
    prefix: str
    blog: int
    woocommerce: bool
    next_ids: dict[str, int] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    media: list[int] = field(default_factory=list)
    terms: dict[tuple[str, str], int] = field(default_factory=dict)

    def chance(self, room: str) -> random.Random:
        """A random source of its own for each room, so that one room's change leaves the others' bytes alone."""
        return random.Random(f"{self.seed}:{self.store.slug}:{self.blog}:{room}")

    def table(self, name: str) -> str:
        return (self.base_prefix if name in ("users", "usermeta") else self.prefix) + name

    def take(self, table: str, column: str = "ID") -> int:
        """The next free ID of a table; asks the database once."""
        if table not in self.next_ids:
            self.next_ids[table] = self.scalar(f"SELECT COALESCE(MAX({column}), 0) + 1 FROM `{self.table(table)}`")
        self.next_ids[table] += 1
        return self.next_ids[table] - 1

    def add(self, table: str, columns: str, *row: Any) -> None:
        self.sink.add(self.table(table), columns, row)

    def execute(self, sql: str) -> None:
        self.connection.query(sql)

    def scalar(self, sql: str) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone()
        return int(row[0]) if row else 0

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def insert(self, table: str, columns: str, *rows: tuple[Any, ...]) -> None:
        """At once and in order, for rows that others refer to."""
        values = ",".join("(" + ",".join(map(literal, row)) + ")" for row in rows)
        self.execute(f"INSERT INTO `{self.table(table)}` ({columns}) VALUES {values}")
        self.sink.counts[self.table(table)] += len(rows)

    def option(self, name: str, value: Any, autoload: str = "on") -> None:
        """Sets an option; anything but text is serialized."""
        text = literal(php_array(value))
        self.execute(
            f"INSERT INTO `{self.table('options')}` (option_name, option_value, autoload) "
            f"VALUES ({literal(name)}, {text}, '{autoload}') ON DUPLICATE KEY UPDATE option_value = {text}"
        )
        self.sink.counts[self.table("options")] += 1

    def post(self, kind: str, title: str, content: str, *, at: int, **more: Any) -> int:
        """Adds a post and returns its ID. `more` overrides: name, author, status, parent, mime, excerpt, order, guid,
        comments ('open'/'closed'), count."""
        post_id = self.take("posts")
        date = stamp(at)
        query = "p" if kind == "post" else "page_id" if kind == "page" else "p"
        suffix = "" if kind in ("post", "page") else f"&post_type={kind}"
        self.add(
            "posts",
            POST,
            post_id,
            more.get("author", 1),
            date,
            more.get("date_gmt", date),
            content,
            title,
            more.get("excerpt", ""),
            more.get("status", "publish"),
            more.get("comments", "open"),
            "closed",
            more.get("password", ""),
            more.get("name", f"{kind}-{post_id}"),
            "",
            "",
            date,
            date,
            "",
            more.get("parent", 0),
            more.get("guid", f"{self.store.url}/?{query}={post_id}{suffix}"),
            more.get("order", 0),
            kind,
            more.get("mime", ""),
            more.get("count", 0),
        )
        return post_id

    def meta(self, post_id: int, key: str, value: Any) -> None:
        """`value` as WordPress stores it: text as it is, numbers as text, anything else serialized."""
        self.metas(post_id, {key: value})

    def metas(self, post_id: int, values: dict[str, Any]) -> None:
        self._add_metas("postmeta", "post_id,meta_key,meta_value", post_id, values)

    def user_meta(self, user_id: int, values: dict[str, Any]) -> None:
        self._add_metas("usermeta", "user_id,meta_key,meta_value", user_id, values)

    def order_metas(self, order_id: int, values: dict[str, Any]) -> None:
        self._add_metas("wc_orders_meta", "order_id,meta_key,meta_value", order_id, values)

    def item_metas(self, item_id: int, values: dict[str, Any]) -> None:
        self._add_metas("woocommerce_order_itemmeta", "order_item_id,meta_key,meta_value", item_id, values)

    def _add_metas(self, table: str, columns: str, owner: int, values: dict[str, Any]) -> None:
        """Keys are this package's own and need no escaping."""
        texts = [f"({owner},'{key}',{literal(meta_text(value))})" for key, value in values.items()]
        self.sink.extend(self.table(table), columns, texts)

    def comment(self, post_id: int, author: str, email: str, content: str, *, at: int, **more: Any) -> int:
        """Adds a comment and returns its ID. `more` overrides: url, kind, user, agent, parent, approved."""
        comment_id = self.take("comments", "comment_ID")
        date = stamp(at)
        self.add(
            "comments",
            COMMENT,
            comment_id,
            post_id,
            author,
            email,
            more.get("url", ""),
            "203.0.113.9",
            date,
            date,
            content,
            0,
            more.get("approved", "1"),
            more.get("agent", "Mozilla/5.0"),
            more.get("kind", "comment"),
            more.get("parent", 0),
            more.get("user", 0),
        )
        return comment_id

    def comment_meta(self, comment_id: int, key: str, value: Any) -> None:
        self.add("commentmeta", "comment_id,meta_key,meta_value", comment_id, key, php_array(value))

    def term(self, taxonomy: str, slug: str, name: str, *, description: str = "", parent: int = 0) -> int:
        """term_taxonomy_id of a term, made if the store lacks it. Term and taxonomy rows share their number."""
        known = self.terms.get((taxonomy, slug))
        if known is None:
            found = self.rows(
                f"SELECT x.term_taxonomy_id FROM `{self.table('term_taxonomy')}` x JOIN `{self.table('terms')}` t "
                f"USING (term_id) WHERE x.taxonomy = {literal(taxonomy)} AND t.slug = {literal(slug)}"
            )
            known = int(found[0][0]) if found else self._new_term(taxonomy, slug, name, description, parent)
            self.terms[taxonomy, slug] = known
        return known

    def _new_term(self, taxonomy: str, slug: str, name: str, description: str, parent: int) -> int:
        term_id = max(self.take("terms", "term_id"), self.take("term_taxonomy", "term_taxonomy_id"))
        self.next_ids["terms"] = self.next_ids["term_taxonomy"] = term_id + 1
        self.insert("terms", "term_id,name,slug,term_group", (term_id, name, slug, 0))
        self.insert(
            "term_taxonomy",
            "term_taxonomy_id,term_id,taxonomy,description,parent,count",
            (term_id, term_id, taxonomy, description, parent, 0),
        )
        return term_id

    def relate(self, object_id: int, term_taxonomy_id: int) -> None:
        columns = "object_id,term_taxonomy_id,term_order"
        self.add("term_relationships", columns, object_id, term_taxonomy_id, 0)
