"""Disks, volumes and folders of a server. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Item
from crossdock.core.observed import Probed
from crossdock.move.inventory.words import gigabytes, lines, plain, records

_PAIR = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_SPACE = re.compile(r"\s(\d+)\s+(\d+)\s+(-?\d+)\s+(?:\d+%|-)\s")
_OCTAL = re.compile(r"\\([0-7]{3})")
_NETWORK = re.compile(r"nfs|cifs|smb|sshfs|s3fs|glusterfs|ceph|lustre|efs|fuse\.(?:rclone|gcsfuse|goofys)")
_FULL_SHARE = 0.9
_MOST = 400
# What the filesystem hierarchy standard gives every server; what is in them belongs to the system, not to the stores.
SYSTEM_FOLDERS = frozenset(
    f"/{name}"
    for names in (
        "bin boot dev etc home lib lib32 lib64 libx32 lost+found media mnt opt proc run sbin snap srv sys tmp usr var",
        "var/backups var/cache var/lib var/local var/lock var/log var/mail var/opt var/run var/spool var/tmp var/www",
    )
    for name in names.split()
)


@dataclass(frozen=True)
class Mount:
    """One line of the mounts. Sizes in bytes; None where the filesystem did not answer."""

    folder: str
    device: str
    filesystem: str
    size: int | None = None
    used: int | None = None
    problem: str = ""

    @property
    def is_network(self) -> bool:
        return bool(_NETWORK.search(self.filesystem))

    @property
    def share(self) -> float:
        return self.used / self.size if self.size and self.used is not None else 0.0


def mounts(table: Probed, space: Probed) -> list[Mount]:
    """The mounts that hold files, with their space; without a system's own and what is mounted over single files."""
    told = dict(_space(one) for one in records(space.out) if b"\n" in one)
    found: dict[str, Mount] = {}
    for line in table.out.decode("utf-8", "replace").splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        device, folder, filesystem = words[:3]
        if folder not in told and not _NETWORK.search(filesystem):
            continue
        if folder.startswith("/etc/") or (filesystem == "overlay" and folder != "/"):
            continue
        size, used, problem = told.get(folder, (None, None, space.problem or "was not asked"))
        there = _unescaped(folder)
        found[there] = Mount(there, _unescaped(device), filesystem, size, used, problem)
    return list(found.values())


def _space(record: bytes) -> tuple[str, tuple[int | None, int | None, str]]:
    head, _, said = record.decode("utf-8", "replace").partition("\n")
    status, _, folder = head.partition(" ")
    sizes = _SPACE.search(f" {said.splitlines()[-1]} ") if status == "0" and said else None
    if sizes:
        return folder, (int(sizes[1]) * 1024, int(sizes[2]) * 1024, "")
    return folder, (None, None, "does not answer" if status in ("124", "137") else f"df ended with status {status}")


def _unescaped(word: str) -> str:
    """The kernel writes blanks and newlines in names as octal numbers."""
    return plain(_OCTAL.sub(lambda found: chr(int(found[1], 8)), word))


def volume_items(server: str, found: list[Mount]) -> Iterator[Item]:
    for one in found:
        if one.size is None:
            size = f"size not known: {one.problem}"
        else:
            size = f"{gigabytes(one.size)}, {one.share:.0%} used"
        data = {
            "device": one.device, "filesystem": one.filesystem, "size_bytes": one.size, "used_bytes": one.used,
            "is_network": one.is_network,
        }  # fmt: skip
        yield Item("volume", server, one.folder, f"{one.filesystem} from {one.device}: {size}", data)


def block_items(server: str, blocks: Probed) -> Iterator[Item]:
    """Disks, and what is attached but mounted nowhere: a backup, or a store that was forgotten."""
    rows = [dict(_PAIR.findall(line)) for line in lines(blocks.out)]
    parents = {row.get("PKNAME", "") for row in rows}
    for row in rows:
        name, kind, where = (plain(row.get(key, "")) for key in ("NAME", "TYPE", "MOUNTPOINT"))
        size = int(row["SIZE"]) if row.get("SIZE", "").isdigit() else 0
        data = {"size_bytes": size, "filesystem": row.get("FSTYPE", ""), "model": plain(row.get("MODEL", "").strip())}
        if kind == "disk":
            yield Item("disk", server, name, f"{gigabytes(size)} {data['model']}".strip(), data)
        in_use = (
            where
            or row.get("NAME", "") in parents
            or data["filesystem"] in ("swap", "LVM2_member", "linux_raid_member")
        )
        if kind in ("disk", "part", "lvm", "crypt") and not in_use and data["filesystem"]:
            text = f"{data['filesystem']}, {gigabytes(size)}: attached, but mounted nowhere"
            yield Item("volume", server, f"/dev/{name}", text, {**data, "device": f"/dev/{name}", "is_mounted": False})


def folder_items(server: str, folders: Probed, sizes: Probed) -> Iterator[Item]:
    """Folders that are not the system's own. `size_kib` None: measuring it took too long, or was not allowed."""
    known: dict[str, tuple[int, bool]] = {}
    for record in records(sizes.out):
        status, _, rest = record.partition(b" ")
        number, _, path = rest.partition(b" ")
        if number.isdigit():
            known[plain(path)] = (int(number), status == b"0")
    names = dict.fromkeys(plain(path.replace(b"//", b"/")) for path in records(folders.out))
    wanted = [name for name in names if name not in SYSTEM_FOLDERS]
    for name in wanted[:_MOST]:
        size, is_whole = known.get(name, (None, False))
        if size is None:
            text = "size not known: it was not measured in time, or can't be read"
        else:
            text = f"{gigabytes(size * 1024)}{'' if is_whole else ' or more: not all of it can be read'}"
        yield Item("folder", server, name, text, {"size_kib": size, "is_whole": is_whole})
    if len(wanted) > _MOST:
        yield Item("folder", server, "(more)", f"{len(wanted) - _MOST} more folders", {"count": len(wanted) - _MOST})


def volume_findings(server: str, found: list[Mount], items: list[Item]) -> Iterator[Finding]:
    for one in found:
        place = f"{server}: {one.folder}"
        if one.problem and one.size is None:
            way_out = "look at that mount on the server: what hangs for us hangs for its programs too"
            yield Finding("land.unreadable", Level.WARN, place, f"not known: its space: {one.problem}", way_out)
        elif one.share >= _FULL_SHARE and one.size and not one.is_network:
            text = f"{one.share:.0%} of {gigabytes(one.size)} are used"
            yield Finding("volume.full", Level.WARN, place, text, "make room before the backup and the move")
    for item in items:
        if item.kind == "volume" and item.data.get("is_mounted") is False:
            text = "a volume is attached, but mounted nowhere"
            way_out = "ask whose it is, and mount it read-only to see what it holds"
            yield Finding("volume.unmounted", Level.WARN, f"{server}: {item.name}", text, way_out)
