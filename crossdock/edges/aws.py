"""An AWS account's instances, volumes, snapshots and addresses, read through boto3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config as BotoConfig
from botocore.exceptions import BotoCoreError, ClientError

from crossdock.core.observed import CloudFacts, CloudThing
from crossdock.core.secrets import Masked

_PATIENT = BotoConfig(connect_timeout=6, read_timeout=30, retries={"max_attempts": 3, "mode": "standard"})


@dataclass(frozen=True)
class AwsAccount:
    """Either `profile` of the user's own configuration, or a key. Only Describe calls are made. Satisfies
    core.observed.Cloud."""

    name: str
    regions: tuple[str, ...]
    profile: str | None = None
    access_key: Masked | None = field(default=None, repr=False)
    secret_key: Masked | None = field(default=None, repr=False)

    def facts(self) -> CloudFacts:
        """All regions at once. Never raises for what AWS refuses."""
        try:
            session, account = self._session(), self.identity()
        except (BotoCoreError, ClientError) as error:
            return CloudFacts(self.name, problems={"account": _told(error)})
        things: list[CloudThing] = []
        problems: dict[str, str] = {}
        with ThreadPoolExecutor(max(1, len(self.regions))) as pool:
            clients = {region: session.client("ec2", region, config=_PATIENT) for region in self.regions}
            jobs = {region: pool.submit(_region, client, region, account) for region, client in clients.items()}
            for region, job in jobs.items():
                found, trouble = job.result()
                things += found
                if trouble:
                    problems[region] = trouble
        return CloudFacts(self.name, account, tuple(things), problems)

    def identity(self) -> str:
        """The account's number. Errors: as boto3's (BotoCoreError, ClientError), told by `problem`."""
        session = self._session()
        return str(session.client("sts", self.regions[0], config=_PATIENT).get_caller_identity()["Account"])

    def problem(self) -> str:
        """Why the account can't be read at all, in every region that is named; empty where it can."""
        try:
            self.identity()
            for region in self.regions:
                self._session().client("ec2", region, config=_PATIENT).describe_instances(MaxResults=5)
        except (BotoCoreError, ClientError) as error:
            return _told(error)
        return ""

    def _session(self) -> boto3.Session:
        # Each use makes its own: a session of boto3 is not for several threads.
        if self.profile:
            return boto3.Session(profile_name=self.profile)
        return boto3.Session(aws_access_key_id=self.access_key, aws_secret_access_key=self.secret_key)


def _region(client: Any, region: str, account: str) -> tuple[list[CloudThing], str]:
    found: list[CloudThing] = []
    troubles: list[str] = []
    for read in (_instances, _volumes, _snapshots, _addresses):
        try:
            found += read(client, region, account)
        except (BotoCoreError, ClientError) as error:
            troubles.append(_told(error))
    return found, "; ".join(dict.fromkeys(troubles))


def _pages(client: Any, call: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(call).paginate(**arguments):
        yield from page[key]


def _instances(client: Any, region: str, account: str) -> Iterator[CloudThing]:
    for group in _pages(client, "describe_instances", "Reservations"):
        for one in group["Instances"]:
            addresses = [
                address
                for card in one.get("NetworkInterfaces", [])
                for address in (card.get("PrivateIpAddress"), card.get("Association", {}).get("PublicIp"))
            ]
            addresses += [one.get("PrivateIpAddress"), one.get("PublicIpAddress")]
            text = " ".join(filter(None, (_name(one), one.get("InstanceType", ""))))
            yield CloudThing(
                "instance", one["InstanceId"], region, text, state=one["State"]["Name"], addresses=_those(addresses)
            )


def _volumes(client: Any, region: str, account: str) -> Iterator[CloudThing]:
    for one in _pages(client, "describe_volumes", "Volumes"):
        attached = tuple(place["InstanceId"] for place in one.get("Attachments", []) if place.get("InstanceId"))
        text = " ".join(filter(None, (_name(one), one.get("VolumeType", ""))))
        yield CloudThing(
            "volume", one["VolumeId"], region, text, int(one.get("Size", 0)), one.get("State", ""), (), attached,
            one.get("Encrypted"),
        )  # fmt: skip


def _snapshots(client: Any, region: str, account: str) -> Iterator[CloudThing]:
    # Without an owner these would be all that anybody has ever published.
    for one in _pages(client, "describe_snapshots", "Snapshots", OwnerIds=[account]):
        text = " ".join(filter(None, (_name(one), f"of {one['StartTime']:%Y-%m-%d}" if "StartTime" in one else "")))
        of = (one["VolumeId"],) if one.get("VolumeId") else ()
        yield CloudThing(
            "snapshot", one["SnapshotId"], region, text, int(one.get("VolumeSize", 0)), one.get("State", ""), (), of,
            one.get("Encrypted"),
        )  # fmt: skip


def _addresses(client: Any, region: str, account: str) -> Iterator[CloudThing]:
    for one in client.describe_addresses()["Addresses"]:
        of = _those([one.get("InstanceId"), one.get("NetworkInterfaceId")])
        name = one.get("AllocationId") or one["PublicIp"]
        yield CloudThing("address", name, region, one["PublicIp"], addresses=(one["PublicIp"],), of=of)


def _those(values: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _name(thing: Any) -> str:
    return next((str(tag["Value"]) for tag in thing.get("Tags", []) if tag["Key"] == "Name"), "")


def _told(error: Exception) -> str:
    """AWS's own words; they name the right that is missing, and no secret."""
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        return f"{said.get('Code', 'refused')}: {said.get('Message', '')}"[:300]
    return f"{type(error).__name__}: {error}"[:300]
