"""Signing in and out, and one's own account."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from crossdock.hub.accounts.actions import TooManyTries, signed_in
from crossdock.hub.accounts.models import Account
from crossdock.hub.accounts.rules import ANYBODY, PROJECT, Role, client_address
from crossdock.hub.gate import enter

WRONG = "This e-mail address and password do not go together."


class SignIn(forms.Form):
    email = forms.CharField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label="Password",
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


@enter(ANYBODY)
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    if isinstance(request.user, Account):
        return redirect(_next(request, request.user))
    form = SignIn(request.POST or None)
    context = {"form": form, "next": _wanted(request)}
    if request.method != "POST" or not form.is_valid():
        return render(request, "accounts/sign_in.html", context)
    address = client_address(
        request.META.get("REMOTE_ADDR", ""), request.headers.get("X-Forwarded-For", ""), proxied=bool(settings.URL)
    )
    try:
        account = signed_in(request, form.cleaned_data["email"], form.cleaned_data["password"], address)
    except TooManyTries as error:
        form.add_error(None, f"Too many tries. Wait {error.seconds // 60 + 1} minutes, or ask your operator.")
        response = render(request, "accounts/sign_in.html", context, status=429)
        response.headers["Retry-After"] = str(error.seconds)
        return response
    if account is None:
        form.add_error(None, WRONG)
        return render(request, "accounts/sign_in.html", context, status=401)
    login(request, account)
    return redirect(_next(request, account))


def _next(request: HttpRequest, account: Account) -> str:
    if account.role not in PROJECT:
        return "account"
    wanted, hosts = _wanted(request), {request.get_host()}
    safe = url_has_allowed_host_and_scheme(wanted, hosts, require_https=request.is_secure())
    return wanted if safe and wanted.startswith("/") else "overview"


def _wanted(request: HttpRequest) -> str:
    return request.POST.get("next") or request.GET.get("next") or ""


@enter(*Role)
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("sign-in")


@enter(*Role)
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, Account)  # noqa: S101 - the gate lets nobody else in
    form = PasswordChangeForm(request.user, request.POST or None)
    form.fields["old_password"].widget.attrs.pop("autofocus", None)
    done = False
    if request.method == "POST" and form.is_valid():
        update_session_auth_hash(request, form.save())
        form, done = PasswordChangeForm(request.user), True
    return render(request, "accounts/account.html", {"form": form, "done": done})
