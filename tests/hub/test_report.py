"""The report: from receipts and findings alone, in four languages, with whatever stands in them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from django.db import connection
from report_evidence import ENVIRONMENT, OTHER_PLAN, write_findings, write_move, write_pictures, write_plan

from crossdock.cli.init import TEMPLATE
from crossdock.core.config import Config, load
from crossdock.core.errors import BlockedError, ConfigError, EvidenceError
from crossdock.core.evidence import Finding, Level
from crossdock.hub.boot import Hub, booted
from crossdock.hub.moves import report, report_words
from crossdock.hub.moves.report import Made

STORES = ("north", "νότος-店舗")
HOSTILE = "<script>alert(1)</script><img src=http://tracker.example/x.png onerror=alert(2)>"
ENGLISH = report_words.words("en")


class Quiet:
    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None: ...
    def advance(self, place: str, *, rows: int, bytes_: int) -> None: ...
    def finish(self) -> None: ...


class Project:
    """A project with a hub of its own; `made` makes the report and returns it with its HTML."""

    def __init__(self, folder: Path, hub: Hub, config: Config) -> None:
        self.folder, self.hub, self.config = folder, hub, config

    def made(self, language: str = "en", environment: str = ENVIRONMENT) -> tuple[Made, str]:
        with self.hub.running("report", subject=environment) as journal:
            made = report.make(self.config, environment, language, self.hub, journal, Quiet())
        return made, made.html.read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.delenv("CROSSDOCK_DATABASE_URL", raising=False)
    path = tmp_path / "crossdock.toml"
    path.write_bytes(TEMPLATE.read_bytes())
    config = load(path)
    with booted(config.state) as hub:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=OFF")  # nobody pulls the plug of this hub
        yield Project(tmp_path, hub, config)


@pytest.fixture
def moved(project: Project) -> Project:
    with project.hub.running("run") as journal:
        write_plan(journal, STORES)
        write_move(journal, STORES)
    return project


def find(project: Project, *findings: Finding, step: str = f"validate {ENVIRONMENT}") -> None:
    with project.hub.running("run") as journal:
        for one in findings:
            journal.finding(one, step=step)


# -- words -----------------------------------------------------------------------------------------------------------


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", report_words.LANGUAGES)
def test_no_language_lacks_a_word_or_puts_in_other_values(language: str) -> None:
    words = report_words.words(language)
    # Japanese has no plural: a text for one alone may be missing, nothing else.
    assert {key for key in ENGLISH if not key.endswith("_one")} <= set(words) <= set(ENGLISH)
    assert not [key for key, text in words.items() if not text.strip()]
    assert {key: fields(text) for key, text in words.items() if fields(text) != fields(ENGLISH[key])} == {}
    if language != "en":
        same = [key for key, text in words.items() if text == ENGLISH[key] and re.search(r"[a-z]{4,} [a-z]{4,}", text)]
        assert same == []


def test_every_word_that_a_template_says_is_there() -> None:
    folder = Path(report.__file__).parent / "templates/report"
    said = {key for path in folder.glob("*.html") for key in re.findall(r'{% say "(\w+)"', path.read_text())}
    assert len(said) > 60
    assert {key for key in said if key not in ENGLISH and f"{key}_text" not in ENGLISH} == set()


# -- what it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "rows", "date"),
    [("en", "60,000", r"\d+ [A-Z][a-z]+ 20\d\d"), ("de", "60.000", r"\d+\. [A-Z]\w+ 20\d\d"),
     ("el", "60.000", r"\d+ [Α-Ω]\w+ 20\d\d"), ("ja", "60,000", r"20\d\d年\d+月\d+日")],
)  # fmt: skip
def test_each_language_has_its_own_forms_and_leaves_names_alone(
    moved: Project, language: str, rows: str, date: str
) -> None:
    find(moved, Finding("value.broken", Level.WARN, "سلة المشتريات", "المفتاح 店舗 " + "x" * 3000, "look"))
    made, html = moved.made(language)
    assert (made.verdict, html.count(f'<html lang="{language}">')) == ("proved", 1)
    assert rows in html
    assert re.search(date, html)
    for kept in ("νότος-店舗", "سلة المشتريات", "المفتاح 店舗"):
        assert kept in html
    pdf = made.pdf.read_bytes()
    assert pdf.startswith(b"%PDF")
    assert made.figures["pages"] >= 6
    assert f"/Lang ({language})".encode() in pdf or b"/ObjStm" in pdf


def test_the_same_evidence_makes_the_same_report_but_for_its_date(moved: Project) -> None:
    find(moved, *(Finding("value.broken", Level.WARN, f"wp_{n}", "text") for n in range(7)))
    one, first = moved.made()
    other, second = moved.made()
    without = [re.sub(r'<meta name="dcterms.created"[^>]*>|<time.*?</time>', "", text) for text in (first, second)]
    assert without[0] == without[1]
    head = next(r.digest for r in reversed(moved.hub.chain().receipts) if r.step != "report")
    assert head in first
    receipts = [r for r in moved.hub.chain().receipts if r.step == "report"]
    assert [r.data["head"] for r in receipts] == [head, head]
    assert one.figures["findings"] == other.figures["findings"] == 7


def test_what_stands_in_a_finding_is_text_and_nothing_is_asked(moved: Project) -> None:
    find(moved, Finding("value.broken", Level.FAIL, HOSTILE, HOSTILE, HOSTILE, {"decision": HOSTILE, "by": HOSTILE}))
    made, html = moved.made()
    assert made.verdict == "open"
    assert "&lt;script&gt;alert(1)" in html
    assert "<script" not in html
    assert "<img src=http" not in html
    assert not re.findall(r'(?:src|srcset)="(?!data:)|<link|@import|url\((?!data:)', html)


def test_only_the_plan_in_force_counts(project: Project) -> None:
    with project.hub.running("run") as journal:
        write_plan(journal, ["gone"], OTHER_PLAN)
        write_move(journal, ["gone"], plan=OTHER_PLAN, green=False, rows=77_777)
        journal.receipt("discard", ENVIRONMENT, {"tables": 30})
        write_plan(journal, ["north"])
        write_move(journal, ["north"])
    made, html = project.made()
    assert made.verdict == "proved"
    assert "gone" not in html.replace("urls_gone", "").split("<main", 1)[0]
    assert "77,777" not in html
    assert OTHER_PLAN not in html


def test_a_red_validation_and_one_that_was_mended_in_the_same_run(project: Project) -> None:
    lost = Finding("row.missing", Level.FAIL, "north.wp_posts -> wp_2_posts", "4 rows are missing")
    with project.hub.running("demo") as journal:
        write_plan(journal, STORES)
        journal.finding(lost, step=f"validate {ENVIRONMENT}")
        write_move(journal, STORES, green=False)
    made, html = project.made()
    assert made.verdict == "red"
    assert "4 rows are missing" in html
    with project.hub.running("demo") as journal:
        journal.finding(lost, step=f"validate {ENVIRONMENT}")
        write_move(journal, STORES, green=False)
        write_move(journal, STORES)
    made, html = project.made()
    assert made.verdict == "proved"
    assert "4 rows are missing" not in html


def test_what_changed_after_the_proof_is_not_proved(moved: Project) -> None:
    with moved.hub.running("copy", subject=ENVIRONMENT) as journal:
        journal.receipt("files", ENVIRONMENT, {"plan": "ab" * 32, "green": True, "carried_files": 3})
    assert moved.made()[0].verdict == "stale"
    with moved.hub.running("files", subject=ENVIRONMENT) as journal:
        write_move(journal, STORES)
        journal.receipt("files", ENVIRONMENT, {"plan": "ab" * 32, "green": True, "carried_files": 0})
    assert moved.made()[0].verdict == "proved"


def test_many_findings_are_grouped_and_all_of_them_are_there(moved: Project) -> None:
    find(moved)
    with moved.hub.running("run") as journal:
        write_findings(journal, 300)
    made, html = moved.made()
    assert made.figures["findings"] == 300
    appendix = html.split('id="every_finding"', 1)[1]
    assert all(f"post_content of {number}<" in appendix for number in range(300))
    assert html.split('id="every_finding"', 1)[0].count("post_content of") < 100


def test_pictures_are_those_of_the_receipt_or_none(moved: Project) -> None:
    folder = moved.config.state / "screenshots" / ENVIRONMENT
    with moved.hub.running("screenshots", subject=ENVIRONMENT) as journal:
        write_pictures(journal, folder, STORES[:1], pages=("home",))
    made, html = moved.made()
    assert made.figures["pictures"] == 4
    assert html.count("data:image/jpeg;base64,") == 4
    assert len(re.findall(r'<img [^>]*alt="[^"]{10,}"', html)) == 4
    path = folder / "north-home-390-target.png"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(EvidenceError, match="not the picture that was taken") as told:
        moved.made()
    assert str(path) in str(told.value)
    path.unlink()
    with pytest.raises(EvidenceError, match="can't be read"):
        moved.made()


# -- what it refuses -------------------------------------------------------------------------------------------------


def test_without_receipts_there_is_no_report(project: Project) -> None:
    with pytest.raises(BlockedError, match="nothing to report"):
        project.made()
    assert not list(project.config.state.glob("report-*"))


def test_an_unknown_language_is_refused(moved: Project) -> None:
    with pytest.raises(ConfigError, match="no words in fr"):
        moved.made("fr")


def test_evidence_that_was_changed_is_refused(moved: Project) -> None:
    database = sqlite3.connect(moved.config.state / "hub.sqlite3")
    with database:
        database.execute("DROP TRIGGER runs_receipt_no_update")
        database.execute("UPDATE runs_receipt SET data = replace(data, '1000', '2000') WHERE number = 2")
    database.close()
    with pytest.raises(EvidenceError, match="content was changed") as told:
        moved.made()
    assert "verify-evidence" in str(told.value)
