"""Who may enter which screen: each view says so, and whoever says nothing lets nobody in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url

from crossdock.hub.accounts.rules import ANYBODY, Role

View = TypeVar("View", bound=Callable[..., HttpResponse])


def enter(*who: Role | str) -> Callable[[View], View]:
    """Says who may enter a view: roles, or ANYBODY. Stands above every other decorator."""

    def said(view: View) -> View:
        view.who = frozenset(str(one) for one in who)  # type: ignore[attr-defined]
        return view

    return said


def who_may_enter(view: Any) -> frozenset[str]:
    """Roles, or ANYBODY; empty where the view does not say."""
    found: frozenset[str] = getattr(view, "who", frozenset())
    return found


class Gate:
    """The middleware that holds it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        allowed = who_may_enter(view)
        if ANYBODY in allowed:
            return None
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        if str(getattr(request.user, "role", "")) not in allowed:
            raise PermissionDenied
        return None


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if getattr(request, "htmx", None):
        # A poll whose session ended: the whole page goes to the sign-in, not a part of it.
        return HttpResponse(status=401, headers={"HX-Redirect": resolve_url(settings.LOGIN_URL)})
    wanted = request.get_full_path() if request.method in ("GET", "HEAD") else "/"
    return redirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': wanted}, safe='/')}")
