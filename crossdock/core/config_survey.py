"""The tables of crossdock.toml that say how the survey looks around, and what access the move needs."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints

from crossdock.core.config_values import Day, LocalPath, Model, Positive, Secret, Slug, Text, wrong

_SCHEMES = ("ssh", "sftp", "https", "http", "smtp", "smtps", "ftp", "ftps")


def _resolver(value: str) -> str:
    if not re.fullmatch(
        r"\[[0-9a-fA-F:]+\](?::\d{1,5})?|[0-9a-fA-F:]*:[0-9a-fA-F:]+|\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?", value
    ):
        raise wrong(f'"{value}" is no address of a resolver', "write it as in 9.9.9.9 or 192.0.2.1:5353")
    return value


def _selector(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", value):
        raise wrong(f'"{value}" is no selector', "write what stands before ._domainkey: google, k1")
    return value


def _url(value: str) -> str:
    # The offending text may hold a password: it is never repeated.
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise wrong("is no address", "write it as in smtp://mail.example.com:587") from None
    if parts.scheme not in _SCHEMES or not parts.hostname or port == 0:
        raise wrong("is no address that can be tried", f"write scheme and host; schemes: {', '.join(_SCHEMES)}")
    if parts.password or (parts.username and parts.scheme not in ("ssh", "sftp")):
        raise wrong("holds a user or password", "give them as user and password, the latter as a reference")
    if not value.isprintable() or " " in value:
        raise wrong("is no address", "leave blanks out")
    return value


def _price(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise wrong("is no price", "write a number of at least 0, as in 49.90")
    return float(value)


ResolverAddress = Annotated[Text, AfterValidator(_resolver)]
Selector = Annotated[Text, AfterValidator(_selector)]
Url = Annotated[Text, AfterValidator(_url)]
Price = Annotated[float, PlainValidator(_price)]
Region = Annotated[Text, StringConstraints(pattern=r"^[a-z]{2}(?:-[a-z]+)+-\d$")]


class Survey(Model):
    fresh_hours: Positive = Field(default=24, description="hours for which a plan leans on an earlier look around")
    folder_seconds: Positive = Field(default=10, description="seconds that measuring folders may take on each server")


class Dns(Model):
    """Without resolvers the system's own are asked."""

    resolvers: tuple[ResolverAddress, ...] = Field(default=(), description='resolvers to ask: resolvers = ["9.9.9.9"]')
    selectors: tuple[Selector, ...] = Field(default=(), description='DKIM selectors in use: selectors = ["google"]')
    ttl_high_seconds: Positive = Field(default=3600, description="seconds from which a TTL is told as high")


class AwsAccess(Model):
    """One account. Either a profile of the user's own AWS configuration, or a key by reference. The volumes of
    `instances` (by server) get snapshots with each backup."""

    name: Slug = Field(description='the account\'s short name, as in name = "aws"')
    regions: tuple[Region, ...] = Field(min_length=1, description='regions to look at: regions = ["eu-central-1"]')
    profile: Text | None = Field(default=None, description="profile of ~/.aws/config")
    access_key: Secret | None = Field(default=None, description='a reference, as in access_key = "env:AWS_KEY_ID"')
    secret_key: Secret | None = Field(default=None, description='a reference, as in secret_key = "env:AWS_SECRET"')
    instances: dict[str, Text] = Field(default_factory=dict, description='instances = { north = "i-0abc" }')


class Costs(Model):
    """What a month costs, in one currency."""

    currency: Annotated[Text, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(
        default="EUR", description='three letters, as in currency = "EUR"'
    )
    servers: dict[str, Price] = Field(default_factory=dict, description="server -> price of a month")
    host_month: Price | None = Field(default=None, description="the managed host's plan, a month")
    volume_gb_month: Price | None = Field(default=None, description="a GB of an AWS volume, a month")
    snapshot_gb_month: Price | None = Field(default=None, description="a GB of an AWS snapshot, a month")
    address_month: Price | None = Field(default=None, description="an elastic address, a month")


class AccessNeed(Model):
    """An account or access that somebody must give. `address` says how it is tried."""

    name: Slug = Field(description='its short name, as in name = "mail-relay"')
    purpose: Literal["host", "smtp", "payment", "erp", "dns", "other"] = Field(description="what the move needs it for")
    address: Url | None = Field(
        default=None, description="how it is tried: ssh, sftp, https, smtp, smtps, ftp or ftps URL"
    )
    ssh_config: LocalPath | None = Field(default=None, description="OpenSSH configuration file for ssh -F")
    user: Text | None = Field(default=None, description="account")
    password: Secret | None = Field(default=None, description='a reference, as in password = "env:RELAY"')
    expect: Text | None = Field(default=None, description="text that the answer of an https address must hold")
    who: Literal["operator", "qa", "client-it", "client-owner", "sales"] = Field(
        default="client-it", description="role of the person who must give it"
    )
    until: Day | None = Field(default=None, description="day on which it is due")
    needed: bool = Field(default=True, description="false where the move can do without")
    reason: Text | None = Field(default=None, description="why it is not needed")
