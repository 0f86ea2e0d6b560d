"""What the catalogue knows: every table of WooCommerce 11, every column that holds users, and which names are asked."""

from __future__ import annotations

import re

import pytest

from crossdock.core.tables import Column, Table
from crossdock.wordpress import catalogue


def words(text: str) -> list[str]:
    return re.findall(r"\S+", text)


# WC_Install::get_tables() of WooCommerce 11.0.1, and ActionScheduler's schema classes.
WOOCOMMERCE = words("""
wc_download_log wc_product_download_directories wc_product_meta_lookup wc_tax_rate_classes wc_webhooks
woocommerce_api_keys woocommerce_attribute_taxonomies woocommerce_downloadable_product_permissions woocommerce_log
woocommerce_order_itemmeta woocommerce_order_items woocommerce_payment_tokenmeta woocommerce_payment_tokens
woocommerce_sessions woocommerce_shipping_zone_locations woocommerce_shipping_zone_methods woocommerce_shipping_zones
woocommerce_tax_rate_locations woocommerce_tax_rates wc_reserved_stock wc_rate_limits wc_product_attributes_lookup
wc_stock_notifications wc_stock_notificationmeta wc_email_unsubscribes wc_order_stats wc_order_product_lookup
wc_order_tax_lookup wc_order_coupon_lookup wc_admin_notes wc_admin_note_actions wc_customer_lookup wc_category_lookup
wc_order_fulfillments wc_order_fulfillment_meta wc_orders wc_order_addresses wc_order_operational_data wc_orders_meta
actionscheduler_actions actionscheduler_claims actionscheduler_groups actionscheduler_logs
""")
# Every column of WordPress 7.1.1 and WooCommerce 11.0.1 whose name speaks of a person, and what it is.
USERS = [
    ("posts", "post_author"), ("comments", "user_id"), ("links", "link_owner"), ("usermeta", "user_id"),
    ("users", "ID"), ("wc_orders", "customer_id"), ("woocommerce_downloadable_product_permissions", "user_id"),
    ("wc_download_log", "user_id"), ("woocommerce_payment_tokens", "user_id"), ("woocommerce_api_keys", "user_id"),
    ("wc_webhooks", "user_id"), ("wc_customer_lookup", "user_id"), ("wc_stock_notifications", "user_id"),
]  # fmt: skip
PLAIN = [
    ("wc_customer_lookup", "customer_id"), ("wc_order_stats", "customer_id"),
    ("wc_order_product_lookup", "customer_id"), ("wc_order_stats", "returning_customer"),
]  # fmt: skip


def table(name: str, *columns: tuple[str, str]) -> Table:
    made = tuple(Column(column, kind.split("(")[0], kind, True) for column, kind in columns)
    return Table(name, "InnoDB", "utf8mb4_unicode_ci", made, (), "")


@pytest.mark.parametrize("name", WOOCOMMERCE)
def test_every_table_of_woocommerce_is_known(name: str) -> None:
    assert catalogue.known(name) is not None


@pytest.mark.parametrize(("name", "column"), USERS)
def test_user_columns_are_mapped(name: str, column: str) -> None:
    found = catalogue.known(name)
    assert found is not None
    assert column in found.user_columns


@pytest.mark.parametrize(("name", "column"), [*USERS, *PLAIN])
def test_nothing_is_asked_about_what_is_known(name: str, column: str) -> None:
    assert catalogue.open_columns(name, table(name, (column, "bigint(20) unsigned"))) == ()


@pytest.mark.parametrize(("name", "column"), PLAIN)
def test_the_analytics_customer_is_no_user(name: str, column: str) -> None:
    found = catalogue.known(name)
    assert found is not None
    assert column not in found.user_columns


@pytest.mark.parametrize(
    "column",
    words(
        "user user_id userid UserID user_ID wp_user_id id_user customer_id customerId owner ownerId author_id "
        "seller_id vendor created_by createdBy modified_by_id approved_by_user assigned_to staff_id uid admin_id "
        "post_author user_ids"
    ),
)
def test_names_that_mean_a_person(column: str) -> None:
    assert catalogue.is_user_shaped(column) == (column != "user_ids")


@pytest.mark.parametrize(
    "column",
    words(
        "id post_id order_id users_count user_count user_agent username user_email customer_note author_name uuid "
        "guid fluid by sorted_by order_by group_by sold_by_weight is_user_agent num_users_online druid"
    ),
)
def test_names_that_mean_no_person(column: str) -> None:
    assert not catalogue.is_user_shaped(column)


def test_in_text_only_names_that_say_id_are_asked_about() -> None:
    made = table(
        "mystery", ("author", "varchar(100)"), ("user_id", "varchar(20)"), ("owner_id", "decimal(20,0)"),
        ("user", "text"), ("is_member", "tinyint(1)"), ("editor", "int(11)"),
    )  # fmt: skip
    assert catalogue.open_columns("mystery", made) == ("user_id", "owner_id", "editor")


def test_a_column_that_a_plugin_added_to_a_known_table_is_asked_about() -> None:
    assert catalogue.open_columns("posts", table("posts", ("post_author", "bigint"), ("assigned_to", "int(11)"))) == (
        "assigned_to",
    )


@pytest.mark.parametrize("key", [b"_customer_user", b"_edit_last", b"_edit_lock", b"_refunded_by", b"_used_by"])
def test_meta_keys_that_hold_a_user(key: bytes) -> None:
    assert catalogue.holds_user(key)
    assert not catalogue.holds_user(key + b"_x")


def test_a_held_coupon_holds_a_user_under_a_key_with_a_time() -> None:
    assert catalogue.holds_user(b"_maybe_used_by_1700000000_aB3xYz")
    assert not catalogue.holds_user(None)


def test_options_that_the_target_makes_again() -> None:
    assert catalogue.is_rebuilt_option(b"_transient_timeout_wc_x")
    assert catalogue.is_rebuilt_option(b"_site_transient_update_core")
    assert catalogue.is_rebuilt_option(b"rewrite_rules")
    assert not catalogue.is_rebuilt_option(b"transient_x")
    assert not catalogue.is_rebuilt_option(b"wp_page_for_privacy_policy")


def test_what_wordpress_writes_by_itself_is_told_from_what_a_person_wrote() -> None:
    own = (b"_transient_x", b"rewrite_rules", b"cron", b"category_children", b"product_cat_children")
    assert all(map(catalogue.is_own_option, own))
    assert not any(map(catalogue.is_own_option, (b"blogname", b"children", b"crossdock_held_cron")))
