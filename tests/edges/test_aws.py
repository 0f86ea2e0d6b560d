"""An AWS account as moto plays it: instances, volumes, snapshots, addresses, and a key that may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from crossdock.core.observed import CloudFacts
from crossdock.core.secrets import Masked
from crossdock.edges.aws import AwsAccount
from crossdock.move.inventory.cloud import Prices, cloud_findings, cloud_items, costs, servers_of

REGION = "eu-central-1"


@pytest.fixture(scope="module")
def account() -> Iterator[AwsAccount]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE"):
            patch.delenv(name, raising=False)
        # Amazon's own images would bring hundreds of snapshots, and ten seconds.
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        with mock_aws():
            yield AwsAccount("aws", (REGION,), access_key=Masked("AKIATEST"), secret_key=Masked("s3cr3t"))


@pytest.fixture(scope="module")
def ids(account: AwsAccount) -> dict[str, str]:
    """What was put into the account, once for all tests."""
    return fill()


def fill() -> dict[str, str]:
    """One server with two volumes, a volume and an address of nobody, snapshots of both."""
    ec2: Any = boto3.client("ec2", REGION, aws_access_key_id="x", aws_secret_access_key="y")
    instance = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, InstanceType="t3.large")["Instances"][
        0
    ]
    ids = {"instance": instance["InstanceId"], "address": instance["PrivateIpAddress"]}
    zone = instance["Placement"]["AvailabilityZone"]
    for name, size in (("data", 200), ("orphan", 80)):
        ids[name] = ec2.create_volume(Size=size, AvailabilityZone=zone)["VolumeId"]
    ec2.attach_volume(VolumeId=ids["data"], InstanceId=ids["instance"], Device="/dev/sdf")
    ids["snapshot"] = ec2.create_snapshot(VolumeId=ids["data"])["SnapshotId"]
    gone = ec2.create_volume(Size=40, AvailabilityZone=zone)["VolumeId"]
    ids["last"] = ec2.create_snapshot(VolumeId=gone)["SnapshotId"]
    ec2.delete_volume(VolumeId=gone)
    ids["free"] = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ids["used"] = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=ids["used"], InstanceId=ids["instance"])
    return ids


def test_what_an_account_holds_goes_to_the_right_server(account: AwsAccount, ids: dict[str, str]) -> None:
    facts = account.facts()
    assert (facts.problems, facts.account) == ({}, "123456789012")
    owners = servers_of([facts], {"north": (ids["address"],), "south": ("10.9.9.9",)})
    assert owners == {ids["instance"]: "north"}
    items = {item.name: item for item in cloud_items(facts, owners)}
    for name in ("instance", "data", "snapshot", "used"):
        assert items[ids[name]].server == "north", name
    for name in ("orphan", "last", "free"):
        assert items[ids[name]].server == "aws", name
    assert items[ids["data"]].data["size_gb"] == 200
    found = {
        one.place.partition(": ")[2]: one.text for one in cloud_findings(facts, owners) if one.code == "aws.orphan"
    }
    assert set(found) == {ids["orphan"], ids["last"], ids["free"]}
    unmatched = [one for one in cloud_findings(facts, {}) if one.code == "aws.unmatched"]
    assert [one.place for one in unmatched] == [f"aws: {ids['instance']}"]


def test_what_a_month_costs(account: AwsAccount, ids: dict[str, str]) -> None:
    things = account.facts().things
    volumes = sum(one.size_gb for one in things if one.kind == "volume")
    told = costs(Prices("USD", {"north": 90.0}, 250.0, volume_gb=0.1), ["north", "south"], things)
    assert told["before_month"] == round(90 + volumes * 0.1, 2)
    assert told["after_month"] == 250.0
    assert told["currency"] == "USD"
    assert "server south" in told["unpriced"]
    assert any("snapshots" in one for one in told["unpriced"])


def test_a_key_that_aws_refuses_is_told_without_the_key() -> None:
    refused = AwsAccount("aws", (REGION,), profile="no-such-profile")
    facts = refused.facts()
    assert "no-such-profile" in facts.problems["account"]
    assert "no-such-profile" in refused.problem()
    assert "s3cr3t" not in repr(AwsAccount("aws", (REGION,), access_key=Masked("AKIA"), secret_key=Masked("s3cr3t")))


def test_a_key_that_may_not_describe(account: AwsAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(client: Any, region: str, number: str) -> Any:
        raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "ec2:DescribeVolumes"}}, "x")

    assert account.problem() == ""
    monkeypatch.setattr("crossdock.edges.aws._volumes", refuse)
    facts: CloudFacts = account.facts()
    assert set(facts.problems) == {REGION}
    [one] = [one for one in cloud_findings(facts, {}) if one.code == "aws.unreadable"]
    assert "UnauthorizedOperation: ec2:DescribeVolumes" in one.text
