"""One repository holds all servers' backups: damage that one server's proof finds is everybody's."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from crossdock.core.config import load
from crossdock.edges.sealing import seal
from crossdock.edges.server_settings import bundle
from crossdock.hub.boot import booted
from crossdock.hub.moves import backup_places
from crossdock.hub.moves.backups import MANIFEST, Backups
from crossdock.move.backup import CONFIGURATION, Manifest

pytestmark = pytest.mark.skipif(shutil.which("restic") is None, reason="needs restic")
SERVER = '[[servers]]\nname = "{0}"\nssh = "{0}"\nroot = "/www"\n[[stores]]\nname = "{0}"\nserver = "{0}"\n'
DOMAINS = 'domains = {{ staging = "{0}.staging.example", production = "{0}.example" }}\n'
PLACE = '[environments.{0}]\nssh = "{0}"\nroot = "/www"\n'


class Quiet:
    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None: ...

    def advance(self, place: str, *, rows: int, bytes_: int) -> None: ...

    def finish(self) -> None: ...


def test_damage_that_one_proof_finds_withdraws_the_others(tmp_path: Path) -> None:
    path = tmp_path / "crossdock.toml"
    servers = "".join((SERVER + DOMAINS).format(name) for name in ("north", "south"))
    places = "".join(PLACE.format(name) for name in ("staging", "production"))
    path.write_text(f'[project]\nname = "Lumen"\nstate = "state"\n{servers}{places}')
    config = load(path)
    with booted(config.state) as hub, hub.running("backup", subject="") as journal:
        backups = Backups(config, journal, Quiet())
        restic = backup_places.repository(config, may_make=True)
        began = "2026-11-25T12:00:00+00:00"
        data = {"run": "r", "began": began, "repository": restic.init(), "proved": True, "check": True}
        sealed = seal(bundle({}), backup_places.seal_key(config, may_make=True))
        folder = tmp_path / "spool"
        (folder / "files").mkdir(parents=True)
        (folder / CONFIGURATION).write_bytes(sealed)
        tags = [*backups.tags("north"), "run:r", "kind:files"]
        stored = restic.store_folder(folder, ["files", CONFIGURATION], "north", tags, lambda files, bytes_: None)
        digest = hashlib.sha256(sealed).hexdigest()
        manifest = Manifest("Lumen", "north", "r", began, snapshot=stored.snapshot, configuration=digest)
        tags = [*backups.tags("north"), "run:r", "kind:manifest"]
        restic.store_stream([manifest.as_bytes()], MANIFEST, "north", tags)
        journal.receipt("backup.proof", "south", data)
        assert backups.prove(["north"])[0].proved
        assert journal.receipts("backup.proof", "south")[-1].data["proved"]
        pack = max(Path(restic.repository, "data").glob("*/*"), key=lambda one: one.stat().st_size)
        content = bytearray(pack.read_bytes())
        content[len(content) // 2] ^= 1
        pack.chmod(0o600)
        pack.write_bytes(content)
        assert not backups.prove(["north"])[0].proved
        (first, last) = journal.receipts("backup.proof", "south")
        assert (first.data["proved"], last.data["proved"], last.data["began"]) == (True, False, began)
