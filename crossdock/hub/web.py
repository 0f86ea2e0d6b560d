"""What every response has, what every page knows, and the small files beside the pages."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, get_resolver

from crossdock.core.errors import CrossdockError
from crossdock.hub.accounts.rules import ANYBODY
from crossdock.hub.gate import enter, who_may_enter

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A document that a run has made: it may look as it likes and do nothing. Same origin, or its pictures would be asked
# for without the session.
DOCUMENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox allow-same-origin allow-popups allow-downloads "
    "allow-top-navigation-by-user-activation"
)
_HERE = Path(__file__).with_name("static")
_HTMX = Path(str(files("django_htmx"))) / "static" / "django_htmx" / "htmx-2.min.js"
STATIC = {"hub.css": (_HERE / "hub.css", "text/css"), "htmx.js": (_HTMX, "text/javascript")}
MENU = (
    ("overview", "Overview"),
    ("milestones", "Milestones"),
    ("runs", "Runs"),
    ("findings", "Findings"),
    ("assessment", "Assessment"),
    ("reports", "Reports"),
    ("evidence", "Evidence"),
)


class Headers:
    """The headers that hold for every response, errors too; a view may have set its own policy before."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response


class Told:
    """Errors that a person can act on, and a database that is locked or away, become pages that say so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, _request: HttpRequest, error: Exception) -> HttpResponse | None:
        return told(error)


def told(error: BaseException | None) -> HttpResponse | None:
    """The page of an error that we know; None for any other."""
    if isinstance(error, OperationalError):
        response = _plain("errors/busy.html", 503)
        response.headers["Retry-After"] = "5"
        return response
    return _plain("errors/told.html", 500, error=error) if isinstance(error, CrossdockError) else None


def _plain(template: str, status: int, **more: Any) -> HttpResponse:
    """A page that asks the database nothing, not even who asks for it."""
    return HttpResponse(render_to_string(template, {"versions": _versions(), **more}), status=status)


def page(request: HttpRequest) -> dict[str, Any]:
    """For every template: the menu of this person and the versions of the small files."""
    role = str(getattr(getattr(request, "user", None), "role", ""))
    views = {one.name: one.callback for one in get_resolver().url_patterns if isinstance(one, URLPattern)}
    menu = [(name, title) for name, title in MENU if role in who_may_enter(views.get(name))]
    match = request.resolver_match
    return {
        "user": getattr(request, "user", None),
        "menu": menu,
        "here": (match.url_name or "") if match else "",
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    return {name.partition(".")[0]: _version(name) for name in STATIC}


@cache
def _version(name: str) -> str:
    return hashlib.sha256(STATIC[name][0].read_bytes()).hexdigest()[:12]


@enter(ANYBODY)
def static(request: HttpRequest, name: str) -> HttpResponse:
    if name not in STATIC:
        raise Http404
    path, kind = STATIC[name]
    response = HttpResponse(path.read_bytes(), content_type=f"{kind}; charset=utf-8")
    current = request.GET.get("v") == _version(name)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if current else "public, max-age=60"
    return response


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """In place of Django's page for a form whose token does not fit."""
    return render(request, "errors/stale_form.html", status=403)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "errors/forbidden.html", status=403)


def missing(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "errors/missing.html", status=404)


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    # No template: the request may be too broken to say who asks.
    return HttpResponse("This request can't be understood.\n", status=400, content_type="text/plain; charset=utf-8")


def broken(request: HttpRequest) -> HttpResponse:
    # Sessions are kept after the view: an error there never comes to process_exception.
    return told(sys.exc_info()[1]) or _plain("errors/broken.html", 500)
