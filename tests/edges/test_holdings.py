"""What a store's database holds beside its pages, asked of a real MariaDB in a read-only session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from local_servers import TestDatabase

from crossdock.core.inventory import Item
from crossdock.core.ports import ServerFacts, Session
from crossdock.lab.data.php import serialize
from crossdock.move.holdings import network_plugins, survey_holdings
from crossdock.move.survey import SourceFacts
from crossdock.wordpress.installation import Blog, Installation
from crossdock.wordpress.people import SourceUser

YEAR = 365 * 86_400
NOW = 1_800_000_000
SECRET = "sk_live_51Hsecret"


def literal(value: object) -> str:
    """A value as MariaDB reads it."""
    raw = value if isinstance(value, bytes) else str(value).encode()
    return f"x'{raw.hex()}'"


TABLES = """
CREATE TABLE p_options (option_id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, option_name varchar(191) UNIQUE,
  option_value longtext);
CREATE TABLE p_posts (ID bigint PRIMARY KEY);
CREATE TABLE p_postmeta (meta_id bigint PRIMARY KEY AUTO_INCREMENT, post_id bigint, meta_key varchar(255),
  meta_value longtext);
CREATE TABLE p_users (ID bigint PRIMARY KEY, user_login varchar(60), user_email varchar(100), user_registered datetime);
CREATE TABLE p_usermeta (umeta_id bigint PRIMARY KEY AUTO_INCREMENT, user_id bigint, meta_key varchar(255),
  meta_value longtext, KEY meta_key (meta_key(191)));
CREATE TABLE p_sitemeta (meta_id bigint PRIMARY KEY AUTO_INCREMENT, site_id bigint, meta_key varchar(255),
  meta_value longtext);
CREATE TABLE p_wc_webhooks (webhook_id bigint PRIMARY KEY, status varchar(200), topic varchar(200), delivery_url text);
CREATE TABLE p_woocommerce_api_keys (key_id bigint PRIMARY KEY, permissions varchar(10), consumer_secret char(43),
  last_access datetime NULL);
CREATE TABLE p_actionscheduler_actions (action_id bigint PRIMARY KEY AUTO_INCREMENT, hook varchar(191),
  status varchar(20));
CREATE TABLE p_gf_entry (id int PRIMARY KEY, ip varchar(39));
CREATE TABLE p_crm_people (id int PRIMARY KEY, first_name varchar(20), phone varchar(20));
CREATE TABLE p_as3cf_items (id int PRIMARY KEY);
CREATE TABLE p_plain (id int PRIMARY KEY, price int);
"""


@pytest.fixture(scope="module")
def session(mariadb: TestDatabase) -> Iterator[Session]:
    mariadb.root("CREATE DATABASE cd_held")
    mariadb.root("USE cd_held;" + TABLES + "".join(rows()))
    opened = mariadb.endpoint("cd_held").open_source()
    yield opened
    opened.close()
    mariadb.root("DROP DATABASE cd_held")


def rows() -> Iterator[str]:
    gateway = {"enabled": "yes", "testmode": "no", "secret_key": SECRET}
    options: dict[str, Any] = {
        "cron": {
            1_700_000_000: {"wp_version_check": {"a": {}, "b": {}}},
            1_700_000_001: {"acme_sync": {"a": {}}},
            "version": 2,
        },
        "woocommerce_stripe_settings": gateway,
        "woocommerce_paypal_settings": {**gateway, "testmode": "yes"},
        "woocommerce_klarna_settings": {**gateway, "enabled": "no"},
        "woocommerce_email_settings": {"enabled": "yes", "subject": "x"},
        "woocommerce_bacs_settings": {"enabled": "yes", "title": "x"},
        "acme_license_key": SECRET,
        "_transient_license": SECRET,
        "tantan_wordpress_s3": {"bucket": "acme-media", "secret-access-key": SECRET},
    }
    for name, value in options.items():
        stored = value if isinstance(value, str) else serialize(value)
        yield f"INSERT INTO p_options (option_name, option_value) VALUES ({literal(name)}, {literal(stored)});"
    yield "INSERT INTO p_options (option_name, option_value) VALUES ('woocommerce_broken_settings', 'a:1:{broken');"
    url = f"https://u:{SECRET}@erp.example/in?key={SECRET}"
    yield f"INSERT INTO p_wc_webhooks VALUES (7, 'active', 'order.created', {literal(url)});"
    yield f"INSERT INTO p_woocommerce_api_keys VALUES (1, 'read', '{SECRET}', NULL), (2, 'read', 'x', '2026-01-02');"
    for status in ("pending", "failed", "failed"):
        yield f"INSERT INTO p_actionscheduler_actions (hook, status) VALUES ('a', '{status}');"
    yield "INSERT INTO p_as3cf_items VALUES (1), (2);"
    yield "INSERT INTO p_gf_entry VALUES (1, '203.0.113.9');"
    registered = "FROM_UNIXTIME(%d)"
    for user, days in ((1, 1), (2, 900), (3, 900), (4, 900), (5, 900)):
        at = registered % (NOW - days * 86_400)
        yield f"INSERT INTO p_users VALUES ({user}, 'login{user}', 'person{user}@x.example', {at});"
    roles = {1: "administrator", 2: "administrator", 3: "administrator", 4: "administrator", 5: "customer"}
    for user, role in roles.items():
        rights = literal(serialize({role: True}))
        yield f"INSERT INTO p_usermeta (user_id, meta_key, meta_value) VALUES ({user}, 'p_capabilities', {rights});"
    tokens = literal(serialize({"ab": {"expiration": NOW, "login": NOW - 5}}))
    yield f"INSERT INTO p_usermeta (user_id, meta_key, meta_value) VALUES (3, 'session_tokens', {tokens});"
    yield f"INSERT INTO p_usermeta (user_id, meta_key, meta_value) VALUES (4, 'wc_last_active', '{NOW - 2 * YEAR}');"
    network = literal(serialize({"acme/acme.php": 1, "b.php": 2}))
    yield f"INSERT INTO p_sitemeta (site_id, meta_key, meta_value) VALUES (1, 'active_sitewide_plugins', {network});"


def facts(session: Session, **changes: Any) -> SourceFacts:
    options = {"upload_url_path": "https://cdn.example/up", "home": "https://x.example"}
    blog = Blog(1, "p_", "x.example", "/", options)
    here = Installation("/srv", "6.8", 1, "8.2", "p_", "x", "localhost", "utf8mb4", **changes)
    users = (SourceUser(1, "Admin", "admin", "a@x.example"), SourceUser(2, "ada", "ada", "b@x.example"))
    return SourceFacts("north", "", here, session.schema(), ServerFacts("", "", ()), (blog,), users)


@pytest.fixture(scope="module")
def items(session: Session) -> dict[str, Item]:
    return {one.key: one for one in survey_holdings(session, facts(session), now=NOW)}


def test_scheduled_events_of_both_kinds(items: dict[str, Item]) -> None:
    assert items["cron-hook:north:wp_version_check"].data["events"] == 2
    assert items["cron-hook:north:acme_sync"].data["events"] == 1
    assert items["cron-hook:north:action:a"].data["actions"] == {"failed": 2, "pending": 1}


def test_gateways_that_are_on_and_how(items: dict[str, Item]) -> None:
    modes = {one.name: one.data["mode"] for one in items.values() if one.kind == "gateway"}
    assert modes == {"stripe": "live", "paypal": "test", "bacs": "offline"}


def test_what_is_bound_to_a_site(items: dict[str, Item]) -> None:
    assert items["webhook:north:7"].text == "order.created to https://erp.example/in, active"
    assert items["api-key:north:read"].data == {"blog": 1, "count": 2, "last": "2026-01-02"}
    assert [one.name for one in items.values() if one.kind == "licence"] == ["acme_license_key"]
    assert items["media:north:acme-media"].data["attachments"] == 2
    assert "upload_url_path" in items["media:north:cdn.example"].text


def test_accounts_that_nobody_uses(items: dict[str, Item]) -> None:
    staff = items["account:north:administrator"]
    # 1 is new; of 2 nothing tells; 3 is signed in; 4 was here two years ago
    assert staff.data == {"blog": 1, "count": 4, "never_seen": 2, "old": [2, 4]}
    assert items["account:north:default-logins"].data["users"] == [1]


def test_personal_data_by_table(items: dict[str, Item]) -> None:
    told = {one.name: (one.data["rows"], one.text.partition(": ")[2]) for one in items.values() if one.kind == "data"}
    assert told == {
        "p_users": (5, "accounts"),
        "p_gf_entry": (1, "what people wrote into forms (Gravity Forms)"),
        "p_crm_people": (0, "columns that are named like personal data: first_name, phone"),
    }


def test_no_secret_and_no_person_is_told(items: dict[str, Item]) -> None:
    told = repr([one.as_json() for one in items.values()])
    assert SECRET not in told
    assert "person" not in told.replace("personal", "")
    assert "203.0.113.9" not in told


def test_plugins_of_a_network(session: Session) -> None:
    assert network_plugins(session, facts(session)) == ()
    assert network_plugins(session, facts(session, multisite=True)) == ("acme/acme.php", "b.php")


def test_very_many_hooks_are_bounded(mariadb: TestDatabase, session: Session) -> None:
    begin = time.monotonic()
    mariadb.root(
        "USE cd_held; INSERT INTO p_actionscheduler_actions (hook, status) "
        "SELECT CONCAT('h', seq), 'pending' FROM seq_1_to_20000"
    )
    found = survey_holdings(session, facts(session), now=NOW)
    assert sum(one.kind == "cron-hook" for one in found) <= 2502
    assert time.monotonic() - begin < 10
