"""Where backups lie and what opens them: the repository and its password, the key of seals, the database for proofs."""

from __future__ import annotations

from pathlib import Path

from crossdock.core.config import Config
from crossdock.core.errors import AccessError, ConfigError
from crossdock.core.secrets import Masked, SecretRef
from crossdock.edges.ebs import Ebs
from crossdock.edges.mysql import Endpoint
from crossdock.edges.restic import Restic
from crossdock.edges.scratch_database import GivenDatabase, ScratchServer, mariadbd_is_here
from crossdock.edges.sealing import make_key
from crossdock.edges.spool import SpoolFolder
from crossdock.edges.whole_file import write_whole

Scratch = ScratchServer | GivenDatabase


def folder(config: Config) -> Path:
    """The state folder's part for backups."""
    return (config.state / "backup").absolute()


def repository(config: Config, *, may_make: bool = False) -> Restic:
    """The repository that crossdock.toml names, or ours in the state folder. `may_make` a password for it.

    Errors: ConfigError when the password can't be found."""
    given = config.backup
    keys = {}
    if given.access_key and given.secret_key:
        keys = {
            "AWS_ACCESS_KEY_ID": given.access_key.reveal(),
            "AWS_SECRET_ACCESS_KEY": given.secret_key.reveal(),
        }
    named = given.repository
    if named is None:
        named = str(folder(config) / "repository")
    elif not named.startswith(("sftp:", "s3:", "/")):
        named = str(config.path.parent / Path(named).expanduser())
    ssh_config = str(given.ssh_config) if given.ssh_config else None
    return Restic(
        named, _secret(config, given.password, "password", may_make), folder(config) / "cache", keys, ssh_config
    )


def seal_key(config: Config, *, may_make: bool = False) -> Masked:
    """The key of sealed files. `may_make` one, where there is none. Errors: ConfigError when it can't be found."""
    return _secret(config, config.backup.seal_key, "seal-key", may_make)


def places_of_secrets(config: Config) -> dict[str, str]:
    """References of the two secrets without which no backup opens, for people."""
    given = {"password": config.backup.password, "seal-key": config.backup.seal_key}
    return {name: one.reference if one else f"file:{folder(config) / name}" for name, one in given.items()}


def spool(config: Config, server: str) -> SpoolFolder:
    """Where a server's files lie between it and the repository, so that a later backup moves only changes."""
    return SpoolFolder(folder(config) / "spool" / server)


def scratch(config: Config, lower_case_table_names: str) -> Scratch:
    """Where dumps are loaded for proof. Errors: AccessError where there is no such place."""
    given = config.backup.scratch
    if given is not None:
        socket = str(given.socket) if given.socket else None
        password = Masked(given.password.reveal())
        return GivenDatabase(Endpoint("scratch", given.name, given.user, password, given.host, given.port, socket))
    if not mariadbd_is_here():
        raise AccessError(
            "mariadbd is not installed here, so that no dump can be proved",
            way_out="apt-get install mariadb-server, or name an empty database: [backup.scratch]",
        )
    return ScratchServer(folder(config) / "scratch", lower_case_table_names=lower_case_table_names)


def ebs(config: Config, server: str) -> tuple[Ebs, str] | None:
    """The region of a server's volumes and its instance, where AWS is configured for it."""
    for given in config.aws:
        if instance := given.instances.get(server):
            access, secret = (one.reveal() if one else "" for one in (given.access_key, given.secret_key))
            return Ebs(given.regions[0], given.profile, access, secret), instance
    return None


def _secret(config: Config, given: SecretRef | None, name: str, may_make: bool) -> Masked:
    path = folder(config) / name
    if given is None and not path.exists():
        if not may_make:
            way_out = f"bring the copy back to this place, or name it in [backup] {name.replace('-', '_')}"
            raise ConfigError(f"the backups' {name} is not here", where=str(path), way_out=way_out)
        write_whole(path, f"{make_key()}\n", is_secret=True)
    return Masked((given or SecretRef(f"file:{path}")).reveal())
