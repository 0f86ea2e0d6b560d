"""The assessment as one page that needs nothing else: for a client's screen, phone or printer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.template import Context, Engine
from django.utils.safestring import mark_safe

from crossdock.core.evidence import Json, Level
from crossdock.edges.whole_file import write_whole

# Templates ask Django's settings how to write numbers; an assessment without a project has no booted hub.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crossdock.hub.settings")
_TEMPLATES = Path(__file__).with_name("templates")
_MOST_FINDINGS = 2000
#: Kinds in the order in which a person asks for them: (title, what it says, kinds).
SECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Servers", "What the stores run on today.", ("server", "web-server", "program", "php", "php-pool", "disk",
     "volume")),
    ("Sites", "What answers to visitors, and what stands before it.", ("vhost", "wordpress", "install", "container",
     "certificate", "cdn", "page-cache", "cache", "header-rules")),
    ("WordPress", "What the stores are made of.", ("plugin", "mu-plugin", "theme", "drop-in", "core", "uploads",
     "media", "tag")),
    ("Business", "What the stores' trade hangs on.", ("gateway", "webhook", "api-key", "licence", "account", "data")),
    ("Work", "What the servers do by themselves.", ("timer", "cron", "at", "cron-hook")),
    ("Files and databases", "What else lies there.", ("folder", "database")),
    ("Network", "Who may come in, and whom the servers talk to.", ("port", "peer", "firewall-rule", "hosts-entry")),
    ("Mail and DNS", "What the rest of the world is told.", ("mail-relay", "dns-record")),
    ("Cloud", "What the account at the cloud holds.", ("aws-instance", "aws-volume", "aws-snapshot", "aws-address")),
)  # fmt: skip


def write_page(path: Path, title: str, assessment: Mapping[str, Any]) -> None:
    """Writes the page, whole or not at all. `assessment`: what assessment.json holds."""
    write_whole(path, page(title, assessment))


def page(title: str, assessment: Mapping[str, Any]) -> str:
    """One HTML document with its stylesheet in it."""
    if not apps.ready:
        django.setup()
    engine = Engine(dirs=[str(_TEMPLATES)])
    found: Sequence[Json] = assessment.get("findings", [])
    costs = assessment.get("costs") or {}
    context = {
        "title": title,
        "style": mark_safe((_TEMPLATES / "assessment" / "assessment.css").read_text(encoding="utf-8")),  # noqa: S308  ours
        "at": datetime.now(UTC),
        "levels": [(level, sum(one["level"] == level for one in found)) for level in map(str, Level)],
        "findings": [one for one in found if one["level"] != str(Level.INFO)][:_MOST_FINDINGS],
        "told": [one for one in found if one["level"] == str(Level.INFO)][:_MOST_FINDINGS],
        "sections": _sections(assessment.get("items", [])),
        "costs": costs,
        "load": [{"server": name, **one} for name, one in assessment.get("load", {}).items()],
        "seconds": assessment.get("seconds", 0),
    }
    return engine.get_template("assessment/assessment.html").render(Context(context))


def _sections(items: Sequence[Json]) -> list[dict[str, Any]]:
    """Sections with their kinds, each with its items; what no section names comes last. Empty ones are left out."""
    by_kind: dict[str, list[Json]] = {}
    for item in items:
        by_kind.setdefault(item["kind"], []).append(item)
    named = {kind for _, _, kinds in SECTIONS for kind in kinds}
    others = ("More", "", tuple(sorted(set(by_kind) - named)))
    return [
        {
            "title": title,
            "says": says,
            "kinds": [{"name": kind, "items": by_kind[kind]} for kind in kinds if kind in by_kind],
            "count": sum(len(by_kind.get(kind, ())) for kind in kinds),
        }
        for title, says, kinds in (*SECTIONS, others)
        if any(kind in by_kind for kind in kinds)
    ]
