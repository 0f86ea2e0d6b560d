"""Redirects from the command line on real servers: harvested, decided by a person, carried out by nginx, replayed."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import projects as on
import pytest

from crossdock.lab.lab import Lab
from crossdock.lab.web import nginx_command

pytestmark = pytest.mark.lab

FIRST_BLOG = 2
STORES = ("north", "south", "east", "east-fr")
RULES = (
    "CREATE TABLE wp_redirection_items (id int unsigned NOT NULL AUTO_INCREMENT, url mediumtext NOT NULL,"
    " regex int NOT NULL, position int NOT NULL DEFAULT 0,"
    " status enum('enabled','disabled') NOT NULL DEFAULT 'enabled', action_type"
    " varchar(20) NOT NULL, action_code int NOT NULL, action_data mediumtext, match_type varchar(20) NOT NULL,"
    " PRIMARY KEY (id)) DEFAULT CHARSET=utf8mb4"
)


@dataclass
class Redirected:
    """One project with its stores copied to staging and their addresses harvested."""

    lab: Lab
    project: on.Project
    told: dict[str, Any]

    @property
    def path(self) -> Path:
        return self.project.state / "redirects-staging.csv"

    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.path.read_text(encoding="utf-8"), newline="")))

    def row(self, source: str) -> dict[str, str]:
        return next(one for one in self.rows() if one["source"] == source)

    def replay(self) -> dict[str, Any]:
        done = self.project.run("move", "redirects", "replay", "--to", "staging", "--json")
        assert done.returncode in (0, 1), done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def redirected(lab_gateway: Lab) -> Iterator[Redirected]:
    lab = lab_gateway
    on.reset(lab)
    with lab.connect("north") as connection, connection.cursor() as cursor:
        cursor.execute(RULES)
        cursor.execute(
            "INSERT INTO wp_redirection_items (url, regex, action_type, action_code, action_data, match_type) VALUES"
            " ('/catalogue', 0, 'url', 301, '/about/', 'url'), ('/discontinued', 0, 'error', 410, '', 'url')"
        )
        cursor.execute("INSERT INTO wp_postmeta (post_id, meta_key, meta_value)"
                       " SELECT ID, '_wp_old_slug', 'about-them' FROM wp_posts WHERE post_name = 'about'")  # fmt: skip
        connection.commit()
    project = on.new_project(lab)
    text = project.config.read_text(encoding="utf-8")
    answer = '"table:north:wp_redirection_items" = { choice = "carry", by = "Ada", reason = "old redirects" }\n'
    text = text.replace("requests_per_second = 60", "requests_per_second = 200")
    project.config.write_text(text.replace("[decisions]\n", "[decisions]\n" + answer), encoding="utf-8")
    try:
        project.green("move", "run", "--until", "copy staging")
        done = project.run("move", "redirects", "harvest", "--to", "staging", "--json")
        assert done.returncode in (0, 4), done.stderr
        copy_uploads(lab)
        yield Redirected(lab, project, json.loads(done.stdout))
    finally:
        project.close()
        with lab.connect("north") as connection, connection.cursor() as cursor:
            cursor.execute("DROP TABLE wp_redirection_items")
            cursor.execute("DELETE FROM wp_postmeta WHERE meta_value = 'about-them'")
            connection.commit()


def copy_uploads(lab: Lab) -> None:
    """As the move of files will do it."""
    number = FIRST_BLOG
    for source in lab.sources.values():
        for blog in source.spec.blogs:
            uploads = source.wordpress.root / "wp-content/uploads"
            here = uploads if blog.number == 1 else uploads / f"sites/{blog.number}"
            there = lab.managed.root("staging") / f"wp-content/uploads/sites/{number}"
            shutil.copytree(here, there, dirs_exist_ok=True, ignore=shutil.ignore_patterns("sites"))
            number += 1
    lab.managed.server.account.own(lab.managed.root("staging"))


@pytest.fixture
def in_force(redirected: Redirected) -> Iterator[Redirected]:
    """The map in the managed host's nginx, taken out again afterwards."""
    server = redirected.lab.managed.server
    rules = redirected.project.state / "rules"
    redirected.project.green(
        "move", "redirects", "emit", "--to", "staging", "--format", "nginx", "--out", str(rules)
    )  # fmt: skip
    settings = server.etc / "nginx/sites-enabled/staging.conf"
    before = settings.read_text()
    maps = server.etc / "nginx/conf.d/redirects.conf"
    shutil.copy(rules / "redirects-staging-http.conf", maps)
    shutil.copy(rules / "redirects-staging-server.conf", server.etc / "nginx/redirects-staging.conf")
    include = f"  include {server.etc}/nginx/redirects-staging.conf;\n"
    settings.write_text(before.replace("  location / {", include + "  location / {", 1))
    try:
        reload(redirected.lab)
        yield redirected
    finally:
        settings.write_text(before)
        maps.unlink()
        reload(redirected.lab)


def reload(lab: Lab) -> None:
    server = lab.managed.server
    for words in (["-t"], ["-s", "reload"]):
        done = server.account.run([*nginx_command(server), *words], env=server.environment())
        assert done.returncode == 0, done.stderr
    lab.managed.web.clear_cache()


# -- harvest ---------------------------------------------------------------------------------------------------------


def test_addresses_come_from_wordpress_sitemaps_logs_and_rules(redirected: Redirected) -> None:
    rows = redirected.rows()
    origins = {row["origin"] for row in rows}
    assert {"home", "post", "page", "file", "category", "author", "feed", "date", "former address", "log"} <= origins
    assert any(re.match(r"north .*sites-enabled/north\.conf:\d+", origin) for origin in origins)
    assert "north redirection 1" in origins
    for store in STORES:
        domain = next(
            blog.domain
            for source in redirected.lab.sources.values()
            for blog in source.spec.blogs
            if blog.store == store
        )
        mine = [row for row in rows if row["source"].startswith(f"http://{domain}/")]
        assert len(mine) > 30, store
        assert {row["action"] for row in mine} >= {"kept", "moved"}, store
        assert all(f"//{store}.staging.lumen.example/" in row["target"] for row in mine if row["action"] == "kept")
    found = {one["place"]: one["text"] for one in redirected.told["findings"] if one["code"] == "harvest.logs"}
    assert all(re.match(r"[1-9]\d* access logs, [1-9]", found[name]) for name in ("north", "south", "east"))


def test_old_rules_lead_to_their_end_in_one_hop(redirected: Redirected) -> None:
    post = redirected.row("http://www.north.example/?p=1")
    assert post["action"] == "moved"
    assert re.fullmatch(r"http://north\.staging\.lumen\.example/[^?]+/", post["target"])
    old = redirected.row("http://south.example/old-blog/hello-world/")
    assert (old["action"], old["target"]) == ("moved", "http://south.staging.lumen.example/hello-world/")
    former = redirected.row("http://www.north.example/about-them/")
    assert (former["target"], former["status"]) == ("http://north.staging.lumen.example/about/", "301")
    plugin = redirected.row("http://www.north.example/catalogue/")
    assert plugin["target"] == "http://north.staging.lumen.example/about/"
    assert redirected.row("http://www.north.example/discontinued/")["status"] == "410"
    hero = redirected.row("http://www.north.example/wp-content/uploads/2021/05/hero.png")
    assert hero["target"] == "http://north.staging.lumen.example/wp-content/uploads/sites/2/2021/05/hero.png"
    assert int(hero["hits"]) > 0


def test_what_is_dead_at_the_source_is_a_question_and_not_lost(redirected: Redirected) -> None:
    row = redirected.row("http://www.north.example/gone-since-2019/")
    assert (row["action"], row["status"]) == ("unknown", "")
    assert "404" in row["note"]
    unmapped = [one for one in redirected.told["findings"] if one["code"] == "url.unmapped"]
    assert {one["level"] for one in unmapped} == {"warn"}


def test_nothing_is_lost_when_it_is_harvested_again(redirected: Redirected) -> None:
    before = redirected.rows()
    redirected.project.run("move", "redirects", "harvest", "--to", "staging")
    after = redirected.rows()
    assert {(row["source"], row["action"], row["target"]) for row in before} <= {
        (row["source"], row["action"], row["target"]) for row in after
    }


# -- a person decides, nginx carries it out, the replay proves it ----------------------------------------------------


def test_a_decided_map_in_force_is_green(
    redirected: Redirected, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rows = redirected.rows()
    for row in rows:
        if row["action"] == "unknown":
            row.update(action="gone", status="410", note="Dead since 2019; Ada Berg, 2026-11-25")
    edited = tmp_path / "map.csv"
    with edited.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    told = redirected.project.green(
        "move", "redirects", "import", str(edited), "--to", "staging", "--by", "Ada Berg", "--json"
    )
    assert json.loads(told)["urls_undecided"] == 0
    assert redirected.row("http://www.north.example/gone-since-2019/")["origin"] == "by Ada Berg"
    request.getfixturevalue("in_force")
    found = redirected.replay()
    assert [one["text"] for one in found["findings"] if one["level"] == "fail"] == []
    assert found["urls_ok"] == found["urls_total"] > 200
    assert found["urls_moved"] > 50
    assert found["urls_gone"] > 3
    chain = json.loads(redirected.project.green("verify-evidence", "--json"))
    last = [one for one in chain["receipts"] if one["step"] == "redirects.replay"][-1]
    assert last["data"]["urls_failed"] == 0
    assert "example" not in json.dumps(last["data"])


def test_without_the_map_in_force_the_replay_says_so(redirected: Redirected) -> None:
    found = redirected.replay()
    assert found["urls_failed"] > 0
    codes = {one["code"] for one in found["findings"]}
    assert "url.missing" in codes
    assert codes <= {"url.missing", "url.not-gone", "url.elsewhere", "url.slow"}


def test_validate_replays_the_map_too(in_force: Redirected) -> None:
    done = in_force.project.run("move", "validate", "--in", "staging", "--json")
    result = json.loads(done.stdout)
    assert result["urls_total"] > 200
    assert result["urls_failed"] == 0
    assert done.returncode == 0


def test_damage_is_named(in_force: Redirected) -> None:
    """A page that dies, a page that is gone, a loop: each has its own finding."""
    plugins = in_force.lab.managed.root("staging") / "wp-content/mu-plugins"
    plugins.mkdir(exist_ok=True)
    code = """<?php
$path = $_SERVER['REQUEST_URI']; $host = $_SERVER['HTTP_HOST'];
if ($host === 'south.staging.lumen.example') {
    if ($path === '/about/') { wp_die('There has been a critical error on this website.', '', ['response' => 200]); }
    if ($path === '/contact/') { add_action('template_redirect', function () { $GLOBALS['wp_query']->set_404(); }); }
    if ($path === '/feed/') { header('Location: /comments/feed/', true, 301); exit; }
    if ($path === '/comments/feed/') { header('Location: /feed/', true, 301); exit; }
}
"""
    (plugins / "damage.php").write_text(code)
    in_force.lab.managed.web.clear_cache()
    try:
        found = in_force.replay()
    finally:
        shutil.rmtree(plugins)
        in_force.lab.managed.web.clear_cache()
    told = {one["code"]: one["text"] for one in found["findings"] if one["level"] == "fail"}
    assert set(told) == {"url.soft-error", "url.soft-404", "url.loop"}
    assert "south.staging.lumen.example/about/ (broken)" in told["url.soft-error"]
    assert "south.staging.lumen.example/contact/" in told["url.soft-404"]
    assert "/feed/" in told["url.loop"]


def test_a_killed_replay_goes_on(in_force: Redirected) -> None:
    text = in_force.project.config.read_text()
    in_force.project.config.write_text(text.replace("requests_per_second = 200", "requests_per_second = 20"))
    memory = in_force.project.state / "replay-staging.jsonl"
    try:
        process = in_force.project.start("move", "redirects", "replay", "--to", "staging")
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=6)
        process.kill()
        process.communicate()
        kept = memory.read_text().count("\n") - 1
        assert kept > 20
        memory.write_text(memory.read_text() + '{"url": "http://cut')
    finally:
        in_force.project.config.write_text(text)
    found = in_force.replay()
    assert found["urls_ok"] == found["urls_total"]
    assert not memory.exists()


def test_a_bad_file_changes_nothing(redirected: Redirected, tmp_path: Path) -> None:
    before = redirected.path.read_bytes()
    bad = tmp_path / "bad.csv"
    bad.write_text("source,action,target\nhttp://www.north.example/,moved,http://evil.example/\nx,gone,\n")
    done = redirected.project.run("move", "redirects", "import", str(bad), "--to", "staging", "--by", "Ada")
    assert done.returncode == 3
    assert f"{bad}:3: source: 'x' is no http(s) address" in done.stderr
    assert "nothing was changed" in done.stderr
    assert redirected.path.read_bytes() == before
