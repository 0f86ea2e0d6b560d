"""Snapshots of the volumes of EC2 instances."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from crossdock.core.errors import AccessError
from crossdock.core.secrets import Masked

_PAUSE_SECONDS = 15.0


@dataclass(frozen=True)
class EbsSnapshot:
    """One volume's snapshot. `state`: pending, completed or error; `gib` is the volume's size."""

    id: str
    volume: str
    state: str
    gib: int


class Ebs:
    """One region's volumes. Without keys and profile boto3 looks in its usual places."""

    def __init__(self, region: str, profile: str | None = None, access_key: str = "", secret_key: str = "") -> None:
        self.region = region
        keys: dict[str, Any] = {}
        if access_key:
            keys = {"aws_access_key_id": Masked(access_key), "aws_secret_access_key": Masked(secret_key)}
        self._client: Any = self._told(
            lambda: boto3.Session(profile_name=profile, region_name=region, **keys).client("ec2")
        )

    def create(self, instance: str, tags: Mapping[str, str]) -> list[EbsSnapshot]:
        """Begins snapshots of all the instance's volumes, taken at one moment. Errors: AccessError."""
        wanted = [{"ResourceType": "snapshot", "Tags": [{"Key": key, "Value": text} for key, text in tags.items()]}]
        specification = {"InstanceId": instance, "ExcludeBootVolume": False}
        made = self._told(
            lambda: self._client.create_snapshots(
                InstanceSpecification=specification, Description="Crossdock backup", TagSpecifications=wanted
            )
        )
        return self._read([one["SnapshotId"] for one in made["Snapshots"]])

    def wait(
        self, snapshots: list[EbsSnapshot], patience_seconds: float, sleep: Callable[[float], None] = time.sleep
    ) -> list[EbsSnapshot]:
        """The snapshots as they are once none is pending, or patience has ended. Errors: AccessError."""
        end = time.monotonic() + patience_seconds
        found = snapshots
        while any(one.state == "pending" for one in found) and time.monotonic() < end:
            sleep(_PAUSE_SECONDS)
            found = self._read([one.id for one in snapshots])
        return found

    def _read(self, ids: list[str]) -> list[EbsSnapshot]:
        if not ids:
            return []
        # What create_snapshots answers has no state everywhere.
        found = self._told(lambda: self._client.describe_snapshots(SnapshotIds=ids))["Snapshots"]
        made = [EbsSnapshot(one["SnapshotId"], one["VolumeId"], one["State"], one["VolumeSize"]) for one in found]
        return sorted(made, key=lambda one: one.id)

    def _told(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except (BotoCoreError, ClientError) as error:
            way_out = "check [[aws]] in crossdock.toml; the account needs ec2:CreateSnapshots, CreateTags, Describe*"
            raise AccessError(f"AWS refused: {error}", where=f"AWS {self.region}", way_out=way_out) from error
