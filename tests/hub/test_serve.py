"""crossdock serve as a process: it answers and stops, refuses a port in use, shares its state, and says it is busy."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from screens import PASSWORD, TOML, account

from crossdock.core.errors import AccessError, ConfigError
from crossdock.hub.boot import Hub
from crossdock.hub.serve import Listen

CROSSDOCK = str(Path(sys.executable).with_name("crossdock"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path, port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A server of the project in `folder`, which answers."""
    command = [CROSSDOCK, "serve", "--port", str(port), "-c", str(folder / "crossdock.toml"), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=15)


def sign_in(client: httpx.Client, base: str, email: str = "qa@example.com") -> httpx.Response:
    client.get(f"{base}/sign-in")
    token = next(value for name, value in client.cookies.items() if name.endswith("-form"))
    form = {"email": email, "password": PASSWORD, "csrfmiddlewaretoken": token}
    return client.post(f"{base}/sign-in", data=form, timeout=30)


def test_two_servers_on_one_state_and_a_database_that_is_locked(screens: Hub, state: Path) -> None:
    account("qa", "qa@example.com")
    ports = free_port(), free_port()
    with serving(state.parent, ports[0]) as process, serving(state.parent, ports[1]):
        one, other = (f"http://127.0.0.1:{port}" for port in ports)
        with httpx.Client() as client:
            assert client.get(f"{one}/").headers["location"] == "/sign-in?next=/"
            assert sign_in(client, one).headers["location"] == "/"
            # One state, one key, one table of sessions.
            assert "Lumen Outdoor" in client.get(f"{other}/").text
            assert client.get(f"{one}/", headers={"host": "evil.example"}).status_code == 400
            locker = sqlite3.connect(state / "hub.sqlite3", isolation_level=None)
            locker.execute("BEGIN IMMEDIATE")
            assert client.get(f"{one}/findings").status_code == 200
            with httpx.Client() as late:
                busy = sign_in(late, other)
            assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
            assert "The hub is busy" in busy.text
            locker.execute("ROLLBACK")
            locker.close()
            with httpx.Client() as late:
                assert sign_in(late, other).status_code == 302
        refused = subprocess.run(
            [CROSSDOCK, "serve", "--port", str(ports[0]), "-c", str(state.parent / "crossdock.toml")],
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert refused.returncode == AccessError.exit_code
        assert "this port is in use" in refused.stderr
        assert "--port 8001" in refused.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        assert process.stderr
        assert "Traceback" not in process.stderr.read()


def test_it_ends_with_sigterm_and_leaves_nobody_when_it_is_killed(screens: Hub, state: Path) -> None:
    port = free_port()
    with serving(state.parent, port) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    with serving(state.parent, port) as process:
        process.kill()
        process.wait()
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                break
            time.sleep(0.05)
        else:
            pytest.fail("the worker outlived its server")


def test_behind_a_proxy_with_https(screens: Hub, state: Path) -> None:
    account("qa", "qa@example.com")
    port = free_port()
    with serving(state.parent, port, "--url", "https://hub.example.com"), httpx.Client() as client:
        base, proxied = f"http://127.0.0.1:{port}", {"host": "hub.example.com", "x-forwarded-proto": "https"}
        page = client.get(f"{base}/sign-in", headers=proxied)
        cookie = page.headers["set-cookie"]
        assert cookie.startswith("__Host-crossdock-")
        assert "Secure" in cookie
        assert "max-age=" in page.headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--host", "0.0.0.0"], ConfigError.exit_code, "say by which address people reach it: --url"),
        (["--host", "203.0.113.1"], AccessError.exit_code, "can't be listened to"),
        (["--url", "hub.example.com"], ConfigError.exit_code, "is no address of a site"),
        (["--port", "0"], 2, "--port"),
        (["--certificate", __file__, "--key", __file__], ConfigError.exit_code, "can't be used"),
    ],
)
def test_what_can_not_be_served_is_told(tmp_path: Path, options: list[str], code: int, told: str) -> None:
    (tmp_path / "crossdock.toml").write_text(TOML)
    command = [CROSSDOCK, "serve", "-c", str(tmp_path / "crossdock.toml"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "COLUMNS": "300"})
    assert done.returncode == code
    assert told in done.stderr


def test_names_and_addresses() -> None:
    assert Listen(port=81).address == "http://127.0.0.1:81"
    assert Listen(host="::1").address == "http://[::1]:8000"
    assert "hub.example.com" in Listen(host="0.0.0.0", url="https://hub.example.com").names
    assert "0.0.0.0" not in Listen(host="0.0.0.0", url="https://hub.example.com").names
    assert Listen(host="10.0.0.5").in_clear
    assert not Listen().in_clear
    assert not Listen(host="10.0.0.5", url="https://hub.example.com").in_clear
    assert not Listen(host="10.0.0.5", certificate=Path("a"), key=Path("b")).in_clear
