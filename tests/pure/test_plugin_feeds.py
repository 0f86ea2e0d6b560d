"""Feeds of any size and shape: read in bounded memory, and a broken one says where."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from survey_facts import config, source

from crossdock.core.errors import ConfigError
from crossdock.formats.checksums import read_checksums
from crossdock.formats.json_entries import Broken, entries
from crossdock.formats.plugin_directory import read_directory
from crossdock.formats.vulnerability_feed import read_vulnerabilities
from crossdock.hub.moves.wordpress_items import knowledge_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
WANTED = frozenset({("plugin", "acme"), ("core", "wordpress")})


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def record(slug: str = "acme", *, low: str = "*", high: str = "1.2.3", **more: Any) -> dict[str, Any]:
    ranges = {"x": {"from_version": low, "from_inclusive": True, "to_version": high, "to_inclusive": False}}
    software = {"type": "plugin", "slug": slug, "name": "A", "affected_versions": ranges, "patched_versions": ["1.2.3"]}
    return {"id": "u", "title": "SQL injection", "cve": "CVE-1", "cvss": {"score": 9.8}, "software": [software], **more}


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=5) | st.lists(JSON, max_size=5), st.integers(1, 9))
def test_entries_are_those_of_the_json_however_it_is_cut(value: Any, size: int) -> None:
    found = list(entries(cut(json.dumps(value, ensure_ascii=False, indent=1).encode(), size)))
    there = value.items() if isinstance(value, dict) else ((str(at), one) for at, one in enumerate(value))
    assert found == list(there)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "is empty"),
        (b"<html>429</html>", "begins with '<'"),
        (b'"x"', "begins with"),
        (b'{"a": {"b": 1', "character 6: cut off"),
        (b'{"a": 1', "there is the end: it is cut off"),
        (b'{"a": 1, ', "cut off"),
        (b'{"a": 1} x', "goes on with 'x'"),
        (b'{"a": nonsense}', "no JSON"),
        (b"{1: 2}", "has no name"),
        (b'{"\xff": 1}', "is not UTF-8"),
        (b"[" * 100_000, "cut off, or no JSON"),
    ],
)
def test_a_broken_feed_says_where(text: bytes, told: str) -> None:
    with pytest.raises(Broken, match=told.replace("(", r"\(")):
        list(entries(cut(text, 1000)))


def test_an_entry_without_end_does_not_fill_the_memory() -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"a": "'
        while True:
            yield b"x" * 1000

    with pytest.raises(Broken, match="longer than 5000"):
        list(entries(endless(), most_characters=5000))


def test_a_large_feed_is_read_in_the_memory_of_its_largest_record() -> None:
    filler = json.dumps(record("other", description="x" * 2000))

    def feed() -> Iterator[bytes]:
        yield b"{"
        for number in range(20_000):  # 45 MB
            yield f'"{number}": {filler},'.encode()
        yield f'"last": {json.dumps(record())}}}'.encode()

    tracemalloc.start()
    found = read_vulnerabilities(feed(), WANTED)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.records, found.unreadable, len(found.found["plugin", "acme"])) == (20_001, 0, 1)
    assert peak < 4 << 20


def test_what_the_feed_says_of_a_version() -> None:
    feed = {"1": record(), "2": record("other"), "3": record(low="2.0", high="2.1")}
    found = read_vulnerabilities([json.dumps(feed).encode()], WANTED).found["plugin", "acme"]
    assert [one.concerns("1.0") for one in found] == [True, False]
    assert [one.concerns("1.2.3") for one in found] == [False, False]
    assert [one.concerns("2.0.5") for one in found] == [False, True]
    assert (found[0].score, found[0].reference, found[0].patched) == (9.8, "CVE-1", ("1.2.3",))


def test_records_that_are_not_as_documented_are_counted_and_the_rest_is_read() -> None:
    feed = {"1": record(), "2": 5, "3": {"software": [{"type": "plugin"}]}, "4": record(cvss="high")}
    found = read_vulnerabilities([json.dumps(feed).encode()], WANTED)
    assert (found.records, found.unreadable, len(found.found["plugin", "acme"])) == (4, 3, 1)
    with pytest.raises(Broken, match="no record of the kind"):
        read_vulnerabilities([b'{"error": "Unauthorized"}'], WANTED)


DIRECTORY = {"slug": "acme", "version": "2.0", "last_updated": "2019-11-12 3:51pm GMT", "tested": "5.2"}


@pytest.mark.parametrize(
    "feed", [{"acme": DIRECTORY}, [DIRECTORY], {"info": {"page": 1}, "plugins": [DIRECTORY, {"name": "no slug"}]}]
)
def test_the_directory_in_each_of_its_shapes(feed: Any) -> None:
    found = read_directory([json.dumps(feed).encode()], {"acme"})
    assert (found["acme"].updated, found["acme"].closed, found["acme"].tested) == (date(2019, 11, 12), False, "5.2")
    assert read_directory([json.dumps(feed).encode()], {"else"}) == {}


def test_a_closed_plugin_and_one_without_a_day() -> None:
    feed = {"acme": {"error": "closed", "slug": "acme", "reason": "security-issue"}, "b": {"last_updated": "never"}}
    found = read_directory([json.dumps(feed).encode()], {"acme", "b"})
    assert (found["acme"].closed, found["acme"].reason, found["b"].updated) == (True, "security-issue", None)
    with pytest.raises(Broken, match="holds no plugin"):
        read_directory([b'{"message": "rate limited"}'], {"acme"})


SUM, OTHER = "0" * 32, "f" * 32


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"checksums": {"a.php": SUM}}, {"a.php": {SUM}}),
        ({"checksums": {"6.1": {"a.php": SUM}}}, {"a.php": {SUM}}),
        ({"files": {"a.php": {"md5": SUM.upper(), "sha256": "x"}}}, {"a.php": {SUM}}),
        ({"files": {"a.php": {"md5": [SUM, OTHER]}, "b": {"md5": SUM}}}, {"a.php": {SUM, OTHER}, "b": {SUM}}),
    ],
)
def test_checksums_in_each_of_their_shapes(told: Any, found: Any) -> None:
    assert read_checksums(json.dumps(told).encode()) == found


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"checksums": false}', '{"checksums": {"a": "x"}}', '{"files": {"a": {"md5": 5}}}']
)
def test_what_are_no_checksums(text: str) -> None:
    with pytest.raises(Broken):
        read_checksums(text.encode())


@pytest.mark.parametrize("content", [b'{"a": {"soft', b"<html>", b"", None])
def test_a_feed_that_can_not_be_read_names_its_file_and_key(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "feed.json"
    if content is not None:
        path.write_bytes(content)
    for key in ("vulnerabilities", "plugin_directory"):
        settings = config(assess={key: str(path)})
        with pytest.raises(ConfigError, match=rf"\[assess\] {key}: the feed {path} can't be"):
            knowledge_of(settings, [source("north")])


def test_what_no_feed_tells_is_said(tmp_path: Path) -> None:
    path = tmp_path / "feed.json"
    path.write_text(json.dumps({"1": record(), "2": 5}))
    known, told = knowledge_of(
        config(assess={"vulnerabilities": str(path)}), [source("north", plugins={"acme/a.php": "1"})]
    )
    assert [(one.code, one.place) for one in told.findings] == [
        ("feed.unreadable", "[assess] vulnerabilities"), ("feed.absent", "[assess] plugin_directory"),
    ]  # fmt: skip
    assert known.directory is None
    assert known.vulnerabilities is not None
    assert ("plugin", "acme") in known.vulnerabilities
