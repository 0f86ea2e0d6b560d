"""The one row transform: what a source row becomes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.errors import SourceError
from crossdock.core.tables import Column, Key, Row, Table
from crossdock.wordpress import transform
from crossdock.wordpress.people import People
from crossdock.wordpress.rewriting import Rewriter
from crossdock.wordpress.sitemap import SiteMap, StoreMap, rules
from crossdock.wordpress.transform import TableTransform

STORE = StoreMap(
    store="north", source_blog=1, source_prefix="wp_", source_urls=("http://old.example",),
    source_uploads="/wp-content/uploads", target_blog=5, target_prefix="wp_5_", target_url="https://new.example",
    target_uploads="/wp-content/uploads/sites/5", public=True,
)  # fmt: skip
SECOND = replace(
    STORE, store="second", source_blog=2, source_prefix="wp_2_", source_urls=("http://two.example",),
    source_uploads="/wp-content/uploads/sites/2", target_blog=6, target_prefix="wp_6_", target_url="https://two.new",
)  # fmt: skip
SITE = SiteMap(
    server="north", environment="production", source_base_prefix="wp_", target_base_prefix="wp_",
    source_root="/srv/www", target_root="/sites/x", user_base=1000, stores=(STORE,), headroom=1000, source_blogs=(1,),
)  # fmt: skip
NETWORK = replace(SITE, stores=(STORE, SECOND), source_blogs=(1, 2, 3))
PEOPLE = People(1000, {7: 42}, {8: ("ada-north", "ada-n")})
TEXTS = ("varchar", "longtext", "char", "text", "longblob", "varbinary")


def table(name: str, *columns: str, generated: str = "") -> Table:
    """Columns as 'name type'; the first is the primary key."""
    made = []
    for one in columns:
        column, kind = one.split(" ")
        charset = "utf8mb4" if kind in TEXTS[:4] else None
        made.append(Column(column, kind, kind, True, charset, None, column == generated))
    return Table(name, "InnoDB", "utf8mb4_unicode_ci", tuple(made), (Key("PRIMARY", (made[0].name,), True),), "")


def made(source: Table, *rows: Row, site: SiteMap = SITE, people: People = PEOPLE) -> tuple[list[Row], TableTransform]:
    change = TableTransform(source, site, people, Rewriter(rules((site,), site)))
    return change.rows(list(rows)), change


POSTS = table("wp_posts", "ID bigint", "post_author bigint", "post_content longtext", "guid varchar")
POSTMETA = table("wp_postmeta", "meta_id bigint", "post_id bigint", "meta_key varchar", "meta_value longtext")
USERMETA = table("wp_usermeta", "umeta_id bigint", "user_id bigint", "meta_key varchar", "meta_value longtext")
OPTIONS = table("wp_options", "option_id bigint", "option_name varchar", "option_value longtext", "autoload varchar")
ACTIONS = table("wp_actionscheduler_actions", "action_id bigint", "args varchar", "extended_args varchar")


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"3", b"1003"), (b"0", b"0"), (None, None), (b"-1", b"-1"), (b"7", b"42"), (b"x", b"x"), (b"", b""),
     (b"999", b"1999")],
)  # fmt: skip
def test_user_columns(before: bytes | None, after: bytes | None) -> None:
    rows, _ = made(POSTS, (b"1", before, b"", b""))
    assert rows == [(b"1", after, b"", b"")]


def test_an_id_beyond_the_headroom_would_be_another_servers_user() -> None:
    with pytest.raises(SourceError, match="headroom"):
        made(POSTS, (b"1", b"1000", b"", b""))


def test_addresses_change_and_guids_do_not() -> None:
    rows, change = made(POSTS, (b"1", b"0", b"see http://old.example/a", b"http://old.example/?p=1"))
    assert rows == [(b"1", b"0", b"see https://new.example/a", b"http://old.example/?p=1")]
    assert change.tally.values_changed == 1


def test_a_blob_changes_only_when_it_is_text() -> None:
    blobs = table("wp_mystery", "id bigint", "body longblob")
    binary, text = b"\xff\0http://old.example", b"http://old.example"
    rows, _ = made(blobs, (b"1", binary), (b"2", text))
    assert rows == [(b"1", binary), (b"2", b"https://new.example")]


def test_generated_columns_are_not_carried() -> None:
    source = table("wp_mystery", "id bigint", "upper varchar", "name varchar", generated="upper")
    rows, change = made(source, (b"1", b"x"))
    assert [column.name for column in change.columns] == ["id", "name"]
    assert rows == [(b"1", b"x")]


@pytest.mark.parametrize(
    ("key", "before", "after"),
    [
        (b"_customer_user", b"3", b"1003"),
        (b"_customer_user", b"0", b"0"),
        (b"_edit_lock", b"1700000000:3", b"1700000000:1003"),
        (b"_edit_lock", b"1700000000", b"1700000000"),
        (b"_edit_lock", b"", b""),
        (b"_edit_lock", None, None),
        (b"_used_by", b"ada@x.example", b"ada@x.example"),
        (b"_used_by", b"7", b"42"),
        (b"_maybe_used_by_1700000000_aBcDeF", b"3", b"1003"),
        (b"_price", b"3", b"3"),
        (None, b"3", b"3"),
    ],
)
@pytest.mark.parametrize("name", ["wp_postmeta", "wp_wc_orders_meta"])
def test_meta(name: str, key: bytes | None, before: bytes | None, after: bytes | None) -> None:
    rows, _ = made(replace(POSTMETA, name=name), (b"1", b"2", key, before), (b"2", b"2", key, before))
    assert [row[3] for row in rows] == [after, after]


def usermeta(key: bytes, value: bytes = b"v", user: bytes = b"3", site: SiteMap = NETWORK) -> list[Row]:
    return made(USERMETA, (b"9", user, key, value), site=site)[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"wp_capabilities", b"wp_5_capabilities"),
        (b"wp_user-settings-time", b"wp_5_user-settings-time"),
        (b"wp_2_capabilities", b"wp_6_capabilities"),
        (b"wp_3_capabilities", None),
        (b"wc_order_count_wp", b"wc_order_count_wp_5"),
        (b"wc_last_order_wp_2", b"wc_last_order_wp_6"),
        (b"wc_money_spent_wp_3", None),
        (b"_wc_email_verified_wp", b"_wc_email_verified_wp_5"),
        (b"_woocommerce_persistent_cart_1", b"_woocommerce_persistent_cart_5"),
        (b"_woocommerce_persistent_cart_2", b"_woocommerce_persistent_cart_6"),
        (b"_woocommerce_persistent_cart_3", None),
        (b"session_tokens", None),
        (b"billing_email", b"billing_email"),
        (b"wp", b"wp"),
        (b"", b""),
    ],
)
def test_usermeta_keys(before: bytes, after: bytes | None) -> None:
    expected = [] if after is None else [(b"1000009", b"1003", after, b"v")]
    assert usermeta(before) == expected


def test_a_number_in_a_key_of_a_single_site_is_no_blog() -> None:
    assert usermeta(b"wp_404_seen", site=SITE)[0][2] == b"wp_5_404_seen"


def test_rights_in_the_first_blog_that_is_not_moved_never_reach_the_networks_main_site() -> None:
    only_second = replace(NETWORK, stores=(SECOND,))
    assert usermeta(b"wp_capabilities", site=only_second) == []
    assert usermeta(b"wp_2_capabilities", site=only_second)[0][2] == b"wp_6_capabilities"


@pytest.mark.parametrize("key", [b"wp_capabilities", b"wp_1_capabilities", b"wp_77_user_level", b"WP_Capabilities"])
def test_rights_left_from_an_earlier_prefix_are_not_carried(key: bytes) -> None:
    renamed = replace(SITE, source_base_prefix="shop_", stores=(replace(STORE, source_prefix="shop_"),))
    source = replace(USERMETA, name="shop_usermeta")
    rows, change = made(source, (b"9", b"3", key, b"v"), (b"10", b"3", b"shop_capabilities", b"v"), site=renamed)
    assert [row[2] for row in rows] == [b"wp_5_capabilities"]
    assert change.tally.declared == {transform.STALE_RIGHTS: 1}


def test_suffix_keys_of_a_prefix_without_underscore() -> None:
    site = replace(SITE, source_base_prefix="shop", stores=(replace(STORE, source_prefix="shop"),))
    rows, _ = made(replace(USERMETA, name="shopusermeta"), (b"1", b"3", b"wc_order_count_shop", b"4"), site=site)
    assert rows[0][2] == b"wc_order_count_wp_5"


def test_where_a_person_belongs() -> None:
    assert usermeta(b"primary_blog", b"2")[0][3] == b"6"
    assert usermeta(b"primary_blog", b"3") == []  # in the target it would be another store
    assert usermeta(b"source_domain", b"Two.example")[0][3] == b"two.new"
    assert usermeta(b"source_domain", b"three.example") == []


def test_a_merged_users_shared_values_stay_beside_the_first_accounts() -> None:
    assert usermeta(b"billing_email", user=b"7") == [(b"1000009", b"42", b"_crossdock_north_billing_email", b"v")]
    assert usermeta(b"wp_capabilities", user=b"7") == [(b"1000009", b"42", b"wp_5_capabilities", b"v")]


@given(st.text("é漢a_", min_size=200, max_size=255))
def test_a_long_key_is_cut_by_characters_and_stays_its_own(key: str) -> None:
    first, other = usermeta(key.encode(), user=b"7")[0][2], usermeta((key[:-1] + "!").encode(), user=b"7")[0][2]
    assert first is not None
    assert len(first.decode()) <= 255
    assert first != other


@given(st.sampled_from(["wp_", "shop_", "wp", "x9_"]), st.text("abc_19-", max_size=12), st.integers(1, 3))
def test_a_key_of_one_blog_never_becomes_a_key_of_another(prefix: str, rest: str, blog: int) -> None:
    stores = tuple(
        replace(STORE, source_blog=n, source_prefix=prefix if n == 1 else f"{prefix}{n}_", target_blog=4 + n,
                target_prefix=f"wp_{4 + n}_") for n in (1, 2)
    )  # fmt: skip
    site = replace(NETWORK, source_base_prefix=prefix, stores=stores)
    source = prefix if blog == 1 else f"{prefix}{blog}_"
    rows, _ = made(
        replace(USERMETA, name=f"{prefix}usermeta"), (b"1", b"3", f"{source}{rest}".encode(), b"v"), site=site
    )
    for row in rows:
        target = (row[2] or b"").decode()
        number = rest.split("_", 1)
        if blog == 1 and len(number) == 2 and number[0].isdigit():
            continue  # the key of a blog of that number
        assert blog != 3
        assert target == f"wp_{4 + blog}_{rest}"


def test_users_are_renamed_merged_or_left() -> None:
    source = table(
        "wp_users", "ID bigint", "user_login varchar", "user_pass varchar", "user_nicename varchar",
        "user_activation_key varchar",
    )  # fmt: skip
    rows = [(number, b"ada", b"$P$x", b"ada", b"k") for number in (b"3", b"7", b"8")]
    there, change = made(source, *rows)
    assert there == [(b"1003", b"ada", b"$P$x", b"ada", b"k"), (b"1008", b"ada-north", b"$P$x", b"ada-n", b"k")]
    assert change.tally.declared == {transform.MERGED: 1}
    reset, _ = made(source, rows[0], site=replace(SITE, reset_passwords=True))
    assert reset == [(b"1003", b"ada", b"!", b"ada", b"")]


def option(name: bytes, value: bytes, site: SiteMap = SITE) -> list[Row]:
    return made(OPTIONS, (b"1", name, value, b"yes"), site=site)[0]


def test_options() -> None:
    staging = replace(SITE, stores=(replace(STORE, public=False),))
    assert option(b"siteurl", b"http://old.example/wp")[0][2] == b"https://new.example"
    assert option(b"home", b"http://elsewhere.example")[0][2] == b"https://new.example"
    assert option(b"upload_path", b"/srv/www/media")[0][2] == b""
    assert option(b"upload_url_path", b"http://old.example/media")[0][2] == b""
    assert option(b"blog_public", b"1")[0][2] == b"1"
    assert option(b"blog_public", b"1", staging)[0][2] == b"0"
    assert option(b"cron", b"a:0:{}")[0][1] == b"crossdock_held_cron"
    assert option(b"wp_user_roles", b"a:0:{}")[0][1] == b"wp_5_user_roles"
    assert option(b"wp_page_for_privacy_policy", b"3") == [(b"1", b"wp_page_for_privacy_policy", b"3", b"yes")]
    assert option(b"_transient_x", b"1") == option(b"rewrite_rules", b"1") == []


def test_the_address_that_the_plan_gives_is_not_rewritten_again() -> None:
    # This store takes over the domain that another store lived under, and that store goes somewhere else.
    mine = replace(STORE, target_url="https://two.example")
    site = replace(NETWORK, stores=(mine, SECOND))
    assert option(b"home", b"http://old.example", site)[0][2] == b"https://two.example"
    assert option(b"blogdescription", b"http://two.example", site)[0][2] == b"https://two.new"


def test_rows_balance() -> None:
    rows = [(b"%d" % n, b"_transient_x" if n % 2 else b"x", b"", b"yes") for n in range(9)]
    there, change = made(OPTIONS, *rows)
    assert change.tally.rows_source == 9
    assert change.tally.rows_target == len(there) == 5
    assert sum(change.tally.declared.values()) == 4


@pytest.mark.parametrize(("before", "after"), [(b"3", b"1003"), (b"t_9b8", b"t_9b8"), (b"1" * 32, b"1" * 32)])
def test_sessions_are_keyed_by_user_or_guest(before: bytes, after: bytes) -> None:
    source = table("wp_woocommerce_sessions", "session_id bigint", "session_key char", "session_value longtext")
    assert made(source, (b"1", before, b"x"))[0] == [(b"1", after, b"x")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"user_id":3,"x":1.50}', b'{"user_id":1003,"x":1.50}'),
        (b'[{"customer_id":"3"},{"user_id":0}]', b'[{"customer_id":"1003"},{"user_id":0}]'),
        (b'{"user_id":5000000}', b'{"user_id":5000000}'),
        (b'{"note":"\\"user_id\\":3","u":"\\u00e9"}', b'{"note":"\\"user_id\\":3","u":"\\u00e9"}'),
        (b'{"post_user_id":3,"user_id":3.5}', b'{"post_user_id":3,"user_id":3.5}'),
        (b"[3]", b"[3]"),
        (b"", b""),
        (None, None),
    ],
)
def test_scheduled_arguments(before: bytes | None, after: bytes | None) -> None:
    assert made(ACTIONS, (b"1", before, None))[0] == [(b"1", after, None)]


def test_scheduled_arguments_are_found_again_by_their_hash() -> None:
    def md5(value: bytes) -> bytes:
        return hashlib.md5(value).hexdigest().encode()

    long = b'{"url":"http:\\/\\/old.example\\/a","x":"' + b"y" * 200 + b'"}'
    moved = long.replace(b"http:\\/\\/old", b"https:\\/\\/new")
    assert made(ACTIONS, (b"1", md5(long), long))[0] == [(b"1", md5(moved), moved)]
    foreign = (b"1", b"not its hash", long)
    assert made(ACTIONS, foreign)[0] == [(b"1", b"not its hash", moved)]
    tight = b'{"url":"http:\\/\\/old.example\\/","x":"' + b"y" * 152 + b'"}'
    assert len(tight) == 191
    grown = tight.replace(b"http:\\/\\/old", b"https:\\/\\/new")
    assert made(ACTIONS, (b"1", tight, None))[0] == [(b"1", md5(grown), grown)]


def test_the_same_columns_in_another_order() -> None:
    source = table("wp_usermeta", "umeta_id bigint", "meta_value longtext", "meta_key varchar", "user_id bigint")
    assert made(source, (b"1", b"v", b"wp_capabilities", b"3"))[0] == [
        (b"1000001", b"v", b"wp_5_capabilities", b"1003")
    ]


def test_a_table_without_wordpress_columns_is_refused() -> None:
    with pytest.raises(SourceError, match="meta_key"):
        made(table("wp_postmeta", "meta_id bigint", "value longtext"))


def test_columns_that_a_person_declared() -> None:
    site = replace(SITE, user_columns=(("wp_mystery", "boss"),))
    source = table("wp_mystery", "id bigint", "boss varchar", "rank int")
    assert made(source, (b"1", b"3", b"3"), site=site)[0] == [(b"1", b"1003", b"3")]
