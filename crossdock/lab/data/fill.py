"""Fills one WordPress database with one store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crossdock.lab.data import commerce, content, orders, people, plugin_tables, products, settings, strange_values
from crossdock.lab.data.profiles import StoreProfile
from crossdock.lab.data.sink import Sink, prepare
from crossdock.lab.data.sizes import Size, size_of
from crossdock.lab.data.woocommerce_tables import create_tables
from crossdock.lab.data.world import World


def populate(
    connect: Callable[[], Any],
    store: StoreProfile,
    *,
    prefix: str,
    size: str | Size,
    seed: int,
    woocommerce: bool,
    blog: int = 1,
    big_row_bytes: int = 0,
) -> dict[str, int]:
    """Rows written, by full table name. The same seed over the same installation gives the same rows.

    `connect` gives a pymysql connection to the store's database, where WordPress's tables stand already; `prefix` is
    the base prefix, `blog` the blog's number (a network's blog 2 has its tables under prefix2_). `woocommerce` tells
    that WooCommerce is active and has made its tables; without it they are made here. `big_row_bytes` adds one row of
    that size and needs a max_allowed_packet above it.

    Raises pymysql.MySQLError as the server reports it; a database that was filled before is refused by its tables.
    """
    connection = connect()
    prepare(connection)
    connection.autocommit(True)
    try:
        with Sink(connect) as sink:
            world = World(
                sink, connection, store, size_of(size), seed, prefix, store.blog_prefix(prefix, blog), blog, woocommerce
            )
            _make_tables(world)
            connection.autocommit(False)  # one commit for all settings, not one each
            _fill(world, big_row_bytes)
            connection.commit()
        _finish(world)
        connection.commit()
    finally:
        connection.close()
    return dict(sorted(sink.counts.items()))


def _make_tables(world: World) -> None:
    create_tables(world)
    plugin_tables.convert_charsets(world)
    plugin_tables.create_plugin_tables(world)


def _fill(world: World, big_row_bytes: int) -> None:
    settings.fill_settings(world)
    commerce.fill_settings(world)
    people.fill_people(world)
    content.fill_content(world)
    rate = commerce.fill_taxes(world)
    products.fill_products(world)
    coupon = commerce.fill_coupons(world)
    first_order = world.next_ids["posts"]
    orders.fill_orders(world, coupon, rate)
    commerce.fill_machinery(world, first_order)
    strange_values.fill_strange_values(world)
    plugin_tables.fill_plugin_tables(world, big_row_bytes)


def _finish(world: World) -> None:
    """What WordPress and WooCommerce count for themselves, and the counters beyond the last row."""
    table = world.table
    world.execute(
        f"UPDATE `{table('term_taxonomy')}` x SET count = (SELECT count(*) FROM `{table('term_relationships')}` r "
        "WHERE r.term_taxonomy_id = x.term_taxonomy_id)"
    )
    world.execute(
        f"UPDATE `{table('posts')}` p JOIN (SELECT comment_post_ID, count(*) n FROM `{table('comments')}` "
        "WHERE comment_approved = '1' GROUP BY 1) c ON c.comment_post_ID = p.ID SET p.comment_count = c.n"
    )
    _count_sales(world)
    world.execute(
        f"UPDATE `{table('options')}` SET option_value = (SELECT count(*) FROM `{table('users')}`) "
        "WHERE option_name = 'user_count'"
    )
    beyond = world.next_ids["posts"] + 5
    world.execute(f"ALTER TABLE `{table('posts')}` AUTO_INCREMENT = {beyond}")


def _count_sales(world: World) -> None:
    table, lookup = world.table, world.table("wc_product_meta_lookup")
    world.execute(
        f"UPDATE `{lookup}` l JOIN (SELECT product_id, sum(product_qty) n FROM `{table('wc_order_product_lookup')}` "
        "GROUP BY product_id) s USING (product_id) SET l.total_sales = s.n"
    )
    world.execute(
        f"UPDATE `{table('postmeta')}` m JOIN `{lookup}` l ON l.product_id = m.post_id "
        "SET m.meta_value = l.total_sales WHERE m.meta_key = 'total_sales'"
    )
    world.execute(
        f"UPDATE `{lookup}` l JOIN (SELECT c.comment_post_ID product_id, count(*) n, avg(m.meta_value) a "
        f"FROM `{table('comments')}` c JOIN `{table('commentmeta')}` m ON m.comment_id = c.comment_ID AND "
        "m.meta_key = 'rating' GROUP BY 1) r USING (product_id) SET l.rating_count = r.n, l.average_rating = r.a"
    )
