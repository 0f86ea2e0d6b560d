"""The report as its readers get it: languages, hostile text, many findings, pictures, and what it refuses."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import string
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_evidence import PLAN, moved, planned

from crossdock.core.config import Config, load
from crossdock.core.errors import BlockedError, ConfigError, EvidenceError
from crossdock.core.evidence import Finding, Level
from crossdock.edges import pictures as files
from crossdock.hub.boot import Hub
from crossdock.hub.moves import report, report_words
from crossdock.hub.moves.report_words import LANGUAGES, words

TOML = """
[project]
name = "Lumen <Outdoor>"
[[servers]]
name = "north"
ssh = "north"
root = "/srv/www"
[[stores]]
name = "north"
server = "north"
[stores.domains]
staging = "n.staging.lumen.example"
production = "n.lumen.example"
[environments.staging]
ssh = "managed"
root = "/srv/staging"
[environments.production]
ssh = "managed"
root = "/srv/production"
"""


class Quiet:
    """No progress."""

    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None: ...

    def advance(self, place: str, *, rows: int, bytes_: int) -> None: ...

    def finish(self) -> None: ...


@pytest.fixture
def config(state: Path) -> Config:
    path = state.parent / "crossdock.toml"
    path.write_text(TOML)
    return load(path)


def leave(hub: Hub, *found: Finding, pictures: dict[str, Any] | None = None) -> None:
    """The evidence of a whole move to production."""
    with hub.running("run") as journal:
        for step, subject, data in [planned(), *moved()]:
            journal.receipt(step, subject, data)
        for one in found:
            journal.finding(one, step="copy production")
        if pictures:
            journal.receipt("screenshots", "production", pictures)


def made(hub: Hub, config: Config, language: str = "en") -> report.Made:
    with hub.running("report", subject="production") as journal:
        return report.make(config, "production", language, hub, journal, Quiet())


def drawn(hub: Hub, config: Config, language: str = "en") -> str:
    """The page alone: a PDF takes seconds."""
    return report.draw(config, "production", language, hub, Quiet()).html


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL))


def unpacked(pdf: bytes) -> bytes:
    """A PDF's objects as text."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, flags=re.DOTALL)
    made = [pdf]
    for one in streams:
        with suppress(zlib.error):
            made.append(zlib.decompress(one))
    return b"\n".join(made)


def album(state: Path) -> dict[str, Any]:
    """Three kept pictures of one page, as the receipt tells them."""
    folder = state / "screenshots" / "production"
    folder.mkdir(parents=True)
    told = {}
    for side in ("source", "target", "difference"):
        png = files.png(np.full((3000, 390, 3), 200, dtype=np.uint8))
        (folder / f"{side}.png").write_bytes(png)
        digest = hashlib.sha256(png).hexdigest()
        told[side] = {"file": f"{side}.png", "sha256": digest, "width": 390, "height": 3000}
    page = {
        "store": "north", "page": "home", "width": 390, "source_url": "https://north.example/",
        "target_url": "https://n.lumen.example/", "pictures": told, "different_percent": 1.25, "masked_percent": 0.5,
        "heights": {}, "statuses": {}, "broken": {}, "blocked": {}, "unsettled": {"target": "still loading"},
        "failed": {},
    }  # fmt: skip
    counts = {"pairs": 1, "pictures": 3, "differing": 1, "unsettled": 1, "failed": 0}
    return {"plan": PLAN, **counts, "differ_percent": 1, "browser": "Chromium 150", "pages": [page]}


# -- words -----------------------------------------------------------------------------------------------------------


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_language_lacks_a_word_or_a_value(language: str) -> None:
    wanted, found = words("en"), words(language)
    assert {key for key in wanted if not key.endswith("_one")} <= set(found)
    assert set(found) <= set(wanted)
    for key, text in found.items():
        assert text.strip(), key
        assert places(text) == places(wanted[key]), key
    if language != "en":
        same = [key for key in found if found[key] == wanted[key] and re.search(r"[a-z]{4}", found[key])]
        assert set(same) <= {"staging", "browser", "server", "info", "manifest"}, same


def test_every_word_that_a_template_says_is_known() -> None:
    folder = Path(report.__file__).parent / "templates" / "report"
    said = {key for file in folder.glob("*.html") for key in re.findall(r'{% say "(\w+)"', file.read_text())}
    assert said <= set(words("en"))


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Migration report", "1,234,560", "12.3 kB", "November 2026", "Proved: everything arrived."]),
        ("de", ["Umzugsbericht", "1.234.560", "12,3 kB", "November 2026", "Bewiesen: Alles ist angekommen."]),
        ("el", ["Έκθεση μετεγκατάστασης", "1.234.560", "12,3 kB", "Νοεμβρίου 2026", "Αποδεδειγμένο: όλα έφτασαν."]),
        ("ja", ["移行報告書", "1,234,560", "12.3 kB", "年11月", "証明済み：すべて移行されました。"]),
    ],
)
def test_the_report_speaks_the_language(hub: Hub, config: Config, language: str, expected: list[str]) -> None:
    leave(hub)
    told = made(hub, config, language)
    html = told.html.read_text(encoding="utf-8")
    assert f'<html lang="{language}">' in html
    text = text_of(re.sub("December|Δεκεμβρίου|Dezember", "November", html).replace("年12月", "年11月"))
    for one in expected:
        assert one.replace(" 2026", "") in text
    pdf = unpacked(told.pdf.read_bytes())
    assert f"/Lang ({language})".encode() in pdf
    assert b"/Outlines" in pdf
    assert {"ja": b"Noto-Serif-CJK-JP", "el": b"Noto-Serif"}.get(language, b"Noto-Sans") in pdf
    assert told.figures["pages"] >= 4


def test_a_language_without_words_is_refused(hub: Hub, config: Config) -> None:
    leave(hub)
    with pytest.raises(ConfigError, match="one of: en, de, el, ja"):
        drawn(hub, config, "fr")


# -- what it says ----------------------------------------------------------------------------------------------------


def test_hostile_text_stays_text(hub: Hub, config: Config) -> None:
    leave(
        hub,
        Finding("x.script", Level.WARN, "<img src=x onerror=alert(1)>", "<script>alert(1)</script>{{ settings }}"),
        Finding("x.right-to-left", Level.WARN, "חנות הצפון", "النص العربي\u202e evil", "כאן"),
        Finding("x.long", Level.WARN, "p" * 5000, "x" * 50_000, "w" * 5000),
    )
    html = drawn(hub, config)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ settings }}" in html
    assert "<img src=x" not in html
    assert "<bdi>النص العربي" in html
    assert len(html) < 120_000
    assert "Lumen &lt;Outdoor&gt;" in html


def test_nothing_external_is_asked(hub: Hub, config: Config, state: Path) -> None:
    leave(hub, pictures=album(state))
    html = drawn(hub, config)
    assert re.findall(r'(?:src|href)="(?!data:|#)([^"]*)', html) == []
    assert "@import" not in html
    assert "url(" not in html


def test_open_questions_and_decisions_stand_on_the_first_page(hub: Hub, config: Config) -> None:
    decided = {"decision": "table:north:x", "choice": "carry", "by": "Ada Berg", "reason": "the till needs it"}
    leave(
        hub,
        Finding("row.missing", Level.FAIL, "north.wp_posts", "3 rows are missing", "copy again"),
        Finding("table.unknown", Level.INFO, "north.x", "nobody knows it", data=decided),
    )
    html = drawn(hub, config)
    first = text_of(html.partition("</header>")[0])
    assert "north.wp_posts : 3 rows are missing" in first
    assert "Ada Berg : one decision" in first
    assert "one question is still open" in first
    assert "the till needs it" in text_of(html)
    assert "copy again" in text_of(html)


def test_the_same_receipts_make_the_same_page_but_for_its_date(hub: Hub, config: Config, state: Path) -> None:
    leave(hub, Finding("a.b", Level.WARN, "p", "t"), pictures=album(state))
    pages = []
    for _ in range(2):
        html = drawn(hub, config)
        pages.append(re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\d+ \w+ 20\d\d, \d\d:\d\d UTC", "DATE", html))
        with hub.running("report", subject="production") as journal:
            journal.receipt("report", "production", {"html": hashlib.sha256(html.encode()).hexdigest()})
    assert pages[0] == pages[1]


def test_the_receipt_holds_both_files(hub: Hub, config: Config, state: Path) -> None:
    leave(hub, pictures=album(state))
    told = made(hub, config)
    receipt = hub.chain().receipts[-1]
    assert (receipt.step, receipt.subject, receipt.data["verdict"]) == ("report", "production", "proved")
    for end, path in (("html", told.html), ("pdf", told.pdf)):
        assert receipt.data[end] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert receipt.data["head"] == hub.chain().receipts[-2].digest
    assert receipt.data["head"] in told.html.read_text()
    assert (receipt.data["pictures"], receipt.data["pages"]) == (3, told.figures["pages"])


def test_pictures_are_in_it_with_words_for_who_can_not_see_them(hub: Hub, config: Config, state: Path) -> None:
    leave(hub, pictures=album(state))
    html = drawn(hub, config)
    images = re.findall(r'<img src="data:image/jpeg;base64,[^"]+" width="(\d+)" height="(\d+)" alt="([^"]+)">', html)
    assert [one[:2] for one in images] == [("320", "960")] * 3
    assert images[2][2] == "The same page: 1.25% of the pixels differ, marked in red"
    assert "the whole picture is 3,000 px high" in html
    assert "still loading" in html


# -- what it refuses -------------------------------------------------------------------------------------------------


def test_without_receipts_there_is_no_report(hub: Hub, config: Config) -> None:
    with pytest.raises(BlockedError, match="nothing to report yet"):
        drawn(hub, config)


def test_a_damaged_chain_is_not_reported_from(hub: Hub, config: Config, state: Path) -> None:
    leave(hub)
    with sqlite3.connect(state / "hub.sqlite3") as database:
        database.execute("DROP TRIGGER runs_receipt_no_update")
        database.execute("UPDATE runs_receipt SET data = replace(data, '444', '445')")
    with pytest.raises(EvidenceError, match="verify-evidence"):
        made(hub, config)
    assert not (state / "report-production.html").exists()


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"other"), lambda path: path.unlink()])
def test_a_picture_that_is_not_the_one_taken_is_refused(hub: Hub, config: Config, state: Path, spoil: Any) -> None:
    leave(hub, pictures=album(state))
    spoil(state / "screenshots" / "production" / "target.png")
    with pytest.raises(EvidenceError, match="crossdock move screenshots"):
        drawn(hub, config)


# -- many ------------------------------------------------------------------------------------------------------------


def test_thousands_of_findings_are_grouped_and_all_there(hub: Hub, config: Config) -> None:
    leave(hub)
    found = [Finding(f"code.c{n % 12}", Level.WARN, f"place {n}", f"text {n}", "look") for n in range(400)]
    read = report.draw(config, "production", "en", hub, Quiet()).report
    groups = tuple(report.Group(f"code.c{c}", Level.WARN, tuple(found[c::12])) for c in range(12))
    many = replace(read, groups=groups)
    html = report.render(many, [], "en", "2026-11-25T10:00:00.000Z")
    body, appendix = html.split('id="every_finding"')
    assert all(f"<bdi>text {n}</bdi>" in appendix for n in range(400))
    assert body.count("<bdi>text ") == 12 * 3 + 0
    assert report_words.words("en")["every_finding"] in html
