"""DNS asked of a real server on loopback: what is there, what is not, and what does not answer."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from crossdock.edges.dns import DnsResolver
from crossdock.lab.addresses import free_port
from crossdock.lab.dns import Dns, Records
from crossdock.lab.standalone import lone_server

LONG = "v=DKIM1; k=rsa; p=" + "MIIBIjANBgkqhkiG9w0B" * 20


@pytest.fixture(scope="module")
def served() -> Iterator[Dns]:
    records = [
        Records("www.north.example", "CNAME", ("shop.north.example.",), 86_400),
        Records("shop.north.example", "A", ("203.0.113.7", "203.0.113.8"), 300),
        Records("shop.north.example", "AAAA", ("2001:db8::7",), 300),
        Records("north.example", "MX", ("10 mx.north.example.",), 3600),
        Records("north.example", "TXT", ("v=spf1 mx -all", 'with "quotes" and \\'), 60),
        Records("key._domainkey.north.example", "TXT", (LONG,)),
        Records("many.north.example", "TXT", tuple(f"{number} {'x' * 180}" for number in range(30))),
        Records("north.example", "CAA", ('0 issue "letsencrypt.org"',)),
    ]
    with lone_server("dns") as server, Dns(server, records) as made:
        yield made


def test_records_of_each_kind(served: Dns) -> None:
    wanted = [
        ("shop.north.example", "A"), ("SHOP.north.example.", "AAAA"), ("north.example", "MX"), ("north.example", "TXT"),
        ("north.example", "CAA"), ("key._domainkey.north.example", "TXT"),
    ]  # fmt: skip
    told = DnsResolver((served.address,)).ask(wanted)
    assert not [one.problem for one in told.values() if one.problem]
    assert told["shop.north.example", "A"].values == ("203.0.113.7", "203.0.113.8")
    assert told["shop.north.example", "A"].ttl_seconds == 300
    assert told["SHOP.north.example.", "AAAA"].values == ("2001:db8::7",)
    assert told["north.example", "MX"].values == ("10 mx.north.example.",)
    assert told["north.example", "TXT"].values == ("v=spf1 mx -all", 'with "quotes" and \\')
    assert told["north.example", "CAA"].values == ('0 issue "letsencrypt.org"',)
    # One value of several strings is one text, or a key would not be found.
    assert told["key._domainkey.north.example", "TXT"].values == (LONG,)


def test_an_alias_and_its_end(served: Dns) -> None:
    told = DnsResolver((served.address,)).ask([("www.north.example", "A"), ("www.north.example", "CNAME")])
    assert told["www.north.example", "CNAME"].values == ("shop.north.example.",)
    assert told["www.north.example", "A"].values == ("203.0.113.7", "203.0.113.8")
    assert told["www.north.example", "A"].ttl_seconds == 300
    assert told["www.north.example", "CNAME"].ttl_seconds == 86_400


def test_what_is_not_there_is_no_problem(served: Dns) -> None:
    told = DnsResolver((served.address,)).ask([("nowhere.example", "A"), ("north.example", "A")])
    assert [(one.values, one.problem) for one in told.values()] == [((), ""), ((), "")]


def test_an_answer_too_long_for_udp_comes_by_tcp(served: Dns) -> None:
    told = DnsResolver((served.address,)).ask([("many.north.example", "TXT")])
    assert len(told["many.north.example", "TXT"].values) == 30


def test_records_change_while_it_runs(served: Dns) -> None:
    question = ("moved.north.example", "A")
    resolver = DnsResolver((served.address,))
    assert resolver.ask([question])[question].values == ()
    served.put(Records("moved.north.example", "A", ("198.51.100.1",), 60))
    assert resolver.ask([question])[question].values == ("198.51.100.1",)
    served.put(Records("moved.north.example", "A", ()))
    assert resolver.ask([question])[question].values == ()


def test_a_silent_resolver_is_not_waited_for_again_and_again() -> None:
    wanted = [(f"name{number}.example", "A") for number in range(200)]
    began = time.monotonic()
    told = DnsResolver((f"127.0.0.1:{free_port()}",), timeout_seconds=0.4).ask(wanted)
    assert time.monotonic() - began < 4
    assert len(told) == 200
    assert all(one.problem and not one.values for one in told.values())


def test_the_second_resolver_is_asked_when_the_first_is_silent(served: Dns) -> None:
    resolver = DnsResolver((f"127.0.0.1:{free_port()}", served.address))
    assert resolver.ask([("north.example", "MX")])["north.example", "MX"].values
