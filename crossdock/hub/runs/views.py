"""Runs with their live progress, findings with filters, and the chain of evidence."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from crossdock.core.evidence import Level
from crossdock.hub.accounts.rules import EVIDENCE, WORK
from crossdock.hub.gate import enter
from crossdock.hub.live import is_poll, polled
from crossdock.hub.runs import models
from crossdock.hub.runs.actions import RunView, chain, running_now, views_of

RUNS_A_PAGE = 50
ROWS_A_PAGE = 100


class Filters(forms.Form):
    """Filters of findings, all optional; what is no choice is ignored."""

    level = forms.ChoiceField(choices=[("", "any level"), *((str(one), str(one)) for one in Level)], required=False)
    code = forms.CharField(max_length=80, required=False)
    step = forms.CharField(max_length=120, required=False)
    place = forms.CharField(max_length=200, required=False)
    text = forms.CharField(max_length=200, required=False)

    def chosen(self) -> dict[str, str]:
        """The filters that are set and make sense."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


def filtered(rows: QuerySet[models.Finding], chosen: dict[str, str]) -> QuerySet[models.Finding]:
    """Level and step exactly; a code with all below it (`url` has url.loop); place and text where they contain it."""
    conditions = Q()
    for name, value in chosen.items():
        if name in ("level", "step"):
            conditions &= Q(**{name: value})
        elif name == "code":
            conditions &= Q(code=value) | Q(code__startswith=f"{value}.")
        else:
            conditions &= Q(**{f"{name}__icontains": value})
    return rows.filter(conditions)


@enter(*WORK)
@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    live = running_now()
    if is_poll(request):
        return polled(request, live)
    found = _page(request, models.Run.objects.select_related("progress").order_by("-started", "-id"), RUNS_A_PAGE)
    return render(request, "runs/runs.html", {"page": found, "runs": views_of(list(found)), "live": live})


@enter(*WORK)
@require_safe
def run(request: HttpRequest, run: str) -> HttpResponse:
    shown = _run(run)
    live = shown if shown.state == models.Run.State.RUNNING else None
    if is_poll(request):
        return polled(request, live)
    findings = models.Finding.objects.filter(run_id=run).order_by("id")
    context = {
        "run": shown,
        "live": live,
        "receipts": _page(
            request, models.Receipt.objects.filter(run_id=run).order_by("-number"), ROWS_A_PAGE, "receipts"
        ),
        "page": _page(request, findings, ROWS_A_PAGE),
        "levels": _levels(findings),
    }
    return render(request, "runs/run.html", context)


@enter(*EVIDENCE)
@require_safe
def findings(request: HttpRequest) -> HttpResponse:
    standing = models.Finding.objects.standing()
    form = Filters(request.GET)
    chosen = form.chosen()
    rows = filtered(standing, chosen)
    found = _page(request, rows.select_related("run").order_by("-id"), ROWS_A_PAGE)
    context = {
        "form": form,
        "chosen": chosen,
        "levels": _levels(rows),
        "codes": standing.order_by("code").values_list("code", flat=True).distinct(),
        "steps": standing.order_by("step").values_list("step", flat=True).distinct(),
        "page": found,
        "all": standing.count(),
        "may_open": getattr(request.user, "role", "") in WORK,
    }
    return render(request, "runs/findings.html", context)


@enter(*EVIDENCE)
@require_safe
def evidence(request: HttpRequest) -> HttpResponse:
    expected = request.GET.get("head", "").strip()[:64]
    checked = chain(expected)
    steps = models.Receipt.objects.values("step").annotate(count=Count("number")).order_by("step")
    return render(request, "runs/evidence.html", {"chain": checked, "expected": expected, "steps": steps})


def _run(name: str) -> RunView:
    row = models.Run.objects.select_related("progress").filter(id=name).first()
    if row is None:
        raise Http404
    return views_of([row])[0]


def _levels(rows: QuerySet[models.Finding]) -> list[tuple[str, int]]:
    """How many of each level, gravest first."""
    counts = dict(rows.order_by().values_list("level").annotate(Count("id")))
    return [(str(level), counts[level]) for level in Level if level in counts]


def _page(request: HttpRequest, rows: QuerySet[Any], size: int, name: str = "page") -> Page[Any]:
    return Paginator(rows, size).get_page(request.GET.get(name))
