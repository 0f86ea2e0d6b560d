"""What a cloud's account holds, matched to the project's servers; and what a month costs before and after. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crossdock.core.evidence import Finding, Json, Level
from crossdock.core.inventory import Item
from crossdock.core.observed import CloudFacts, CloudThing
from crossdock.move.inventory.words import gigabytes, plain


def servers_of(clouds: Sequence[CloudFacts], addresses: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Instance -> server, by an address that both name. `addresses`: those of each server, as it and DNS tell them."""
    found: dict[str, str] = {}
    for facts in clouds:
        for thing in facts.things:
            if thing.kind == "instance":
                for server, own in addresses.items():
                    if set(thing.addresses) & set(own):
                        found[thing.id] = server
    return found


def cloud_items(facts: CloudFacts, owners: Mapping[str, str]) -> Iterator[Item]:
    """Volumes belong to the server of their instance, snapshots to that of their volume; all others to the account."""
    by_id = dict(owners)
    for kind in ("instance", "volume", "snapshot", "address"):
        for thing in (one for one in facts.things if one.kind == kind):
            server = next((by_id[one] for one in (thing.id, *thing.of) if one in by_id), facts.name)
            by_id.setdefault(thing.id, server)
            size = f", {gigabytes(thing.size_gb * 2**30)}" if thing.size_gb else ""
            data: Json = {
                "region": thing.region, "state": thing.state, "size_gb": thing.size_gb, "of": list(thing.of),
                "addresses": list(thing.addresses), "is_encrypted": thing.is_encrypted, "account": facts.name,
            }  # fmt: skip
            text = f"{plain(thing.text) or kind} in {thing.region}{size}: {thing.state}".removesuffix(": ")
            yield Item(f"aws-{kind}", server, thing.id, text, data)


def cloud_findings(facts: CloudFacts, owners: Mapping[str, str]) -> Iterator[Finding]:
    for region, problem in facts.problems.items():
        way_out = "give the key ec2:Describe* in this region, or take the region out of crossdock.toml"
        yield Finding("aws.unreadable", Level.WARN, f"{facts.name}: {region}", f"not known: {plain(problem)}", way_out)
    volumes = {one.id for one in facts.things if one.kind == "volume"}
    for thing in facts.things:
        place = f"{facts.name}: {thing.id}"
        if thing.kind == "volume" and not thing.of:
            text = f"a volume of {thing.size_gb} GiB is attached to nothing, and is paid for"
            yield Finding("aws.orphan", Level.WARN, place, text, "ask whose it is; take a snapshot before it goes")
        elif thing.kind == "address" and not thing.of:
            text = "an elastic address leads nowhere, and is paid for"
            yield Finding("aws.orphan", Level.WARN, place, text, "give it back, unless somebody allows it by name")
        elif thing.kind == "snapshot" and thing.of and not volumes & set(thing.of):
            text = f"a snapshot of {thing.size_gb} GiB whose volume is gone"
            yield Finding(
                "aws.orphan", Level.INFO, place, text, "keep it until the move is signed: it may be the only copy"
            )
        elif thing.kind == "instance" and thing.id not in owners:
            text = "an instance that is none of this project's servers"
            yield Finding("aws.unmatched", Level.INFO, place, text, "say whether it belongs to the stores")


# -- cost ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prices:
    """A month's prices, as declared. None where nobody has said."""

    currency: str = "EUR"
    servers: Mapping[str, float] | None = None
    host: float | None = None
    volume_gb: float | None = None
    snapshot_gb: float | None = None
    address: float | None = None


def costs(prices: Prices, servers: Sequence[str], things: Sequence[CloudThing]) -> Json:
    """A month before and after: totals and the lines they are made of. `unpriced`: what no price was declared for, so
    that a total is no more than it says."""
    lines: list[Json] = []
    unpriced: list[str] = []
    for name in servers:
        price = (prices.servers or {}).get(name)
        if price is None:
            unpriced.append(f"server {name}")
        else:
            lines.append({"what": f"server {name}", "when": "before", "month": round(price, 2)})
    for kind, price in (("volume", prices.volume_gb), ("snapshot", prices.snapshot_gb)):
        size = sum(one.size_gb for one in things if one.kind == kind)
        if size and price is not None:
            lines.append({"what": f"{size} GB of {kind}s", "when": "before", "month": round(size * price, 2)})
        elif size:
            unpriced.append(f"{size} GB of {kind}s")
    count = sum(one.kind == "address" for one in things)
    if count and prices.address is not None:
        lines.append({"what": f"{count} addresses", "when": "before", "month": round(count * prices.address, 2)})
    if prices.host is None:
        unpriced.append("the managed host")
    else:
        lines.append({"what": "the managed host", "when": "after", "month": round(prices.host, 2)})
    totals = {
        f"{when}_month": round(sum(one["month"] for one in lines if one["when"] == when), 2)
        for when in ("before", "after")
    }
    return {"currency": prices.currency, **totals, "lines": lines, "unpriced": unpriced}
