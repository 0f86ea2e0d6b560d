"""Seals open for their key alone; EBS snapshots against moto, which knows EC2's answers but for their states."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from crossdock.core.errors import AccessError, ConfigError
from crossdock.core.secrets import Masked
from crossdock.edges.ebs import Ebs, EbsSnapshot
from crossdock.edges.sealing import make_key, seal, unseal

REGION = "eu-central-1"
CONTENT = b"define('DB_PASSWORD', 'geheim');\0\xff"


def test_a_seal_opens_for_its_key_alone() -> None:
    key, other = Masked(make_key()), Masked(make_key())
    sealed = seal(CONTENT, key)
    assert b"geheim" not in sealed
    assert unseal(sealed, key) == CONTENT
    assert seal(CONTENT, key) != sealed
    altered = sealed[:40] + bytes((sealed[40] ^ 1,)) + sealed[41:]
    for content, with_key in ((sealed, other), (altered, key), (sealed[:-5], key), (b"", key)):
        with pytest.raises(ConfigError, match="does not open"):
            unseal(content, with_key)


@pytest.mark.parametrize("key", ["", "short", "ß" * 44, "A" * 43])
def test_what_is_no_key_is_refused_and_not_told(key: str) -> None:
    with pytest.raises(ConfigError, match="no key") as caught:
        seal(CONTENT, Masked(key))
    assert not key or key not in str(caught.value)


def test_every_volume_of_an_instance_gets_a_tagged_snapshot() -> None:
    with mock_aws():
        plain = boto3.client("ec2", REGION, aws_access_key_id="a", aws_secret_access_key="b")
        image = plain.describe_images()["Images"][0]["ImageId"]
        instance = plain.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        volume = plain.create_volume(Size=8, AvailabilityZone=f"{REGION}a")["VolumeId"]
        plain.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        ebs = Ebs(REGION, access_key="a", secret_key="geheim")
        made = ebs.wait(ebs.create(instance, {"project": "lumen", "server": "north"}), 5, lambda _: None)
        assert len(made) == 2
        assert volume in {one.volume for one in made}
        assert {one.state for one in made} == {"completed"}
        for one in plain.describe_snapshots(SnapshotIds=[one.id for one in made])["Snapshots"]:
            assert {tag["Key"]: tag["Value"] for tag in one["Tags"]} == {"project": "lumen", "server": "north"}


def test_aws_refusals_name_the_place_and_no_key() -> None:
    with mock_aws():
        ebs = Ebs(REGION, access_key="a", secret_key="geheim")
        with pytest.raises(AccessError, match="i-0123456789abcdef0") as caught:
            ebs.create("i-0123456789abcdef0", {"project": "lumen"})
    assert "geheim" not in str(caught.value)
    with pytest.raises(AccessError, match="nobody"):
        Ebs(REGION, profile="nobody")


def test_waiting_ends_with_patience_and_says_what_is_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    with mock_aws():
        ebs = Ebs(REGION, access_key="a", secret_key="b")
        states = iter(["pending", "pending", "completed"])

        def described(ids: list[str]) -> list[EbsSnapshot]:
            return [EbsSnapshot(ids[0], "vol-1", next(states), 8)]

        monkeypatch.setattr(ebs, "_read", described)
        slept: list[float] = []
        begun = [EbsSnapshot("snap-1", "vol-1", "pending", 8)]
        assert ebs.wait(begun, 0, slept.append)[0].state == "pending"
        assert slept == []
        assert ebs.wait(begun, 60, slept.append)[0].state == "completed"
        assert len(slept) == 3
