"""The part of a page that follows a run: htmx asks for it again and again, under the page's own address."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from crossdock.hub.runs.actions import RunView


def is_poll(request: HttpRequest) -> bool:
    """Whether htmx asks for the live part alone."""
    return bool(getattr(request, "htmx", None))


def polled(request: HttpRequest, live: RunView | None) -> HttpResponse:
    """The live part while the run goes on; then the whole page is loaded anew, once, and asks no more."""
    if live is None:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "runs/live.html", {"run": live})
