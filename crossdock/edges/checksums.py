"""Published checksums of WordPress and its plugins: from folders of files, else from wordpress.org where it answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from crossdock import __version__

_TIMEOUT = httpx.Timeout(10, connect=3)
_MOST_BYTES = 32 << 20
_CORE = "https://api.wordpress.org/core/checksums/1.0/"
_PLUGIN = "https://downloads.wordpress.org/plugin-checksums/"
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass
class PublishedChecksums:
    """`folders` hold `core/VERSION.json` (`core/VERSION-LOCALE.json`) and `plugins/SLUG/VERSION.json`, as wordpress.org
    answers; what is fetched goes into `kept`. After one failure wordpress.org is asked no more."""

    folders: Sequence[Path]
    kept: Path | None = None
    fails: str = field(default="", init=False)

    def core(self, version: str, locale: str) -> tuple[bytes, bool] | None:
        """(the answer's bytes, whether they are of that locale's own package); None where nobody has it."""
        for name, is_own in ((f"{version}-{locale}", True), (version, locale == "en_US")):
            found = self._local(f"core/{name}.json")
            if found is not None:
                return found, is_own
        if not _SAFE.fullmatch(version) or not _SAFE.fullmatch(locale):
            return None
        fetched = self._fetch(f"core/{version}-{locale}.json", f"{_CORE}?version={version}&locale={locale}")
        return None if fetched is None else (fetched, True)

    def plugin(self, slug: str, version: str) -> bytes | None:
        """The answer's bytes; None where nobody has it, as of a plugin that is not wordpress.org's."""
        if not _SAFE.fullmatch(slug) or not _SAFE.fullmatch(version):
            return None
        name = f"plugins/{slug}/{version}.json"
        found = self._local(name)
        return found if found is not None else self._fetch(name, f"{_PLUGIN}{slug}/{version}.json")

    def _local(self, name: str) -> bytes | None:
        for folder in (*self.folders, *([self.kept] if self.kept else [])):
            path = folder / name
            if path.is_file() and path.stat().st_size <= _MOST_BYTES:
                return path.read_bytes()
        return None

    def _fetch(self, name: str, url: str) -> bytes | None:
        if self.kept is None or self.fails:
            return None
        try:
            answer = httpx.get(url, timeout=_TIMEOUT, headers={"User-Agent": f"Crossdock/{__version__}"})
        except httpx.HTTPError as error:
            self.fails = f"wordpress.org can't be reached ({type(error).__name__})"
            return None
        if answer.status_code != 200 or len(answer.content) > _MOST_BYTES:
            return None
        path = self.kept / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(answer.content)
        return answer.content
