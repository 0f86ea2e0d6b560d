"""The move in one look, its milestones, the assessment and the reports."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from crossdock.core.config import ENVIRONMENTS, Config, load
from crossdock.core.evidence import Level
from crossdock.hub.accounts.rules import EVIDENCE, PROJECT, WORK
from crossdock.hub.gate import enter
from crossdock.hub.live import is_poll, polled
from crossdock.hub.moves.assessment_tables import sections
from crossdock.hub.moves.milestones import plan_in_force, standing
from crossdock.hub.moves.rules import RECEIPTS_READ, picture_type, report_names, stations
from crossdock.hub.runs import actions as runs
from crossdock.hub.web import DOCUMENT_POLICY
from crossdock.move.milestones import State, counts, next_steps
from crossdock.move.workplan import PHASES

LAST_RUNS = 5
MOST_SHOWN = 8


def project() -> Config:
    """The project as its file says now: what people change there is seen at once. Errors: ConfigError."""
    return load(Path(settings.CONFIG))


@enter(*PROJECT)
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    live = runs.running_now()
    if is_poll(request):
        return polled(request, live)
    config = project()
    receipts = runs.receipts_of(RECEIPTS_READ)
    plan = plan_in_force(config)
    found = standing(config, runs)
    blocks = runs.findings(level=Level.BLOCK)
    context = {
        "project": config.project.name,
        "stores": len(config.stores),
        "servers": len(config.servers),
        "plan": plan,
        "environments": [
            (name, stations(receipts, name, plan)) for name in ENVIRONMENTS if name in config.environments
        ],
        "live": live,
        "runs": runs.last_runs(LAST_RUNS),
        "may_open": getattr(request.user, "role", "") in WORK,
        "may_read": getattr(request.user, "role", "") in EVIDENCE,
        "blocks": blocks[:MOST_SHOWN],
        "blocks_count": len(blocks),
        "fails_count": len(runs.findings(level=Level.FAIL)),
        "counts": counts(found),
        "next": next_steps(found)[:MOST_SHOWN],
        "started": config.milestones.start,
    }
    return render(request, "moves/overview.html", context)


@enter(*PROJECT)
@require_safe
def milestones(request: HttpRequest) -> HttpResponse:
    config = project()
    found = standing(config, runs)
    late = request.GET.get("late") == "1"
    shown = [one for one in found if one.state is State.LATE] if late else found
    phases = [(phase, steps) for phase in PHASES if (steps := [one for one in shown if one.step in phase.steps])]
    context = {"phases": phases, "counts": counts(found), "late": late, "started": config.milestones.start}
    return render(request, "moves/milestones.html", context)


@enter(*EVIDENCE)
@require_safe
def assessment(request: HttpRequest) -> HttpResponse:
    state = settings.STATE
    path = state / "assessment.json"
    context: dict[str, Any] = {"document": (state / "assessment.html").is_file()}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        context |= {"sections": sections(facts), "made": _moment(path)}
    except FileNotFoundError:
        context["missing"] = True
    except (OSError, ValueError, RecursionError):
        context["spoilt"] = True
    return render(request, "moves/assessment.html", context)


@enter(*EVIDENCE)
@require_safe
def reports(request: HttpRequest) -> HttpResponse:
    names = report_names(ENVIRONMENTS)
    files = [(settings.STATE / name, name) for name in names]
    found = [(name, path.stat().st_size, _moment(path)) for path, name in files if path.is_file()]
    made = {one.subject: one for one in runs.receipts_of(frozenset({"report"}))}
    return render(request, "moves/reports.html", {"files": found, "receipts": made.values()})


@enter(*EVIDENCE)
@require_safe
def document(request: HttpRequest, name: str) -> HttpResponse:
    """A file that a run has made, by its exact name."""
    kinds = {**report_names(ENVIRONMENTS), "assessment.html": "text/html; charset=utf-8"}
    kinds["assessment.json"] = "application/json"
    if name not in kinds:
        raise Http404
    return _sent(settings.STATE, name, kinds[name])


@enter(*EVIDENCE)
@require_safe
def screenshot(request: HttpRequest, path: str) -> HttpResponse:
    kind = picture_type(path)
    if not kind:
        raise Http404
    return _sent(settings.STATE / "screenshots", path, kind)


def _sent(folder: Path, name: str, kind: str) -> HttpResponse:
    """A file below `folder`; never one that a link leads to elsewhere."""
    try:
        path = (folder / name).resolve(strict=True)
        if not path.is_relative_to(folder.resolve()):
            raise Http404
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise Http404 from error
    response = HttpResponse(content, content_type=kind)
    response.headers["Content-Security-Policy"] = DOCUMENT_POLICY
    # Browsers show no PDF in a sandbox.
    shown = "attachment" if kind == "application/pdf" else "inline"
    response.headers["Content-Disposition"] = f'{shown}; filename="{Path(name).name}"'
    return response


def _moment(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
