"""The one unprivileged account that every server of a lab runs as."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossdock.core.errors import ConfigError

NAME = "crossdock-lab"
COMMENT = "Crossdock lab servers"


@dataclass(frozen=True)
class Account:
    """Who the servers run as: the current user, or `crossdock-lab` when the lab is started by root."""

    name: str
    uid: int
    gid: int

    @classmethod
    def ensure(cls) -> Account:
        """The current user; for root the system account crossdock-lab, created when it is missing.

        Errors: ConfigError when the account can't be created.
        """
        if os.geteuid() != 0:
            entry = pwd.getpwuid(os.geteuid())
            return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)
        if not _exists():
            _create()
        return cls.named(NAME)

    @classmethod
    def named(cls, name: str) -> Account:
        """An account that exists. Errors: ConfigError."""
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            raise ConfigError(f"account {name} does not exist", way_out="crossdock lab up creates it") from None
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    @property
    def is_other(self) -> bool:
        """Whether processes have to change to this account when they start."""
        return os.geteuid() != self.uid

    def popen(
        self, argv: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts a process of this account in a session of its own; both outputs are appended to `log`."""
        with log.open("ab") as output:
            if self.is_other:
                os.fchown(output.fileno(), self.uid, self.gid)  # daemons open their log again by themselves
            return subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                user=self.uid if self.is_other else None,
                group=self.gid if self.is_other else None,
                extra_groups=[] if self.is_other else None,
            )

    def run(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None, timeout_seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as this account to its end; the caller judges the exit code."""
        return subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=dict(env),
            cwd=cwd,
            timeout=timeout_seconds,
            user=self.uid if self.is_other else None,
            group=self.gid if self.is_other else None,
            extra_groups=[] if self.is_other else None,
        )

    def own(self, *paths: Path) -> None:
        """Hands files and folders (with all they hold) to this account."""
        if self.is_other and paths:
            subprocess.run(
                ["chown", "--recursive", "--no-dereference", f"{self.uid}:{self.gid}", *map(str, paths)], check=True
            )

    def require_reach(self, folder: Path) -> None:
        """Errors: ConfigError naming the first parent of `folder` that this account can't pass through."""
        for parent in reversed(folder.absolute().parents):
            if parent.exists() and not self._may_pass(parent):
                raise ConfigError(
                    f"account {self.name} can't pass through this folder, so its servers could not run below it",
                    where=str(parent),
                    way_out="choose another place with --folder, for example below /tmp",
                )

    def _may_pass(self, folder: Path) -> bool:
        if not self.is_other:
            return os.access(folder, os.X_OK)
        facts = folder.stat()
        if facts.st_uid == self.uid:
            return bool(facts.st_mode & stat.S_IXUSR)
        if facts.st_gid == self.gid:
            return bool(facts.st_mode & stat.S_IXGRP)
        return bool(facts.st_mode & stat.S_IXOTH)


def remove() -> bool:
    """Removes crossdock-lab if a lab made it and nothing runs as it any more; whether it is gone."""
    if os.geteuid() != 0 or not _exists():
        return True
    if pwd.getpwnam(NAME).pw_gecos != COMMENT:
        return False
    return subprocess.run(["userdel", NAME], capture_output=True, check=False).returncode == 0


def _exists() -> bool:
    try:
        pwd.getpwnam(NAME)
    except KeyError:
        return False
    return True


def _create() -> None:
    # Home is / and not a folder that is missing: sshd would complain about it in every session. The servers give
    # each session its own HOME.
    done = subprocess.run(
        ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", "/bin/bash",
         "--password", "*", "--comment", COMMENT, NAME],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0 and not _exists():
        raise ConfigError(f"account {NAME} can't be created: {done.stderr.strip()}", way_out="run the lab without root")
