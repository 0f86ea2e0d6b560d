"""The hub's screens in a real browser, beside a real run on the lab: sign in, watch it go, filter what it found."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from projects import Project

from crossdock.lab.wordpress import cache_folder

CHROMIUM = shutil.which("chromium")
WIDTHS = (390, 1280)
PAGES = (
    "/", "/milestones", "/runs", "/findings", "/findings?level=block", "/assessment", "/reports", "/evidence",
    "/account", "/no-such-page",
)  # fmt: skip
pytestmark = [pytest.mark.lab, pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


def axe_script() -> str:
    """axe-core, from the cache or npm's registry; empty where neither serves."""
    kept = cache_folder() / "axe.min.js"
    if not kept.exists():
        npm = shutil.which("npm")
        fetch = [npm or "npm", "pack", "axe-core@4", "--silent", "--fetch-retries=0", "--fetch-timeout=60000"]
        if npm is None or subprocess.run(fetch, cwd=cache_folder(), capture_output=True).returncode:
            return ""
        packed = next(cache_folder().glob("axe-core-4*.tgz"))
        fresh = kept.with_suffix(".new")
        with fresh.open("wb") as out:
            subprocess.run(["tar", "xzOf", packed, "package/axe.min.js"], stdout=out, check=True)
        fresh.replace(kept)
        packed.unlink()
    return kept.read_text(encoding="utf-8")


@contextmanager
def served(project: Project) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = project.start("serve", "--port", str(port))
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(15) == 0


def sign_in(page: Page, base: str, password: str) -> None:
    page.goto(f"{base}/findings?level=warn")
    expect(page).to_have_title("Sign in · Crossdock")
    page.get_by_label("E-mail address").fill("ada@example.com")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/findings?level=warn")


def look(page: Page, path: str, axe: str) -> None:
    """Nothing hangs over the edge, one h1, and axe finds nothing."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{path} is too wide"
    assert page.locator("h1").count() == 1, path
    if axe:
        page.evaluate(axe)
        found = page.evaluate("axe.run()")["violations"]
        assert not found, f"{path}: {[(one['id'], [node['html'] for node in one['nodes']]) for one in found]}"


def test_a_run_is_watched_and_its_findings_are_filtered(project: Project, browser: Browser) -> None:
    project.run("move", "plan")
    told = project.green("people", "add", "ada@example.com", "--role", "operator")
    password = next(line.removeprefix("Password: ") for line in told.splitlines() if line.startswith("Password: "))
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 40" not in message.text:
            complaints.append(message.text)

    with served(project) as base:
        for width in WIDTHS:
            context = browser.new_context(viewport={"width": width, "height": 900})
            page = context.new_page()
            page.on("console", listen)
            sign_in(page, base, password)
            watch(project, page, base)
            filter_findings(page, base)
            context.close()
    assert not complaints


def watch(project: Project, page: Page, base: str) -> None:
    """A run begins, the page follows it without being touched, and says that it is done."""
    harvest = project.start("move", "redirects", "harvest", "--to", "staging")
    for _ in range(200):
        page.goto(f"{base}/runs")
        if page.locator("#live").count():
            break
        assert harvest.poll() is None, "it was over before it was seen"
        time.sleep(0.05)
    expect(page.locator("#live")).to_contain_text("redirects harvest")
    expect(page.locator("#live")).to_be_hidden(timeout=60_000)
    assert harvest.wait(60) in (0, 4)
    expect(page.locator(".runs li").first).to_contain_text("done")
    page.locator(".runs a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("redirects harvest")
    expect(page.locator(".receipts li").first).to_contain_text("redirects.map")


def filter_findings(page: Page, base: str) -> None:
    page.goto(f"{base}/findings")
    every = shown(page)
    page.get_by_label("Level").select_option("info")
    page.get_by_label("Code").fill("harvest")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("code=harvest"))
    assert 0 < shown(page) < every
    assert set(page.locator(".findings .badge").all_inner_texts()) == {"info"}
    page.get_by_role("link", name="Clear").click()
    expect(page.get_by_role("status")).to_contain_text(f"{every} of {every}")


def shown(page: Page) -> int:
    return int(page.get_by_role("status").inner_text().split()[0].replace(",", ""))


def test_every_page_at_both_widths_light_and_dark(project: Project, browser: Browser, tmp_path: Path) -> None:
    project.run("move", "plan")
    told = project.green("people", "add", "ada@example.com", "--role", "operator", "--generate")
    password = told.rpartition("Password: ")[2].strip()
    axe = axe_script()
    with served(project) as base:
        for width, scheme in ((390, "dark"), (1280, "light")):
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(f"{base}/sign-in")
            look(page, "/sign-in", axe)
            sign_in(page, base, password)
            run = page.goto(f"{base}/runs") and page.locator(".runs a").first.get_attribute("href")
            for path in (*PAGES, str(run)):
                page.goto(base + path)
                look(page, path, axe)
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
            context.close()
    if not axe:
        pytest.skip("axe-core is neither in the cache nor in a registry: all was looked at but what it looks at")


def test_pages_work_without_javascript(project: Project, browser: Browser) -> None:
    told = project.green("people", "add", "ada@example.com", "--role", "operator")
    password = told.rpartition("Password: ")[2].strip()
    with served(project) as base:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        sign_in(page, base, password)
        page.get_by_role("link", name="Milestones").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Milestones")
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_title("Sign in · Crossdock")
        context.close()
