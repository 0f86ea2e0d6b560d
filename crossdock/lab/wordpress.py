"""Where WordPress, WP-CLI and WooCommerce come from: the cache, wordpress.org, an npm package, Debian. Never this repo.

Each way fails fast when it can't serve; the last error names all ways. What was found stays in the cache.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import httpx

from crossdock.core.errors import SourceError

NEWEST = "7.1.1"
OLD = "6.1.9"
WOOCOMMERCE = "11.0.1"
NPM_PACKAGE = "wp-studio@1.22.0"
NPM_WORDPRESS = "package/dist/cli/wp-files/latest/wordpress/"
NPM_WP_CLI = "package/dist/cli/wp-files/wp-cli/wp-cli.phar"
DEBIAN_PACKAGES = ("wordpress", "wordpress-theme-twentytwentythree", "php-getid3", "libjs-underscore", "libjs-cropper")
TIMEOUT = httpx.Timeout(60, connect=4)


def cache_folder() -> Path:
    """$CROSSDOCK_CACHE, or crossdock in the user's cache directory; created when missing."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("CROSSDOCK_CACHE") or Path(base) / "crossdock")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def newest_wordpress() -> Path:
    """Folder of the newest WordPress. Errors: SourceError that names each way that was tried."""
    target = cache_folder() / f"wordpress-{NEWEST}"
    ways = (
        ("wordpress.org", lambda: _from_wordpress_org(NEWEST, target)),
        (f"npm pack {NPM_PACKAGE}", lambda: _from_npm(target)),
    )
    return _first(target, "wp-load.php", ways)


def old_wordpress() -> Path:
    """Folder of WordPress 6.1, as Debian 12 ships it. Errors: SourceError."""
    target = cache_folder() / f"wordpress-{OLD}"
    ways = (
        ("apt-get download", lambda: _from_debian(target)),
        ("wordpress.org", lambda: _from_wordpress_org(OLD, target)),
    )
    return _first(target, "wp-load.php", ways)


def wp_cli() -> Path:
    """The file wp-cli.phar. Errors: SourceError."""
    target = cache_folder() / "wp-cli.phar"
    ways = (
        ("wp-cli builds", lambda: _wp_cli_from_builds(target)),
        (f"npm pack {NPM_PACKAGE}", lambda: _from_npm(cache_folder() / f"wordpress-{NEWEST}")),
    )
    return _first(target, "", ways)


def woocommerce() -> Path | None:
    """Folder of the WooCommerce plugin, or None where neither the cache nor wordpress.org has it."""
    target = cache_folder() / f"woocommerce-{WOOCOMMERCE}"
    try:
        return _first(target, "woocommerce.php", (("wordpress.org", lambda: _woocommerce_from_org(target)),))
    except SourceError:
        return None


def _first(target: Path, mark: str, ways: tuple[tuple[str, Callable[[], None]], ...]) -> Path:
    if (target / mark).is_file() or (not mark and target.is_file()):
        return target
    failures = []
    for name, fetch in ways:
        try:
            fetch()
        except (OSError, httpx.HTTPError, SourceError, subprocess.SubprocessError, tarfile.TarError, ValueError) as why:
            failures.append(f"{name}: {' '.join(str(why).split())[:300]}")
        else:
            return target
    raise SourceError(
        f"{target.name} can't be had: " + "; ".join(failures),
        where=str(target.parent),
        way_out=f"put it into the cache folder as {target.name}",
    )


@contextmanager
def _arriving(target: Path) -> Iterator[Path]:
    """A scratch folder beside `target`; what the block leaves at `new` in it becomes `target` in one rename."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".arriving-") as scratch:
        yield Path(scratch)
        new = Path(scratch) / "new"
        if not target.exists():
            new.rename(target)


def _download(client: httpx.Client, url: str) -> bytes:
    answer = client.get(url, follow_redirects=True)
    answer.raise_for_status()
    return answer.content


def _from_wordpress_org(version: str, target: Path) -> None:
    url = f"https://wordpress.org/wordpress-{version}.tar.gz"
    with httpx.Client(timeout=TIMEOUT) as client, _arriving(target) as scratch:
        published = _download(client, url + ".sha1").decode().strip()
        archive = scratch / "wordpress.tar.gz"
        archive.write_bytes(_download(client, url))
        _require(hashlib.sha1(archive.read_bytes(), usedforsecurity=False).hexdigest() == published, url)
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        (scratch / "wordpress").rename(scratch / "new")


def _wp_cli_from_builds(target: Path) -> None:
    url = "https://raw.githubusercontent.com/wp-cli/builds/gh-pages/phar/wp-cli.phar"
    with httpx.Client(timeout=TIMEOUT) as client, _arriving(target) as scratch:
        published = _download(client, url + ".sha512").decode().split()[0]
        phar = _download(client, url)
        _require(hashlib.sha512(phar).hexdigest() == published, url)
        (scratch / "new").write_bytes(phar)


def _woocommerce_from_org(target: Path) -> None:
    plugin = f"https://downloads.wordpress.org/plugin/woocommerce.{WOOCOMMERCE}.zip"
    checksums = f"https://downloads.wordpress.org/plugin-checksums/woocommerce/{WOOCOMMERCE}.json"
    with httpx.Client(timeout=TIMEOUT) as client, _arriving(target) as scratch:
        published = json.loads(_download(client, checksums))["files"]
        (scratch / "plugin.zip").write_bytes(_download(client, plugin))
        with zipfile.ZipFile(scratch / "plugin.zip") as archive:
            archive.extractall(scratch)  # noqa: S202 zipfile drops roots and .. by itself
        for name, sums in published.items():
            found = hashlib.sha256((scratch / "woocommerce" / name).read_bytes()).hexdigest()
            _require(found in sums["sha256"], f"{plugin}: {name}")
        (scratch / "woocommerce").rename(scratch / "new")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise SourceError("the published checksum does not fit", where=what)


@dataclass(frozen=True)
class _Packed:
    filename: str
    integrity: str


def _from_npm(target: Path) -> None:
    """Takes WordPress and wp-cli.phar out of the package's tarball, which is never installed."""
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not installed, so its registry can't be asked")
    phar = target.parent / "wp-cli.phar"
    with _arriving(target) as scratch:
        packed = _npm_pack(npm, scratch)
        archive = scratch / packed.filename
        _require(_integrity_fits(archive, packed.integrity), NPM_PACKAGE)
        with tarfile.open(archive) as tar:
            for member in tar:
                _take(tar, member, scratch)
        if not phar.exists():
            (scratch / "wp-cli.phar").rename(phar)


def _npm_pack(npm: str, folder: Path) -> _Packed:
    done = subprocess.run(
        [npm, "pack", NPM_PACKAGE, "--json", "--fetch-retries=0", "--fetch-timeout=60000"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode != 0:
        raise SourceError(f"npm pack failed: {done.stderr.strip()[-300:]}")
    facts = json.loads(done.stdout)[0]
    return _Packed(facts["filename"], facts["integrity"])


def _integrity_fits(archive: Path, integrity: str) -> bool:
    kind, _, expected = integrity.partition("-")
    with archive.open("rb") as stream:
        return kind == "sha512" and base64.b64encode(hashlib.file_digest(stream, kind).digest()).decode() == expected


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, scratch: Path) -> None:
    if member.name == NPM_WP_CLI:
        member.name = "wp-cli.phar"
    elif member.name.startswith(NPM_WORDPRESS):
        member.name = "new/" + member.name.removeprefix(NPM_WORDPRESS)
    else:
        return
    tar.extract(member, scratch, filter="data")


def _from_debian(target: Path) -> None:
    """Unpacks Debian's packages and turns their links into files; nothing is installed."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise SourceError("this is no Debian: apt-get or dpkg-deb is missing")
    with _arriving(target) as scratch:
        subprocess.run(
            ["apt-get", "download", *DEBIAN_PACKAGES], cwd=scratch, check=True, capture_output=True, timeout=120
        )
        root = scratch / "root"
        for package in sorted(scratch.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True, capture_output=True)
        tree = root / "usr/share/wordpress"
        for link in [path for path in tree.rglob("*") if path.is_symlink()]:
            _settle(link, root)
        (tree / "wp-config.php").unlink(missing_ok=True)
        (tree / "wp-content/uploads").mkdir(parents=True, exist_ok=True)
        found = version_of(tree)
        _require(found == OLD, f"Debian's wordpress is {found}, not {OLD}")
        tree.rename(scratch / "new")


def _settle(link: Path, root: Path) -> None:
    """Replaces a link by a copy of what it names, within the unpacked tree first, else on this machine."""
    original = link
    for _ in range(8):
        if not link.is_symlink():
            break
        named = PurePosixPath(link.readlink())
        if named.is_absolute():
            inside = root / named.relative_to("/")
            link = inside if inside.exists() or inside.is_symlink() else Path(named)
        else:
            link = Path(os.path.normpath(link.parent / named))
    original.unlink()
    if link.is_file():
        shutil.copyfile(link, original)
    elif link.is_dir():
        shutil.copytree(link, original)


def version_of(tree: Path) -> str:
    """The version of the WordPress in a folder."""
    for line in (tree / "wp-includes/version.php").read_text(encoding="utf-8").splitlines():
        if line.startswith("$wp_version"):
            return line.split("'")[1]
    return "unknown"
