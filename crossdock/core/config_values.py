"""The kinds of values that crossdock.toml holds: each says what is wrong with a value, and the way out."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import idna
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StrictFloat,
    StrictInt,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from crossdock.core.secrets import SecretRef


class Model(BaseModel):
    """Frozen, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def wrong(what: str, way_out: str) -> PydanticCustomError:
    """What to raise for a value that won't do."""
    return PydanticCustomError("crossdock", "{what}", {"what": what, "way_out": way_out})


def _slug(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", value):
        way_out = 'use a-z, 0-9 and "-", at most 40 characters, with a letter or digit at both ends'
        raise wrong(f'"{value}" is not a slug', way_out)
    return value


def domain_name(value: str) -> str:
    """A bare host name in its ASCII (IDNA) lower-case form. Errors: ValueError (a PydanticCustomError)."""
    if re.search(r"[/:@?#\s]", value):
        raise wrong(f'"{value}" is not a bare host name', "leave scheme, port and path out: www.example.com")
    try:
        name = idna.encode(value.rstrip("."), uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        raise wrong(f'"{value}" is not a valid host name', "write it as in www.example.com") from None
    if name.rpartition(".")[2].isdigit():
        raise wrong(f'"{value}" is an IP address, not a host name', "a store is found by its name: www.example.com")
    return name


def _remote_folder(value: str) -> str:
    if not value.startswith("/") or ".." in value.split("/") or not value.isprintable():
        raise wrong("is not an absolute path on the server", "write it from the root on: /srv/store/www")
    return value.rstrip("/") or "/"


def _remote_glob(value: str) -> str:
    if not value.startswith("/") or not value.isprintable() or ".." in value.split("/"):
        raise wrong("is not an absolute path on the server", 'write it from the root on; "*" may stand in it')
    return value


def _ssh_destination(value: str) -> str:
    # A leading dash would be read by ssh as an option, and options can run commands.
    if value.startswith("-") or not value.isprintable() or " " in value:
        raise wrong("is not an SSH destination", "write a Host of your ssh_config, or user@host")
    return value


def _email(value: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise wrong("is not an e-mail address", "write it as in ada@example.com")
    return value


def _folder_name(value: str) -> str:
    server, slash, name = value.rpartition("/")
    if (slash and not server) or "/" in server or name in ("", ".", "..") or not value.isprintable():
        raise wrong(f'"{value}" is not a name', "write a folder's or file's name, or \"server/name\"")
    return value


def _pattern(value: str) -> str:
    if value.startswith("/") or ".." in value.split("/"):
        raise wrong(f'"{value}" is no pattern below uploads', 'write it relative, as in "cache/*" or "*.log"')
    return value.rstrip("/")


def _address(value: str) -> str:
    match = re.fullmatch(r"(?:\[[0-9a-fA-F:]+\]|[^\s/:@\[\]]+)(?::(\d{1,5}))?", value)
    if not match or int(match[1] or 80) not in range(1, 65536):
        raise wrong("is not a host:port address", "write it as in 203.0.113.7:443, without scheme and path")
    return value


def _mail_entry(value: str) -> str:
    if not re.fullmatch(r"[^@\s,;<>\"]*@[^@\s,;<>\"]+", value):
        raise wrong(f'"{value}" is neither an e-mail address nor a @domain', "write qa@example.com or @example.com")
    return value.lower()


def _host_entry(value: str) -> str:
    if not re.fullmatch(r"(?:\*\.)?[A-Za-z0-9.-]+|[0-9a-fA-F:]+", value):
        raise wrong(f'"{value}" is no host name', "write api.example.com or *.example.com, without scheme and path")
    return value.lower()


def _http_origin(value: str) -> str:
    if not re.fullmatch(r"https?://(?:\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::\d{1,5})?", value.lower().rstrip("/")):
        raise wrong(f'"{value}" is no address of a site', "write scheme and host alone: https://hub.example.com")
    return value.lower().rstrip("/")


def _code_folder(value: str) -> str:
    if not re.fullmatch(r"(?:plugins|mu-plugins|themes)/[^/\s]+", value):
        raise wrong(f'"{value}" names no code', "write it as the finding does: plugins/NAME or themes/NAME")
    return value


def _folder_of(info: ValidationInfo) -> Path:
    return Path((info.context or {}).get("folder", "."))


def _local_path(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str) or not value:
        raise wrong("must be a path", "write it relative to this file, or absolute")
    return _folder_of(info) / Path(value).expanduser()


def _day(value: Any) -> date:
    try:
        found = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, date) or isinstance(found, datetime):
        raise wrong("is not a date", "write it as in 2027-01-31")
    return found


def _secret(value: Any, info: ValidationInfo) -> SecretRef:
    # The offending text may be the secret itself: no message here may repeat it.
    try:
        reference = SecretRef(value if isinstance(value, str) else "")
    except ValueError as error:
        way_out = 'write "env:NAME" or "file:PATH" and change the secret if this file was shared'
        raise wrong(str(error), way_out) from None
    scheme, _, name = reference.reference.partition(":")
    return SecretRef(f"file:{_folder_of(info) / Path(name).expanduser()}") if scheme == "file" else reference


Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Slug = Annotated[Text, AfterValidator(_slug)]
Domain = Annotated[Text, AfterValidator(domain_name)]
RemoteFolder = Annotated[Text, AfterValidator(_remote_folder)]
RemoteGlob = Annotated[Text, AfterValidator(_remote_glob)]
SshDestination = Annotated[Text, AfterValidator(_ssh_destination)]
Email = Annotated[Text, AfterValidator(_email)]
Address = Annotated[Text, AfterValidator(_address)]
FolderName = Annotated[Text, AfterValidator(_folder_name)]
Pattern = Annotated[Text, AfterValidator(_pattern)]
LocalPath = Annotated[Path, PlainValidator(_local_path)]
MailEntry = Annotated[Text, AfterValidator(_mail_entry)]
HostEntry = Annotated[Text, AfterValidator(_host_entry)]
HttpOrigin = Annotated[Text, AfterValidator(_http_origin)]
CodeFolder = Annotated[Text, AfterValidator(_code_folder)]
Day = Annotated[date, PlainValidator(_day)]
Secret = Annotated[SecretRef, PlainValidator(_secret)]
Port = Annotated[StrictInt, Field(ge=1, le=65535)]
Positive = Annotated[StrictInt, Field(ge=1)]
Percent = Annotated[StrictFloat | StrictInt, Field(gt=0, le=100)]
