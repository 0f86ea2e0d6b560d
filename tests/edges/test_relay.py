from __future__ import annotations

import contextlib
import socket
import time

import pytest

from crossdock.core.errors import AccessError, ConfigError, ConnectionLost
from crossdock.core.secrets import Masked
from crossdock.edges.database import DatabaseAccount, connect_database, parse_host
from crossdock.edges.relay import Relay


def account(mariadb, host=None, **other):
    settings = {
        "database": "cd_test",
        "user": "cd",
        "password": mariadb.password,
        "host": host or f"127.0.0.1:{mariadb.port}",
    }
    return DatabaseAccount(**{**settings, **other})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", ("localhost", 3306, None)),
        ("127.0.0.1:3307", ("127.0.0.1", 3307, None)),
        ("localhost:/a/b.sock", ("localhost", 3306, "/a/b.sock")),
        (":/a/b.sock", ("localhost", 3306, "/a/b.sock")),
        ("localhost:3307:/a/b.sock", ("localhost", 3307, "/a/b.sock")),
        ("[::1]:3307", ("::1", 3307, None)),
        ("db.internal", ("db.internal", 3306, None)),
        ("p:db.internal", ("db.internal", 3306, None)),
    ],
)
def test_db_host_is_read_as_wordpress_reads_it(text, expected):
    assert parse_host(text) == expected


def test_auto_takes_the_tunnel_where_it_is_allowed(sshd, mariadb):
    connected = connect_database(sshd.host(), account(mariadb))
    try:
        assert connected.transport == "tunnel"
        assert connected.endpoint.open_source().query("SELECT 1") == [(b"1",)]
        assert str(mariadb.password) not in repr(connected)
    finally:
        connected.close()


@pytest.mark.parametrize("by_socket", [False, True])
def test_auto_falls_back_to_the_relay(gateway, mariadb, by_socket):
    connected = connect_database(gateway.host(), account(mariadb, f":{mariadb.socket}" if by_socket else None))
    try:
        assert connected.transport == "relay"
        assert connected.endpoint.open_source().query("SELECT 1") == [(b"1",)]
    finally:
        connected.close()


@pytest.mark.parametrize("transport", ["auto", "tunnel", "relay", "direct"])
def test_a_wrong_password_is_told_as_such(sshd, mariadb, transport):
    wrong = account(mariadb, password=Masked("guessed-wrong"))
    with pytest.raises(AccessError, match="Access denied") as caught:
        connect_database(sshd.host(), wrong, transport=transport)
    assert "guessed-wrong" not in str(caught.value)


def test_an_unknown_database_is_told_as_such(sshd, mariadb):
    with pytest.raises(AccessError, match="cd_none"):
        connect_database(sshd.host(), account(mariadb, database="cd_none"), transport="relay")


@pytest.mark.parametrize("transport", ["tunnel", "relay"])
def test_no_database_there(sshd, mariadb, transport):
    with pytest.raises(AccessError, match=r"nothing answers at 127\.0\.0\.1:1 "):
        connect_database(sshd.host(), account(mariadb, "127.0.0.1:1"), transport=transport)


def test_no_php_there(sshd, mariadb):
    with pytest.raises(AccessError, match="no-such-php"):
        connect_database(sshd.host(), account(mariadb), transport="relay", php="no-such-php")


def test_a_changed_host_key_stops_every_way(sshd, mariadb):
    with pytest.raises(AccessError, match="CHANGED"):
        connect_database(sshd.host("changed_hosts"), account(mariadb))


def test_an_unknown_transport(sshd, mariadb):
    with pytest.raises(ConfigError, match="pigeon"):
        connect_database(sshd.host(), account(mariadb), transport="pigeon")


def test_a_cut_session_loses_the_connection_and_the_next_one_works(gateway, mariadb):
    connected = connect_database(gateway.host(), account(mariadb), transport="relay")
    try:
        for _ in range(3):
            session = connected.endpoint.open_target()
            assert gateway.cut_sessions() > 0
            with pytest.raises(ConnectionLost):
                session.query("SELECT 1")
        assert connected.endpoint.open_source().query("SELECT 1") == [(b"1",)]
    finally:
        connected.close()


@contextlib.contextmanager
def relayed(gateway, mariadb):
    with Relay(gateway.host(), f"127.0.0.1:{mariadb.port}") as relay:
        yield relay


def test_nothing_is_left_behind(gateway, mariadb):
    with relayed(gateway, mariadb) as relay:
        endpoint = mariadb.endpoint(unix_socket=str(relay.path))
        sessions = [endpoint.open_source() for _ in range(3)]
        children = list(relay._children)
        sessions[0].close()
        end = time.monotonic() + 10
        while children[0].poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        assert children[0].poll() is not None
        assert [child.poll() for child in children[1:]] == [None, None]
    assert all(child.poll() is not None for child in children)
    assert not relay.path.exists()
    with socket.socket(socket.AF_UNIX) as late, pytest.raises(OSError, match="No such file"):
        late.connect(str(relay.path))
