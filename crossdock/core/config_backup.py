"""The tables of crossdock.toml that say where backups go, and where they are proved."""

from __future__ import annotations

from pydantic import Field

from crossdock.core.config_values import LocalPath, Model, Pattern, Port, Positive, RemoteFolder, Secret, Text


class ScratchDatabase(Model):
    """An empty database for proofs, where this machine has no mariadbd. Everything in it is removed after each."""

    host: Text = Field(default="127.0.0.1", description="its server, as seen from this machine")
    port: Port = Field(default=3306, description="TCP port")
    socket: LocalPath | None = Field(default=None, description="path of a UNIX socket instead")
    user: Text = Field(description="account that owns the database")
    password: Secret = Field(description='a reference, as in password = "env:SCRATCH_DB"')
    name: Text = Field(description="name of the database")


class Backup(Model):
    """Where backups go and how long they stay. Password and key are made, and kept with the state, where not given."""

    repository: Text | None = Field(
        default=None,
        description='a folder, "sftp:host:/path" or "s3:https://host/bucket"; default: in the state folder',
    )
    password: Secret | None = Field(default=None, description="the repository's, a reference; default: one is made")
    seal_key: Secret | None = Field(default=None, description="key of sealed files, a reference; default: one is made")
    ssh_config: LocalPath | None = Field(default=None, description="OpenSSH configuration file for an sftp repository")
    access_key: Secret | None = Field(default=None, description="S3 access key, a reference")
    secret_key: Secret | None = Field(default=None, description="S3 secret key, a reference")
    folders: dict[str, tuple[RemoteFolder, ...]] = Field(
        default_factory=dict, description='further folders by server: folders = { north = ["/srv/media"] }'
    )
    databases: dict[str, tuple[Text, ...]] = Field(
        default_factory=dict, description='further databases by server: databases = { north = ["crm"] }'
    )
    exclude: tuple[Pattern, ...] = Field(default=(), description='names that stay out: exclude = ["cache", "*.log"]')
    sample_files: Positive = Field(default=200, description="files of any size that a proof reads back")
    small_files: Positive = Field(default=300, description="files up to 64 KiB that a proof reads back besides")
    read_all_mib: Positive = Field(default=2048, description="up to this size a proof reads the whole repository")
    keep_daily: Positive = Field(default=7, description="days of which the last backup is kept")
    keep_weekly: Positive = Field(default=4, description="weeks of which the last backup is kept")
    keep_monthly: Positive = Field(default=6, description="months of which the last backup is kept")
    scratch: ScratchDatabase | None = Field(default=None, description="database for proofs; default: one is started")
