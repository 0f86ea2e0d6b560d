"""What each table, column and key of WordPress and WooCommerce means for a move.

Names are without the table prefix. Source: wordpress-develop's wp-admin/includes/schema.php, WooCommerce's
class-wc-install.php, OrdersTableDataStore and Action Scheduler's schema classes.
A table that is not listed here, or a column that looks like a user's ID and is not listed, is asked about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from crossdock.core.tables import Column, Table


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
    "wc_order_fulfillments": _PLAIN,
    "wc_order_fulfillment_meta": _META,
    "woocommerce_order_items": _PLAIN,
    "woocommerce_order_itemmeta": _META,
    "woocommerce_payment_tokens": Known(user_columns=("user_id",)),
    "woocommerce_payment_tokenmeta": _META,
    "woocommerce_downloadable_product_permissions": Known(user_columns=("user_id",)),
    "wc_download_log": Known(user_columns=("user_id",)),
    # WooCommerce: analytics. customer_id there is wc_customer_lookup's own key, not a user
    "wc_customer_lookup": Known(user_columns=("user_id",), plain_columns=("customer_id",)),
    "wc_order_stats": Known(plain_columns=("customer_id", "returning_customer")),
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
    "wc_email_unsubscribes": _PLAIN,
    "woocommerce_sessions": _PLAIN,
    "woocommerce_api_keys": Known(user_columns=("user_id",)),
    "woocommerce_attribute_taxonomies": _PLAIN,
    "woocommerce_log": _PLAIN,
    "woocommerce_termmeta": _META,  # before WooCommerce 2.6
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
# a user's ID or an e-mail address; a coupon held for an order that waits for payment is _maybe_used_by_TIME_RANDOM
USED_BY_KEYS = frozenset({b"_used_by"})
HELD_BY_PREFIX = b"_maybe_used_by_"

# Options that the target makes again by itself.
REBUILT_OPTIONS = frozenset({b"rewrite_rules", b"category_children", b"product_cat_children"})
REBUILT_OPTION_PREFIXES = (b"_transient_", b"_site_transient_")
# A taxonomy's tree (category_children), which WordPress keeps once a page needs it: carried where it is there, and no
# surprise at the target where it was not.
TREE_OPTION_SUFFIX = b"_children"
# Scheduled events are kept under another name and released at the cutover, so that nothing runs twice.
CRON_OPTION, HELD_CRON_OPTION = b"cron", b"crossdock_held_cron"
# Usermeta that ends with the move: WordPress asks people to sign in again.
DROPPED_USER_KEYS = frozenset({b"session_tokens"})
# Usermeta keys that end in the blog's prefix, without its trailing underscores.
SUFFIXED_USER_KEYS = (
    b"wc_order_count_",
    b"wc_last_order_",
    b"wc_money_spent_",
    b"_wc_email_verified_",
    b"_wc_email_verification_key_",
)
# What follows a table prefix in the usermeta keys that give rights in a blog.
RIGHTS_USER_KEYS = frozenset({b"capabilities", b"user_level"})
CART_KEY = b"_woocommerce_persistent_cart_"

_PERSON = (
    "user|author|customer|owner|member|vendor|seller|agent|employee|subscriber|affiliate|staff|admin|creator|editor"
    "|reviewer|moderator|manager|operator|assignee|assigner|client|buyer|person|people|instructor|teacher|student"
    "|trainer|donor|sender|recipient|referrer|supplier|driver|approver|participant|attendee|guest|player|follower"
)
_DONE = (
    "created|modified|updated|edited|assigned|approved|deleted|refunded|invited|added|changed|posted|submitted|uploaded"
    "|sent|closed|locked|opened|paid|published|removed|reviewed|shipped|used|requested|processed|confirmed|cancelled"
    "|canceled|completed|handled|issued|received|rejected|resolved|signed|trashed|verified|voted|performed|triggered"
)
# A person's name alone (owner), with its ID (owner_id, ownerid, id_owner), or what a person did (approved_by).
_USER_SHAPED = re.compile(
    rf"(?:^|_)(?:{_PERSON}|users)(?:_?u?id)?(?<!user_agent)$|(?:^|_)id_(?:{_PERSON})$"
    rf"|(?:^|_)(?:{_DONE})_(?:by|to)(?:_?id|_user)?$|(?:^|_)u_?id$"
)
# In a column of text only a name that says ID is asked about: `author` mostly holds a name there.
_ID_SHAPED = re.compile(rf"(?:^|_)(?:{_PERSON})_?u?id$|(?:^|_)id_(?:{_PERSON})$|_(?:by|to)_?id$|^u_?id$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NUMBERS = ("decimal", "numeric", "float", "double")


def is_user_shaped(column: str) -> bool:
    """Whether a column's name suggests that it holds user IDs."""
    return _USER_SHAPED.search(_snake(column)) is not None


def _snake(name: str) -> str:
    return _CAMEL.sub("_", name).lower()


def _asks(column: Column) -> bool:
    if column.full_type.startswith("tinyint(1)"):
        return False  # yes or no
    if column.is_integer or column.type_name in _NUMBERS:
        return is_user_shaped(column.name)
    return column.type_name in ("char", "varchar") and _ID_SHAPED.search(_snake(column.name)) is not None


def known(base_name: str) -> Known | None:
    """What the catalogue knows of a table by its name without prefix; None: unknown."""
    return TABLES.get(base_name)


def open_columns(base_name: str, table: Table) -> tuple[str, ...]:
    """Columns that look like user IDs and that the catalogue does not explain: a person must say."""
    entry = TABLES.get(base_name, _PLAIN)
    explained = {*entry.user_columns, *entry.plain_columns}
    return tuple(column.name for column in table.stored_columns if column.name not in explained and _asks(column))


def holds_user(key: bytes | None) -> bool:
    """Whether a post's or order's meta key has a value in which a user's ID stands."""
    return key is not None and (
        key in USER_ID_KEYS or key in EDIT_LOCK_KEYS or key in USED_BY_KEYS or key.startswith(HELD_BY_PREFIX)
    )


def is_own_option(name: bytes) -> bool:
    """Whether WordPress writes this option by itself while it answers, so that an extra one is no difference."""
    return is_rebuilt_option(name) or name == CRON_OPTION or name.endswith(TREE_OPTION_SUFFIX)


def is_rebuilt_option(name: bytes) -> bool:
    """Whether the target writes this option anew by itself, so that it is left behind and not missed."""
    return name in REBUILT_OPTIONS or name.startswith(REBUILT_OPTION_PREFIXES)
