"""The hub's screens in a real browser, beside a real run on the lab: sign in, watch it go, filter what it found."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from projects import Project, new_project

from crossdock.lab.lab import Lab
from crossdock.lab.wordpress import cache_folder

CHROMIUM = shutil.which("chromium")
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


@dataclass
class Served:
    """A project whose plan is made, its hub's address, and what Ada signs in with."""

    project: Project
    base: str
    password: str


@pytest.fixture(scope="module")
def served(lab_gateway: Lab) -> Iterator[Served]:
    project = new_project(lab_gateway, ["east"])
    text = project.config.read_text(encoding="utf-8")
    project.config.write_text(text.replace("requests_per_second = 60", "requests_per_second = 200"), encoding="utf-8")
    project.run("move", "plan")
    told = project.green("people", "add", "ada@example.com", "--role", "operator")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = project.start("serve", "--port", str(port))
    assert process.stdout
    assert f":{port}" in process.stdout.readline()
    try:
        yield Served(project, f"http://127.0.0.1:{port}", told.rpartition("Password: ")[2].strip())
        process.terminate()
        assert process.wait(15) == 0
    finally:
        project.close()


def sign_in(page: Page, served: Served) -> None:
    page.goto(f"{served.base}/findings?level=warn")
    expect(page).to_have_title("Sign in · Crossdock")
    page.get_by_label("E-mail address").fill("ada@example.com")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    page.get_by_label("Password").fill(served.password)
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


def test_a_run_is_watched_and_its_findings_are_filtered(served: Served, browser: Browser) -> None:
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 401" not in message.text:
            complaints.append(message.text)

    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("console", listen)
    sign_in(page, served)
    watch(page, served)
    filter_findings(page, served)
    page.close()
    assert not complaints


def watch(page: Page, served: Served) -> None:
    """A run begins, the page follows it without being touched, and says that it is done."""
    harvest = served.project.start("move", "redirects", "harvest", "--to", "staging")
    for _ in range(200):
        page.goto(f"{served.base}/runs")
        if page.locator("#live").count():
            break
        assert harvest.poll() is None, f"it was over before it was seen: {harvest.communicate()}"
        time.sleep(0.05)
    expect(page.locator("#live")).to_contain_text("redirects harvest")
    expect(page.locator("#live")).to_contain_text("Last heard of", timeout=60_000)
    expect(page.locator("#live")).to_be_hidden(timeout=60_000)
    assert harvest.wait(60) in (0, 4), harvest.communicate()
    expect(page.locator(".runs li").first).to_contain_text("done")
    page.locator(".runs a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("redirects harvest")
    expect(page.locator(".receipts li").first).to_contain_text("redirects.map")


def filter_findings(page: Page, served: Served) -> None:
    page.goto(f"{served.base}/findings")
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


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_every_page(served: Served, browser: Browser, width: int, scheme: Literal["dark", "light"]) -> None:
    axe = axe_script()
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{served.base}/sign-in")
    look(page, "/sign-in", axe)
    sign_in(page, served)
    page.goto(f"{served.base}/runs")
    run = str(page.locator(".runs a").first.get_attribute("href"))
    for path in (*PAGES, run):
        page.goto(served.base + path)
        look(page, path, axe)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    context.close()
    if not axe:
        pytest.skip("axe-core is neither in the cache nor in a registry: only widths and headings were looked at")


def test_pages_work_without_javascript(served: Served, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, served)
    page.get_by_role("link", name="Milestones").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Milestones")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in · Crossdock")
    context.close()
