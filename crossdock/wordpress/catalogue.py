"""What each table, column and key of WordPress and WooCommerce means for a move.

Names are without the table prefix. Source: wordpress-develop's wp-admin/includes/schema.php, WooCommerce's
class-wc-install.php, OrdersTableDataStore and Action Scheduler's schema classes.
A table that is not listed here, or a column that looks like a user's ID and is not listed, is asked about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from crossdock.core.tables import Table


class Scope(StrEnum):
    """Whose table it is: a blog's own, the people all blogs share, or the network's registers."""

    BLOG = "blog"
    PEOPLE = "people"
    NETWORK = "network"


@dataclass(frozen=True)
class Known:
    """`user_columns` hold user IDs; `plain_columns` look like it and don't; `keyed` names the (key, value) columns of a
    meta table; `untouched` columns are never rewritten."""

    scope: Scope = Scope.BLOG
    user_columns: tuple[str, ...] = ()
    plain_columns: tuple[str, ...] = ()
    keyed: tuple[str, str] | None = None
    untouched: tuple[str, ...] = ()


_META = Known(keyed=("meta_key", "meta_value"))
_PLAIN = Known()

TABLES: dict[str, Known] = {
    # WordPress, per blog
    "posts": Known(user_columns=("post_author",), untouched=("guid",)),
    "postmeta": _META,
    "comments": Known(user_columns=("user_id",), plain_columns=("comment_author",)),
    "commentmeta": _META,
    "terms": _PLAIN,
    "termmeta": _META,
    "term_taxonomy": _PLAIN,
    "term_relationships": _PLAIN,
    "options": Known(keyed=("option_name", "option_value")),
    "links": Known(user_columns=("link_owner",)),
    # WordPress, shared
    "users": Known(scope=Scope.PEOPLE, user_columns=("ID",)),
    "usermeta": Known(scope=Scope.PEOPLE, user_columns=("user_id",), keyed=("meta_key", "meta_value")),
    # WordPress, the network's registers: written from the plan, not carried
    "blogs": Known(scope=Scope.NETWORK),
    "blogmeta": Known(scope=Scope.NETWORK),
    "blog_versions": Known(scope=Scope.NETWORK),
    "site": Known(scope=Scope.NETWORK),
    "sitemeta": Known(scope=Scope.NETWORK),
    "sitecategories": Known(scope=Scope.NETWORK),
    "registration_log": Known(scope=Scope.NETWORK),
    "signups": Known(scope=Scope.NETWORK),
    # WooCommerce: orders
    "wc_orders": Known(user_columns=("customer_id",)),
    "wc_order_addresses": _PLAIN,
    "wc_order_operational_data": _PLAIN,
    "wc_orders_meta": _META,
    "woocommerce_order_items": _PLAIN,
    "woocommerce_order_itemmeta": _META,
    "woocommerce_payment_tokens": Known(user_columns=("user_id",)),
    "woocommerce_payment_tokenmeta": _META,
    "woocommerce_downloadable_product_permissions": Known(user_columns=("user_id",)),
    "wc_download_log": Known(user_columns=("user_id",)),
    # WooCommerce: analytics. customer_id there is wc_customer_lookup's own key, not a user
    "wc_customer_lookup": Known(user_columns=("user_id",), plain_columns=("customer_id",)),
    "wc_order_stats": Known(plain_columns=("customer_id",)),
    "wc_order_product_lookup": Known(plain_columns=("customer_id",)),
    "wc_order_tax_lookup": _PLAIN,
    "wc_order_coupon_lookup": _PLAIN,
    "wc_admin_notes": _PLAIN,
    "wc_admin_note_actions": _PLAIN,
    "wc_category_lookup": _PLAIN,
    # WooCommerce: catalogue and settings
    "wc_product_meta_lookup": _PLAIN,
    "wc_product_attributes_lookup": _PLAIN,
    "wc_product_download_directories": _PLAIN,
    "wc_reserved_stock": _PLAIN,
    "wc_rate_limits": _PLAIN,
    "wc_tax_rate_classes": _PLAIN,
    "wc_webhooks": Known(user_columns=("user_id",)),
    "wc_stock_notifications": Known(user_columns=("user_id",)),
    "wc_stock_notificationmeta": _META,
    "woocommerce_sessions": _PLAIN,
    "woocommerce_api_keys": Known(user_columns=("user_id",)),
    "woocommerce_attribute_taxonomies": _PLAIN,
    "woocommerce_log": _PLAIN,
    "woocommerce_shipping_zones": _PLAIN,
    "woocommerce_shipping_zone_locations": _PLAIN,
    "woocommerce_shipping_zone_methods": _PLAIN,
    "woocommerce_tax_rates": _PLAIN,
    "woocommerce_tax_rate_locations": _PLAIN,
    # Action Scheduler
    "actionscheduler_actions": _PLAIN,
    "actionscheduler_claims": _PLAIN,
    "actionscheduler_groups": _PLAIN,
    "actionscheduler_logs": _PLAIN,
}

# Meta keys whose whole value is a user's ID (posts and, with HPOS, orders).
USER_ID_KEYS = frozenset({b"_customer_user", b"_edit_last", b"_refunded_by"})
# "time:user"
EDIT_LOCK_KEYS = frozenset({b"_edit_lock"})
# a user's ID or an e-mail address
USED_BY_KEYS = frozenset({b"_used_by"})

# Options that the target makes again by itself.
REBUILT_OPTIONS = frozenset({b"rewrite_rules"})
REBUILT_OPTION_PREFIXES = (b"_transient_", b"_site_transient_")
# Scheduled events are kept under another name and released at the cutover, so that nothing runs twice.
CRON_OPTION, HELD_CRON_OPTION = b"cron", b"crossdock_held_cron"
# Usermeta that ends with the move: WordPress asks people to sign in again.
DROPPED_USER_KEYS = frozenset({b"session_tokens"})
# Usermeta keys that end in the blog's prefix, without its trailing underscore.
SUFFIXED_USER_KEYS = (b"wc_order_count_", b"wc_last_order_", b"wc_money_spent_")
CART_KEY = b"_woocommerce_persistent_cart_"

_USER_SHAPED = re.compile(
    r"(?:^|_)(?:user|users|author|customer|owner|member|vendor|seller|agent|employee|subscriber|affiliate)(?:_?id)?$"
    r"|(?:^|_)(?:created|modified|updated|edited|assigned|approved|deleted|refunded|invited)_(?:by|to)(?:_id)?$"
    r"|^uid$|^wp_?uid$",
    re.IGNORECASE,
)


def is_user_shaped(column: str) -> bool:
    """Whether a column's name suggests that it holds user IDs."""
    return _USER_SHAPED.search(column) is not None


def known(base_name: str) -> Known | None:
    """What the catalogue knows of a table by its name without prefix; None: unknown."""
    return TABLES.get(base_name)


def open_columns(base_name: str, table: Table) -> tuple[str, ...]:
    """Integer columns that look like user IDs and that the catalogue does not explain: a person must say."""
    entry = TABLES.get(base_name, _PLAIN)
    explained = {*entry.user_columns, *entry.plain_columns}
    return tuple(
        column.name
        for column in table.stored_columns
        if column.is_integer and column.name not in explained and is_user_shaped(column.name)
    )


def is_rebuilt_option(name: bytes) -> bool:
    """Whether the target writes this option anew by itself, so that it is left behind and not missed."""
    return name in REBUILT_OPTIONS or name.startswith(REBUILT_OPTION_PREFIXES)
