"""What a person or a test needs to reach the lab: the OpenSSH client configuration and crossdock.toml."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.lab.addresses import HTTP_PORT, MYSQL_PORT
from crossdock.lab.checksums import CHECKSUMS
from crossdock.lab.files import files_settings
from crossdock.lab.managed import ENVIRONMENTS, Managed
from crossdock.lab.sources import CROSSDOCK_USER, Source

if TYPE_CHECKING:
    from crossdock.lab.sshd import SshServer

PEOPLE = (
    ("Ada Berg", "ada@lumen.example", "operator"),
    ("Bo Lind", "bo@lumen.example", "qa"),
    ("Chloé Garnier", "it@lumen.example", "client-it"),
    ("Dora Klein", "owner@lumen.example", "client-owner"),
)


def write_ssh_config(folder: Path, servers: Sequence[SshServer]) -> Path:
    """Writes ssh_config and known_hosts with the servers' real keys; returns the former."""
    known = folder / "known_hosts"
    known.write_text("".join(server.known_host() for server in servers), encoding="utf-8")
    config = folder / "ssh_config"
    config.write_text("\n".join(server.client_stanza(known) for server in servers), encoding="utf-8")
    return config


def write_config(
    folder: Path, sources: Sequence[Source], managed: Managed, decisions: Mapping[str, Mapping[str, str]], resolver: str
) -> Path:
    """Writes the project's crossdock.toml. `decisions`: finding's key -> choice, by, reason; `resolver`: the
    lab's own DNS."""
    parts = ['[project]\nname = "Lumen Outdoor (lab)"\nstate = ".crossdock"\n']
    parts += [_server(source) for source in sources]
    parts += [_stores(source) for source in sources]
    parts.append("[network]\nheadroom = 1000000\n")
    parts += [_environment(name, managed) for name in ENVIRONMENTS]
    for name, email, role in PEOPLE:
        parts.append(f"[[people]]\nname = {_text(name)}\nemail = {_text(email)}\nrole = {_text(role)}\n")
    parts.append('[policies]\npeople = "merge-by-email"\npassword = "first-store"\n')
    # Nobody else uses these servers: a real host is asked more slowly.
    parts.append("[policies.replay]\nrequests_per_second = 60\nconcurrency = 6\n")
    parts.append(f"[survey]\nfolder_seconds = 1\n\n[dns]\nresolvers = [{_text(resolver)}]\n")
    parts += [files_settings()] if decisions else []
    parts.append(f'[assess]\nchecksums = "{CHECKSUMS}"\nfetch_checksums = false\n')
    parts.append("[decisions]\n" + "".join(_decision(key, answer) for key, answer in decisions.items()))
    path = folder / "crossdock.toml"
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


def config_with_state(config: Path, state: Path) -> Path:
    """A crossdock.toml in the folder `state` for the same project, which keeps its state there: it outlives the lab."""
    text = config.read_text(encoding="utf-8").replace('state = ".crossdock"', 'state = "."', 1)
    for key, name in (("ssh_config", "ssh_config"), ("checksums", CHECKSUMS)):
        text = text.replace(f'{key} = "{name}"', f"{key} = {_text(str(config.parent / name))}")
    text = text.replace('"file:secrets/', f'"file:{config.parent}/secrets/')
    path = state / config.name
    path.write_text(text, encoding="utf-8")
    return path


def _server(source: Source) -> str:
    # Where wp-config.php names a socket, forwarding to the port spares the client from needing the socket's path.
    by_port = f"host = {_text(source.server.address)}\nport = {MYSQL_PORT}\n" if source.spec.db_host == "socket" else ""
    return (
        f'[[servers]]\nname = {_text(source.spec.name)}\nssh = {_text(source.spec.name)}\nssh_config = "ssh_config"\n'
        f'root = {_text(str(source.wordpress.root))}\ntransport = "auto"\n'
        f"http = {_text(f'{source.server.address}:{HTTP_PORT}')}\n"
        f"[servers.database]\nuser = {_text(CROSSDOCK_USER)}\n"
        f"password = {_text(f'file:secrets/{source.password_file.name}')}\n{by_port}"
    )


def _stores(source: Source) -> str:
    return "\n".join(
        f"[[stores]]\nname = {_text(blog.store)}\nserver = {_text(source.spec.name)}\nblog = {blog.number}\n"
        f"[stores.domains]\nstaging = {_text(f'{blog.store}.staging.lumen.example')}\n"
        f"production = {_text(blog.domain)}\n"
        for blog in source.spec.blogs
    )


def _environment(name: str, managed: Managed) -> str:
    return (
        f'[environments.{name}]\nssh = {_text(managed.server.name)}\nssh_config = "ssh_config"\n'
        f'root = {_text(str(managed.root(name)))}\ntransport = "auto"\n'
        f'http = {_text(f"{managed.server.address}:{HTTP_PORT}")}\nscheme = "http"\n'
    )


def _decision(key: str, answer: Mapping[str, str]) -> str:
    return f"{_text(key)} = {{ {', '.join(f'{name} = {_text(value)}' for name, value in answer.items())} }}\n"


def _text(value: str) -> str:
    # A JSON string is a TOML basic string, as long as it escapes no astral characters by surrogates.
    return json.dumps(value, ensure_ascii=False)
