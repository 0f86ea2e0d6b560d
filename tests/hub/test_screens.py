"""The screens: who may enter, what they say, and what a stranger's text or name can do to them."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from screens import PASSWORD, Silent, account, fill

from crossdock.core.evidence import Finding, Level
from crossdock.hub.accounts.rules import ANYBODY, EVIDENCE, PROJECT, WORK, Role
from crossdock.hub.boot import Hub

ALL = tuple(Role)
# Every address of the hub, an example of it, and who may enter: a new one must be written here, too.
MATRIX: dict[str, tuple[str, tuple[Role | str, ...]]] = {
    "overview": ("/", PROJECT),
    "milestones": ("/milestones", PROJECT),
    "runs": ("/runs", WORK),
    "run": ("/runs/none", WORK),
    "findings": ("/findings", EVIDENCE),
    "assessment": ("/assessment", EVIDENCE),
    "reports": ("/reports", EVIDENCE),
    "screenshot": ("/documents/screenshots/a.png", EVIDENCE),
    "document": ("/documents/report-staging.html", EVIDENCE),
    "evidence": ("/evidence", EVIDENCE),
    "account": ("/account", ALL),
    "sign-in": ("/sign-in", (ANYBODY,)),
    "sign-out": ("/sign-out", ALL),
    "static": ("/static/hub.css", (ANYBODY,)),
}


@pytest.fixture
def client(screens: Hub) -> Any:
    from django.test import Client  # noqa: PLC0415 - Django is set up by the fixture

    return Client()


def signed_in(role: Role | str) -> Any:
    from django.test import Client  # noqa: PLC0415

    client = Client()
    client.force_login(account(role))
    return client


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


# -- who may enter ----------------------------------------------------------------------------------------------------


def test_every_address_says_who_may_enter(screens: Hub) -> None:
    from crossdock.hub.gate import who_may_enter  # noqa: PLC0415
    from crossdock.hub.urls import urlpatterns  # noqa: PLC0415

    said = {one.name: who_may_enter(one.callback) for one in urlpatterns}
    assert said == {name: {str(one) for one in who} for name, (_, who) in MATRIX.items()}


@pytest.mark.parametrize("role", ["nobody", *ALL])
def test_the_matrix(screens: Hub, client: Any, role: str) -> None:
    if role != "nobody":
        client = signed_in(role)
    for name, (path, who) in MATRIX.items():
        answered = client.get(path)
        if ANYBODY in who:
            assert answered.status_code in (200, 302), name
        elif role == "nobody":
            assert answered.status_code == 302, name
            assert answered.headers["Location"].startswith("/sign-in?next="), name
        elif role in who:
            assert answered.status_code in (200, 404, 405), name
        else:
            assert answered.status_code == 403, name
            assert "Lumen" not in text(answered), name
        assert "frame-ancestors 'none'" in answered.headers["Content-Security-Policy"], name
        assert answered.headers["X-Content-Type-Options"] == "nosniff", name


def test_a_view_that_says_nothing_lets_nobody_in(screens: Hub) -> None:
    from django.http import HttpResponse  # noqa: PLC0415
    from django.test import override_settings  # noqa: PLC0415
    from django.urls import path  # noqa: PLC0415

    from crossdock.hub import urls  # noqa: PLC0415

    forgetful = ModuleType("forgetful_urls")
    forgetful.urlpatterns = [path("secret", lambda request: HttpResponse("secret")), *urls.urlpatterns]
    forgetful.handler403 = urls.handler403
    sys.modules["forgetful_urls"] = forgetful
    with override_settings(ROOT_URLCONF="forgetful_urls"):
        assert signed_in(Role.OPERATOR).get("/secret").status_code == 403


def test_the_menu_leads_nowhere_closed(screens: Hub) -> None:
    for role in ALL:
        client = signed_in(role)
        page = text(client.get("/account"))
        links = set(re.findall(r'href="(/[^"?]*)"', page)) - {"/"} | ({"/"} if role in PROJECT else set())
        assert all(client.get(one).status_code == 200 for one in links if not one.startswith("/static")), role
        assert ("Milestones" in page) == (role in PROJECT)


# -- signing in and out -----------------------------------------------------------------------------------------------


def test_sign_in_and_out(screens: Hub, client: Any) -> None:
    account(Role.QA, "qa@example.com")
    wrong = client.post("/sign-in", {"email": "qa@example.com", "password": "wrong"})
    unknown = client.post("/sign-in", {"email": "who@example.com", "password": "wrong"})
    assert wrong.status_code == unknown.status_code == 401
    assert "do not go together" in text(wrong)
    assert "do not go together" in text(unknown)
    done = client.post("/sign-in", {"email": "QA@Example.com", "password": PASSWORD, "next": "/findings?level=block"})
    assert done.headers["Location"] == "/findings?level=block"
    cookie = next(one for name, one in client.cookies.items() if not name.endswith("-form"))
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert client.get("/").status_code == 200
    assert client.get("/sign-out").status_code == 405
    assert client.get("/").status_code == 200
    assert client.post("/sign-out").headers["Location"] == "/sign-in"
    assert client.get("/").status_code == 302


def test_a_sign_in_leads_to_no_other_site(screens: Hub, client: Any) -> None:
    account(Role.QA, "qa@example.com")
    for wanted in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""):
        done = client.post("/sign-in", {"email": "qa@example.com", "password": PASSWORD, "next": wanted})
        assert done.headers["Location"] == "/", wanted
        client.post("/sign-out")


def test_a_customer_is_led_to_the_own_account(screens: Hub, client: Any) -> None:
    account(Role.CUSTOMER, "c@example.com")
    done = client.post("/sign-in", {"email": "c@example.com", "password": PASSWORD, "next": "/findings"})
    assert done.headers["Location"] == "/account"
    assert "nothing for your role" in text(client.get("/account"))


def test_guessing_is_slowed_down_by_account_and_by_address(screens: Hub, client: Any) -> None:
    from crossdock.hub.accounts.models import Try  # noqa: PLC0415
    from crossdock.hub.accounts.rules import ACCOUNT_TRIES, ADDRESS_TRIES  # noqa: PLC0415

    account(Role.QA, "qa@example.com")

    def tried(email: str, password: str, address: str) -> int:
        form = {"email": email, "password": password}
        return int(client.post("/sign-in", form, REMOTE_ADDR=address).status_code)

    for number in range(ACCOUNT_TRIES):
        assert tried("qa@example.com", "wrong", f"203.0.113.{number}") == 401
    # The account waits, whatever the password and wherever from; others do not.
    assert tried("qa@example.com", PASSWORD, "198.51.100.9") == 429
    account(Role.QA, "other@example.com")
    assert tried("other@example.com", PASSWORD, "203.0.113.1") == 302
    client.post("/sign-out")
    for number in range(ADDRESS_TRIES):
        assert tried(f"{number}@example.com", "wrong", f"2001:db8::{number:x}") == 401
    late = client.post("/sign-in", {"email": "x@example.com", "password": "x"}, REMOTE_ADDR="2001:db8::ffff")
    assert late.status_code == 429
    assert 0 < int(late.headers["Retry-After"]) <= 900
    assert not Try.objects.filter(key__contains="example.com").exists()
    Try.objects.all().delete()
    assert tried("qa@example.com", PASSWORD, "198.51.100.9") == 302


def test_a_good_sign_in_is_not_counted(screens: Hub, client: Any) -> None:
    from crossdock.hub.accounts.rules import ADDRESS_TRIES  # noqa: PLC0415

    account(Role.QA, "qa@example.com")
    for _ in range(ADDRESS_TRIES + 2):
        done = client.post("/sign-in", {"email": "qa@example.com", "password": PASSWORD})
        assert done.status_code == 302
        client.post("/sign-out")


def test_forms_need_their_token(screens: Hub) -> None:
    from django.test import Client  # noqa: PLC0415

    person = account(Role.QA, "qa@example.com")
    client = Client(enforce_csrf_checks=True)
    refused = client.post("/sign-in", {"email": "qa@example.com", "password": PASSWORD})
    assert refused.status_code == 403
    assert "Please try again" in text(refused)
    client.force_login(person)
    assert client.post("/sign-out").status_code == 403
    assert client.post("/account", {"old_password": PASSWORD}).status_code == 403
    assert client.get("/").status_code == 200


def test_a_removed_person_is_out_at_once(screens: Hub) -> None:
    from crossdock.hub.accounts import actions  # noqa: PLC0415

    client = signed_in(Role.OPERATOR)
    assert client.get("/").status_code == 200
    actions.remove("Operator@example.com")
    assert client.get("/").status_code == 302
    poll = client.get("/runs", headers={"HX-Request": "true"})
    assert (poll.status_code, poll.headers["HX-Redirect"]) == (401, "/sign-in")


def test_a_new_password_ends_the_other_sessions(screens: Hub) -> None:
    client, other = signed_in(Role.QA), signed_in(Role.SALES)
    from crossdock.hub.accounts.models import Account  # noqa: PLC0415

    other.force_login(Account.objects.get(email="qa@example.com"))
    form = {"old_password": PASSWORD, "new_password1": "short", "new_password2": "short"}
    assert "too short" in text(client.post("/account", form))
    form |= {"new_password1": "a much better one", "new_password2": "a much better one"}
    assert "is changed" in text(client.post("/account", form))
    assert client.get("/").status_code == 200
    assert other.get("/").status_code == 302


def test_a_stranger_by_another_name_is_refused(screens: Hub, client: Any) -> None:
    assert client.get("/sign-in", headers={"host": "evil.example"}).status_code == 400


# -- findings ---------------------------------------------------------------------------------------------------------


FILTERS = {
    "": 12, "level=block": 3, "level=nonsense": 12, "code=url": 8, "code=url.loop": 4, "code=ur": 0, "step=assess": 12,
    "step=copy": 0, "place=WP_1": 3, "text=thing+7": 1, "level=block&code=url": 2, "text=%27+OR+1%3D1+--": 0,
    "text=%25": 0, "page=99": 12, "page=x": 12, f"place={'x' * 5000}": 12,
}  # fmt: skip


def test_filters(screens: Hub) -> None:
    client = signed_in(Role.CLIENT_OWNER)
    for query, count in FILTERS.items():
        page = text(client.get(f"/findings?{query}"))
        assert f"{count} of 12 that stand" in page, query
        assert page.count('<p class="where">') == count, query


def test_five_thousand_findings(screens: Hub, state: Path) -> None:
    with screens.running("assess", subject="many") as journal:
        from crossdock.hub.runs import models  # noqa: PLC0415

        run = models.Run.objects.get(id=journal.run)
        models.Finding.objects.bulk_create(
            models.Finding(run=run, step="assess", code=f"many.{n % 40}", level="warn", place=f"p{n}", text=f"text {n}")
            for n in range(5000)
        )
    client = signed_in(Role.OPERATOR)
    client.get("/findings")
    for path in (
        "/findings",
        "/findings?text=text+49&level=warn",
        "/findings?page=50",
        f"/runs/{run.id}",
        "/",
        "/runs",
    ):
        begin = time.monotonic()
        page = client.get(path)
        assert page.status_code == 200
        assert time.monotonic() - begin < 1.0, path
        assert len(page.content) < 200_000, path
    assert "Page 50 of 51" in text(client.get("/findings?page=50"))


def test_hostile_text_stays_text(screens: Hub) -> None:
    evil = '<script>alert(1)</script><img src=x onerror="alert(2)">{{ 7 }}'
    rtl = "\u202egnp.exe \u0645\u0631\u062d\u0628\u0627"
    with screens.running("assess", subject="evil") as journal:
        journal.finding(Finding(f"evil.{evil[:20]}", Level.BLOCK, rtl, evil * 2000, evil), step=f"assess {evil[:9]}")
        journal.receipt("assess", rtl.replace("\u202e", ""), {evil: evil, "deep": {"a": [evil]}})
    client = signed_in(Role.OPERATOR)
    for path in ("/findings", "/", f"/runs/{journal.run}", "/evidence", f"/findings?text={evil}&code={evil}"):
        page = text(client.get(path))
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert len(page) < 60_000, path
    assert f"<bdi>{rtl}</bdi>" in text(client.get("/findings"))


# -- runs, overview, milestones, evidence -----------------------------------------------------------------------------


def test_the_overview_says_it_in_one_look(screens: Hub) -> None:
    page = text(signed_in(Role.SALES).get("/"))
    assert "Lumen Outdoor" in page
    assert 'Rows</span> <span class="badge done">' in page
    assert 'Validation</span> <span class="badge red">' in page
    assert 'What stops the move <span class="count">3</span>' in page
    # Sales may not open a run, so none is linked.
    assert "/runs/" not in page


def test_a_run_shows_its_receipts_and_findings(screens: Hub) -> None:
    run = screens.runs()[0]
    page = text(signed_in(Role.QA).get(f"/runs/{run.id}"))
    assert run.id in page
    assert page.count('<p class="where">') == 12
    assert screens.chain().receipts[0].digest in page
    assert signed_in(Role.OPERATOR).get("/runs/../../etc/passwd").status_code == 404


def test_a_run_is_followed_until_it_ends(screens: Hub) -> None:
    client = signed_in(Role.OPERATOR)
    poll = {"HX-Request": "true"}
    with screens.running("files", subject="staging") as journal:
        progress = screens.watched(journal, Silent())
        progress.start("files staging", rows=400, bytes_=0, noun="files")
        for path in ("/", "/runs", f"/runs/{journal.run}"):
            whole, part = client.get(path), client.get(path, headers=poll)
            assert 'hx-trigger="every 2s"' in text(whole), path
            assert '<noscript><meta http-equiv="refresh"' in text(whole), path
            assert "of about 400 files" in text(part), path
            assert "<html" not in text(part), path
    for path in ("/", "/runs", f"/runs/{journal.run}"):
        assert client.get(path, headers=poll).headers["HX-Refresh"] == "true", path
        assert "hx-get" not in text(client.get(path)), path


def test_milestones(screens: Hub) -> None:
    screens.note("plan", "milestone", "workflow.workshop", {"done": True, "by": "Ada <b>", "note": "minutes"})
    page = text(signed_in(Role.CLIENT_OWNER).get("/milestones"))
    assert "<bdi>Ada &lt;b&gt;</bdi>: <bdi>minutes</bdi>" in page
    assert "the last validate was red" in page
    assert text(signed_in(Role.SALES).get("/milestones?late=1")).count('class="badge late"') < page.count("badge")


def test_evidence_tells_of_a_chain_that_does_not_hold(screens: Hub, state: Path) -> None:
    client, head = signed_in(Role.CLIENT_IT), screens.chain().head
    assert "The chain holds: 3 receipts" in text(client.get(f"/evidence?head={head}"))
    assert "was cut off" in text(client.get(f"/evidence?head={'0' * 63}1"))
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER runs_receipt_no_update")
        cursor.execute("UPDATE runs_receipt SET data = '{}' WHERE number = 2")
    assert "does not hold. Receipt 2: its content was changed" in text(client.get("/evidence"))


def test_a_spoilt_configuration_is_told(screens: Hub, state: Path) -> None:
    (state.parent / "crossdock.toml").write_text("[project")
    page = signed_in(Role.OPERATOR).get("/")
    assert page.status_code == 500
    assert "is not valid TOML" in text(page)


# -- assessment and reports -------------------------------------------------------------------------------------------


def test_the_assessment(screens: Hub, state: Path) -> None:
    client = signed_in(Role.CLIENT_IT)
    assert "Nothing has been assessed yet" in text(client.get("/assessment"))
    facts = {
        "sources": {"north": {"wordpress": "6.1", "users": 3, "deep": {"a": {"b": 1}, "c": 2}}},
        "items": [{"kind": "port", "name": str(n), "text": "<i>"} for n in range(700)],
        "conflicts": [], "odd": "one", "new_thing": {"a": True, "b": None},
    }  # fmt: skip
    (state / "assessment.json").write_text(json.dumps(facts))
    page = text(client.get("/assessment"))
    assert "Sources" in page
    assert "c 2; 1 more" in page
    assert "and 200 more" in page
    assert "&lt;i&gt;" in page
    assert "New thing" in page
    for spoilt in ("[1]", '{"a":', "[" * 100_000, "\x00"):
        (state / "assessment.json").write_text(spoilt)
        assert "can't be read" in text(client.get("/assessment"))


def test_documents_have_safe_names_and_no_rights(screens: Hub, state: Path) -> None:
    (state / "report-staging.html").write_text("<h1>Report</h1>")
    (state / "report-staging.pdf").write_bytes(b"%PDF-1.7")
    (state / "screenshots" / "north").mkdir(parents=True)
    (state / "screenshots" / "north" / "home-390.png").write_bytes(b"\x89PNG")
    (state / "secret-key.png").write_bytes(b"x")
    (state / "screenshots" / "out.png").symlink_to(state / "secret-key")
    client = signed_in(Role.CLIENT_OWNER)
    assert "report-staging.pdf" in text(client.get("/reports"))
    report = client.get("/documents/report-staging.html")
    assert report.content == b"<h1>Report</h1>"
    policy = report.headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "script" not in policy
    pdf = client.get("/documents/report-staging.pdf").headers
    assert (pdf["Content-Type"], pdf["Content-Disposition"].split(";")[0]) == ("application/pdf", "attachment")
    picture = client.get("/documents/screenshots/north/home-390.png")
    assert (picture.content, picture.headers["Content-Type"]) == (b"\x89PNG", "image/png")
    for name in (
        "secret-key", "hub.sqlite3", "plan.json", "report-../secret-key", "../crossdock.toml", "..%2fcrossdock.toml",
        "report-staging.html%00", "screenshots/../secret-key.png", "screenshots/..%2fsecret-key.png", "report-x.html",
        "screenshots/out.png", "screenshots/.png", "screenshots//etc/x.png", "screenshots/%2e%2e/secret-key.png",
        "screenshots/a\\..\\secret-key.png", "screenshots/" + "a" * 5000 + ".png", "screenshots/north",
        "report-production.html", "bridge/staging/login",
    ):  # fmt: skip
        assert client.get(f"/documents/{name}").status_code == 404, name


def test_static_files(screens: Hub, client: Any) -> None:
    page = text(client.get("/sign-in"))
    for name in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        answered = client.get(name)
        assert answered.status_code == 200
        assert "immutable" in answered.headers["Cache-Control"]
    assert client.get("/static/../settings.py").status_code == 404
    assert client.get("/static/base.html").status_code == 404


def test_no_page_carries_a_script_or_style_of_its_own(screens: Hub) -> None:
    client = signed_in(Role.OPERATOR)
    for path in [path for path, _ in MATRIX.values()]:
        page = text(client.get(path))
        assert not re.search(r"<script(?! src=)|<style|\son\w+=|\sstyle=|javascript:", page), path
        assert page.count("<h1") <= 1, path


def test_the_key_is_kept_to_ourselves(screens: Hub, state: Path) -> None:
    from django.conf import settings  # noqa: PLC0415

    assert (state / "secret-key").stat().st_mode & 0o777 == 0o600
    assert (state / "secret-key").read_text() == settings.SECRET_KEY
    assert settings.SECRET_KEY not in repr(settings.SECRET_KEY)


def test_what_fill_makes_is_what_the_tests_count(screens: Hub, state: Path) -> None:
    fill(screens, state, 3)
    assert len(screens.findings()) == 3
