"""Makes and removes accounts, and lets people sign in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from crossdock.core.errors import ConfigError
from crossdock.core.secrets import Masked
from crossdock.hub.accounts.models import Account, Try
from crossdock.hub.accounts.rules import WINDOW_SECONDS, Role, throttle_keys, tries_allowed


@dataclass(frozen=True)
class AccountView:
    """An account as the operator sees it."""

    email: str
    name: str
    role: str
    active: bool
    last_login: datetime | None


class TooManyTries(Exception):  # noqa: N818 - a page says it, no command
    """`seconds` until the next try is let through."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many tries; wait {seconds} s")
        self.seconds = seconds


def add(email: str, role: Role, password: Masked, name: str = "") -> None:
    """Errors: ConfigError where there is one already, or the password is weak."""
    account = Account(email=email.lower(), role=str(role), name=name)
    _set_password(account, password)
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError:
        way_out = "crossdock people password gives it a new password, crossdock people remove takes it away"
        raise ConfigError("has an account already", where=account.email, way_out=way_out) from None


def give_password(email: str, password: Masked) -> None:
    """A new password, which ends every session of the account. Errors: ConfigError."""
    account = _account(email)
    _set_password(account, password)
    account.save(update_fields=["password"])


def remove(email: str) -> None:
    """Takes an account away; its sessions end with it. Errors: ConfigError."""
    _account(email).delete()


def accounts() -> list[AccountView]:
    """All accounts, by e-mail address."""
    return [AccountView(one.email, one.name, one.role, one.is_active, one.last_login) for one in Account.objects.all()]


def generated_password() -> Masked:
    """96 bits, in letters that nobody confuses."""
    return Masked(
        "-".join("".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(5)) for _ in "1234")
    )


def signed_in(request: HttpRequest, email: str, password: str, address: str) -> Account | None:
    """The account, if the password is right. Errors: TooManyTries."""
    keys = throttle_keys(email, address)
    with transaction.atomic():
        # Counted before the password is looked at: who tries at the same time does not get more tries.
        _refuse(keys)
        tries = [Try.objects.create(key=key, at=datetime.now(UTC)) for key in keys]
    found = authenticate(request, username=email, password=password)
    if not isinstance(found, Account):
        return None
    with transaction.atomic():
        Try.objects.filter(key=keys[0]).delete()
        tries[1].delete()
    return found


def _refuse(keys: tuple[str, ...]) -> None:
    now = datetime.now(UTC)
    window = timedelta(seconds=WINDOW_SECONDS)
    Try.objects.filter(at__lt=now - window).delete()
    for key in keys:
        tried = list(Try.objects.filter(key=key).order_by("-at").values_list("at", flat=True)[: tries_allowed(key)])
        if len(tried) == tries_allowed(key):
            raise TooManyTries(max(1, round((tried[-1] + window - now).total_seconds())))


def _account(email: str) -> Account:
    try:
        return Account.objects.get(email=email.lower())
    except Account.DoesNotExist:
        raise ConfigError("has no account", where=email, way_out="crossdock people list") from None


def _set_password(account: Account, password: Masked) -> None:
    try:
        validate_password(password, account)
    except ValidationError as error:
        # Django's words never repeat the password.
        raise ConfigError(" ".join(error.messages), where=account.email, way_out="choose another password") from None
    account.set_password(str(password))
