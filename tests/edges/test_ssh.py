from __future__ import annotations

import pickle
import socket
import time
from pathlib import Path

import pytest

from crossdock.core.errors import AccessError, ConnectionLost, CrossdockError
from crossdock.edges.shared import SharedConnection
from crossdock.edges.ssh import SshHost
from crossdock.edges.tunnel import Tunnel


def test_words_reach_the_remote_program_as_given(sshd):
    words = ["printf", "%s|", "a b", "it's", "$HOME", "`id`", "*", "", "ü\n"]
    assert sshd.host().run(words).stdout.decode() == "a b|it's|$HOME|`id`|*||ü\n|"


def test_input_and_output_are_binary_and_whole(sshd):
    data = bytes(range(256)) * 8000 + b"\n~.\n"
    assert sshd.host().run(["cat"], input=data).stdout == data


def test_a_failing_command_tells_its_stderr_and_status(sshd):
    with pytest.raises(CrossdockError, match=r"sh ended with status 3: disk is gone") as caught:
        sshd.host().run(["sh", "-c", "echo disk is gone >&2; exit 3"])
    assert not isinstance(caught.value, AccessError)
    assert sshd.host().run(["false"], check=False).status == 1


def test_a_remote_status_255_is_the_programs_own(sshd):
    argv = ["sh", "-c", "echo 'PHP Fatal error: Permission denied in /x' >&2; exit 255"]
    assert sshd.host().run(argv, check=False).status == 255


def test_a_changed_host_key_names_the_line_and_the_way_out(sshd):
    with pytest.raises(AccessError, match="CHANGED") as caught:
        sshd.host("changed_hosts").run(["true"])
    assert f"line 2 of {sshd.folder}/changed_hosts" in caught.value.what
    assert f"sed -i '2d' {sshd.folder}/changed_hosts" in caught.value.way_out


def test_an_unknown_host_key_is_never_accepted(sshd):
    with pytest.raises(AccessError, match="host key is not known"):
        sshd.host("no_hosts").run(["true"])
    assert (sshd.folder / "no_hosts").read_text() == ""


def test_a_refused_key(sshd, tmp_path):
    config = tmp_path / "config"
    text = Path(sshd.host().config_file).read_text().replace("/client", "/other")
    config.write_text(text)
    with pytest.raises(AccessError, match="refused our key"):
        SshHost("lab", "lab", str(config)).run(["true"])


def test_nothing_listens():
    with pytest.raises(AccessError, match="no SSH server answers"):
        SshHost("lab", "ssh://127.0.0.1:1").run(["true"])


def test_a_name_that_does_not_resolve():
    with pytest.raises(AccessError, match="can't be resolved"):
        SshHost("lab", "no-such-host.invalid").run(["true"])


def test_a_silent_server_times_out():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host = SshHost("lab", f"ssh://127.0.0.1:{silent.getsockname()[1]}", connect_timeout_seconds=1)
        with pytest.raises(AccessError, match="did not answer in time"):
            host.run(["true"])


def test_a_command_that_takes_too_long(sshd):
    with pytest.raises(AccessError, match="did not end within"):
        sshd.host().run(["sleep", "20"], timeout_seconds=0.7)


def test_a_cut_session_is_a_lost_connection(sshd):
    with pytest.raises(ConnectionLost):
        sshd.host().run(["sh", "-c", "kill -9 $PPID; sleep 5"])


def test_host_is_picklable(sshd):
    assert pickle.loads(pickle.dumps(sshd.host())) == sshd.host()


def test_the_tunnel_comes_back_at_the_same_path(sshd, mariadb):
    with Tunnel(sshd.host(), f"127.0.0.1:{mariadb.port}") as tunnel:
        tunnel.probe()
        assert sshd.cut_sessions() > 0
        end = time.monotonic() + 15
        while tunnel.starts < 2 and time.monotonic() < end:
            time.sleep(0.05)
        tunnel.wait_ready()
        tunnel.probe()
        path = tunnel.path
    assert not path.exists()


def test_the_tunnel_reaches_a_unix_socket(sshd, mariadb):
    with Tunnel(sshd.host(), mariadb.socket) as tunnel:
        tunnel.probe()


def test_forbidden_forwarding_is_told(gateway, mariadb):
    with Tunnel(gateway.host(), f"127.0.0.1:{mariadb.port}") as tunnel, pytest.raises(AccessError) as caught:
        tunnel.probe()
    assert "does not allow port forwarding" in caught.value.what
    assert "relay" in caught.value.way_out


def test_a_dead_database_behind_the_tunnel_is_told(sshd):
    with Tunnel(sshd.host(), "127.0.0.1:1") as tunnel, pytest.raises(AccessError, match="nothing answers at 127"):
        tunnel.probe()


def test_the_tunnel_tells_sshs_own_reason(sshd):
    with pytest.raises(AccessError, match="CHANGED"):
        Tunnel(sshd.host("changed_hosts"), "127.0.0.1:1").open()


def test_commands_share_a_connection_and_make_their_own_when_it_is_gone(sshd):
    with SharedConnection(sshd.host()) as connection:
        told = [connection.host.run(["sh", "-c", "echo $SSH_CONNECTION"]).stdout for _ in range(2)]
        assert told[0] == told[1]
        assert sshd.cut_sessions() > 0
        time.sleep(0.3)
        assert connection.host.run(["sh", "-c", "echo $SSH_CONNECTION"]).stdout != told[0]
        path = Path(connection.host.control)
    assert not path.parent.exists()


def test_a_connection_that_can_not_be_shared_is_told_by_the_first_command(sshd):
    with (
        SharedConnection(sshd.host("no_hosts")) as connection,
        pytest.raises(AccessError, match="host key is not known"),
    ):
        connection.host.run(["true"])
