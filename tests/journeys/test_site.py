"""The checks of the site on real servers: green after a move, red by its own code for each thing that is altered."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import projects as on
import pytest

from crossdock.lab.lab import Lab

pytestmark = pytest.mark.lab

STORES = {"north": 2, "south": 3, "east": 4, "east-fr": 5}
PROBE = 999_999  # the last number below the first server's range


@dataclass
class Moved:
    """All stores on staging and production."""

    lab: Lab
    project: on.Project

    def root(self, environment: str) -> Path:
        return self.lab.managed.root(environment)

    def rows(self, query: str, environment: str = "staging") -> list[tuple[Any, ...]]:
        with self.lab.connect(*on.schema_of(self.lab, environment)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            found = list(cursor.fetchall())
            connection.commit()
        return found

    def check(self, environment: str = "staging") -> tuple[set[str], dict[str, Any]]:
        """The codes of red findings, and all that was told."""
        self.lab.managed.web.clear_cache()
        done = self.project.run("move", "check", "--in", environment, "--json")
        assert done.returncode in (0, 1), done.stderr
        told = json.loads(done.stdout)
        red = {one["code"] for one in told["findings"] if one["level"] in ("fail", "block")}
        assert bool(red) == bool(done.returncode) == (not told["green"])
        return red, told

    @contextmanager
    def option(self, blog: int, name: str, value: str, environment: str = "staging") -> Iterator[None]:
        where = f"wp_{blog}_options SET option_value = '%s' WHERE option_name = '{name}'"
        before = self.rows(f"SELECT option_value FROM wp_{blog}_options WHERE option_name = '{name}'", environment)
        self.rows(f"UPDATE {where % value}", environment)
        try:
            yield
        finally:
            self.rows(f"UPDATE {where % before[0][0]}", environment)

    @contextmanager
    def sitemeta(self, name: str, value: str, environment: str = "staging") -> Iterator[None]:
        where = f"wp_sitemeta SET meta_value = '%s' WHERE meta_key = '{name}'"
        before = self.rows(f"SELECT meta_value FROM wp_sitemeta WHERE meta_key = '{name}'", environment)
        self.rows(f"UPDATE {where % value}", environment)
        try:
            yield
        finally:
            self.rows(f"UPDATE {where % before[0][0]}", environment)

    @contextmanager
    def file(self, name: str, text: str, environment: str = "staging") -> Iterator[None]:
        """A file below the WordPress folder that is not there before."""
        path = self.root(environment) / name
        made = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.lab.managed.server.account.own(path, *made)
        try:
            yield
        finally:
            path.unlink()
            for folder in made:
                folder.rmdir()

    @contextmanager
    def wp_config(self, change: Callable[[str], str], environment: str = "staging") -> Iterator[None]:
        path = self.root(environment) / "wp-config.php"
        before = path.read_text()
        after = change(before)
        assert after != before
        path.write_text(after)
        try:
            yield
        finally:
            path.write_text(before)

    @contextmanager
    def crontab(self, line: str) -> Iterator[None]:
        """The host's account has a crontab with this line."""
        server = self.lab.managed.server
        before = (server.bin / "crontab").read_text()
        server.command("crontab", f"echo '{line}'")
        try:
            yield
        finally:
            (server.bin / "crontab").write_text(before)


@pytest.fixture(scope="module")
def moved(lab_gateway: Lab) -> Iterator[Moved]:
    on.reset(lab_gateway)
    project = on.new_project(lab_gateway)
    project.green("move", "run")
    yield Moved(lab_gateway, project)
    project.close()


def defined(name: str, value: str) -> Callable[[str], str]:
    """Adds a constant, in front of all others."""
    return lambda text: text.replace("<?php\n", f"<?php\ndefine( '{name}', {value} );\n", 1)


# -- green -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_moved_stores_are_green_and_nothing_is_left(moved: Moved, environment: str) -> None:
    before = on.checksums(moved.lab, environment)
    files = sorted(moved.root(environment).rglob("uploads/**/*"))
    red, told = moved.check(environment)
    assert red == set()
    assert told["site_checks"] > 60
    assert on.different(before, on.checksums(moved.lab, environment)) == {}
    assert sorted(moved.root(environment).rglob("uploads/**/*")) == files
    codes = {one["code"] for one in told["findings"]}
    assert ("host.twin" in codes) == (environment == "production")
    skipped = [one["text"] for one in told["findings"] if one["code"] == "site.skipped"]
    assert any(text.startswith("certificate") for text in skipped)
    assert "example.invalid" not in json.dumps(told)


def test_validation_holds_the_checks_and_their_receipt(moved: Moved) -> None:
    chain = json.loads(moved.project.green("verify-evidence", "--json", "--all"))
    data = {one["subject"]: one["data"] for one in chain["receipts"] if one["step"] == "validate.site"}
    assert set(data) == {"staging", "production"}
    assert data["staging"]["checks"]["login"] == {"run": 4, "failed": 0, "skipped": 0}
    figures = {one["subject"]: one["data"] for one in chain["receipts"] if one["step"] == "validate"}
    assert figures["production"]["site_failed"] == 0 < figures["production"]["site_checks"]


def test_what_our_visits_leave_is_no_difference_to_the_next_validation(moved: Moved) -> None:
    told = json.loads(moved.project.green("move", "validate", "--in", "staging", "--json"))
    assert told["green"] is True
    assert told["rows_extra"] == told["rows_missing"] == told["rows_different"] == 0


# -- red -------------------------------------------------------------------------------------------------------------


def test_what_the_database_says_wrong_is_named(moved: Moved) -> None:
    admins = 'a:3:{i:0;s:5:"lumen";i:1;s:5:"ghost";i:2;s:3:"ada";}'
    with ExitStack() as altered:
        for change in (
            moved.option(STORES["north"], "blogname", "Another name"),
            moved.option(STORES["south"], "blog_public", "1"),
            moved.option(STORES["east"], "stylesheet", "twentytwentyfive"),
            moved.option(STORES["east"], "template", "twentytwentyfive"),
            moved.sitemeta("fileupload_maxk", "1500"),
            moved.sitemeta("upload_space_check_disabled", "0"),
            moved.sitemeta("site_admins", admins),
        ):
            altered.enter_context(change)
        red, told = moved.check()
    assert red == {
        "page.title", "blog.public", "page.indexed", "theme.unapproved", "network.upload-size", "network.upload-space",
        "network.super-admin",
    }, told  # fmt: skip
    places = {one["code"]: one["place"] for one in told["findings"] if one["level"] == "fail"}
    assert places["page.title"].startswith("north, ")
    assert places["theme.unapproved"].startswith("east: ")


def test_another_address_and_lost_permalinks_are_named(moved: Moved) -> None:
    with ExitStack() as altered:
        altered.enter_context(moved.option(STORES["north"], "siteurl", "http://north.staging.lumen.example/wp"))
        altered.enter_context(moved.option(STORES["east"], "permalink_structure", ""))
        _, told = moved.check()
    red = {(one["code"], store) for one in told["findings"] for store in STORES if f"{store}.staging" in one["place"]}
    assert {("blog.address", "north"), ("rest.home", "north")} <= red
    assert {("page.status", "east"), ("canonical.lost", "east")} <= red
    assert not any(code in ("blog.address", "rest.home", "page.status") for code, store in red if store == "south")


def test_a_foreign_plugin_and_what_it_does_are_named(moved: Moved) -> None:
    code = """<?php /* Plugin Name: Meddler */
    add_action('wp_head', static function () {
        echo '<meta name="description" content="new"><meta property="og:title" content="new">',
            '<link rel="alternate" hreflang="fr" href="http://east-fr.staging.lumen.example/">',
            '<script type="application/ld+json">{"@type":"Thing"}</script><script>gtag("config", "G-NEW1234")</script>';
    });
    add_filter('authenticate', static function () { return new WP_Error('no', 'not today'); }, 99);
    add_filter('wp_mail_from', static function () { return 'x@elsewhere.example'; });
    """
    with ExitStack() as altered:
        altered.enter_context(moved.file("wp-content/plugins/meddler/meddler.php", code))
        active = 'a:1:{i:0;s:19:"meddler/meddler.php";}'
        altered.enter_context(moved.option(STORES["north"], "active_plugins", active))
        red, told = moved.check()
    assert red == {
        "plugin.unapproved", "page.description", "page.social", "page.hreflang", "hreflang.one-way",
        "page.structured-data", "page.analytics", "login.refused",
    }, told  # fmt: skip
    mail = [one["place"] for one in told["findings"] if one["code"] == "mail.from" and "elsewhere" in one["text"]]
    assert mail == ["north: http://north.staging.lumen.example"]


def test_what_wp_config_says_wrong_is_named(moved: Moved) -> None:
    production = (moved.root("production") / "wp-config.php").read_text()
    shared = next(line for line in production.splitlines() if "'LOGGED_IN_KEY'" in line)

    def changed(text: str) -> str:
        own = next(line for line in text.splitlines() if "'LOGGED_IN_KEY'" in line)
        text = text.replace(own, shared).replace("'COOKIE_DOMAIN', false", "'COOKIE_DOMAIN', '.lumen.other'")
        text = text.replace("'DISABLE_WP_CRON', true", "'DISABLE_WP_CRON', false")
        return defined("WP_HOME", "'http://north.staging.lumen.example'")(prefix(text))

    cache = (moved.root("staging") / "wp-includes/cache.php").read_text()
    prefix = defined("WP_CACHE_KEY_SALT", "'lumen'")
    with ExitStack() as altered:
        altered.enter_context(moved.wp_config(changed))
        altered.enter_context(moved.wp_config(prefix, "production"))
        altered.enter_context(moved.crontab(f"* * * * * php {moved.root('staging')}/wp-cron.php"))
        altered.enter_context(moved.file("wp-content/object-cache.php", cache))
        altered.enter_context(moved.file("wp-content/sunrise.php", "<?php\n"))
        red, told = moved.check()
    assert red == {
        "salt.shared", "constant.address", "constant.cookie-domain", "login.cookie-domain", "login.dashboard",
        "cache.prefix-shared", "constant.sunrise", "cron.twice",
    }, told  # fmt: skip
    assert shared.split("'")[3] not in json.dumps(told)


def test_without_a_cookie_domain_and_with_a_forgotten_robots_txt_production_is_red(moved: Moved) -> None:
    """WordPress then takes the network's domain for every store's cookies."""
    without = "define( 'COOKIE_DOMAIN', false );"
    with ExitStack() as altered:
        altered.enter_context(moved.wp_config(lambda text: text.replace(without, ""), "production"))
        altered.enter_context(moved.file("robots.txt", "User-agent: *\nDisallow: /\n", "production"))
        red, told = moved.check("production")
    assert red == {"constant.cookie-domain", "login.cookie-domain", "login.dashboard", "robots.differs"}
    assert sum(one["code"] == "robots.differs" for one in told["findings"]) == len(STORES)


def test_uploads_that_cannot_be_written_are_named_and_somebody_elses_account_is_not_touched(moved: Moved) -> None:
    folder = moved.root("staging") / f"wp-content/uploads/sites/{STORES['east']}"
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    moved.lab.managed.server.account.own(*made)
    modes = {one: one.stat().st_mode for one in (folder, *folder.rglob("*")) if one.is_dir()}
    moved.rows(f"INSERT INTO wp_users (ID, user_login, user_pass) VALUES ({PROBE}, 'somebody', '!')")
    try:
        for one in modes:
            one.chmod(0o555)
        red, told = moved.check()
        somebody = moved.rows(f"SELECT user_login FROM wp_users WHERE ID = {PROBE}")
    finally:
        moved.rows(f"DELETE FROM wp_users WHERE ID = {PROBE}")
        for one, mode in modes.items():
            one.chmod(mode)
        for one in made:
            one.rmdir()
    assert red == {"upload.unwritable", "login.untried"}
    unwritable = [one["place"].split(":")[0] for one in told["findings"] if one["code"] == "upload.unwritable"]
    assert (unwritable, somebody) == (["east"], [("somebody",)])


def test_a_host_that_closes_the_door_is_red_and_no_crash(moved: Moved) -> None:
    """PHP's command line refuses: every store is told as unreadable, and what needs no PHP is checked all the same."""
    silent = "<?php\nif (PHP_SAPI === 'cli' && defined('WP_USE_THEMES')) { exit; }\n"
    with moved.wp_config(lambda text: text.replace("<?php\n", silent, 1)):
        red, told = moved.check()
    assert {"site.unreadable", "login.untried", "upload.unwritable"} <= red
    assert sum(one["code"] == "site.unreadable" for one in told["findings"]) == len(STORES)


# -- interrupted -----------------------------------------------------------------------------------------------------


def test_what_a_killed_check_left_goes_with_the_next_one(moved: Moved) -> None:
    before = on.checksums(moved.lab, "staging")
    process = moved.project.start("move", "check", "--in", "staging")
    probe = f"SELECT user_login FROM wp_users WHERE ID = {PROBE}"
    end = time.monotonic() + 60
    while not moved.rows(probe):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    left = moved.root("staging") / f"wp-content/uploads/sites/{STORES['north']}/2019/01/crossdock-probe-2-x.txt"
    left.parent.mkdir(parents=True)
    left.write_text("left")
    moved.lab.managed.server.account.own(left.parents[1])
    time.sleep(1)  # what the killed one began on the server ends
    assert moved.rows(probe)[0][0].startswith("crossdock-probe-")
    assert moved.check()[0] == set()
    assert moved.rows(probe) == []
    assert not left.parents[1].exists()
    assert on.different(before, on.checksums(moved.lab, "staging")) == {}


# -- WooCommerce -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def selling(lab_gateway: Lab) -> Iterator[Moved]:
    """South moved to staging, to which WooCommerce's code was deployed first."""
    on.reset(lab_gateway)
    on.deploy_woocommerce(lab_gateway)
    project = on.new_project(lab_gateway, ["south"])
    project.green("move", "run", "--until", "validate staging")
    yield Moved(lab_gateway, project)
    project.close()
    on.reset(lab_gateway)


@pytest.mark.woocommerce
def test_the_same_carts_cost_the_same(selling: Moved) -> None:
    source = on.checksums(selling.lab, "south")
    red, told = selling.check()
    assert red == set()
    assert not any(one["text"].startswith("carts") for one in told["findings"] if one["code"] == "site.skipped")
    assert on.different(source, on.checksums(selling.lab, "south")) == {}


@pytest.mark.woocommerce
def test_a_cent_more_in_a_cart_is_named(selling: Moved) -> None:
    price = "wp_2_postmeta SET meta_value = meta_value %s WHERE meta_key IN ('_price', '_regular_price')"
    orders = selling.rows("SELECT COUNT(*) FROM wp_2_wc_orders")
    selling.rows(f"UPDATE {price % '+ 0.01'} AND meta_value > 0")
    red, told = selling.check()
    assert "cart.total" in red <= {"cart.total", "page.structured-data"}
    assert any(one["code"] == "cart.total" and "subtotal" in one["text"] for one in told["findings"])
    assert selling.rows("SELECT COUNT(*) FROM wp_2_wc_orders") == orders
