"""What the files of a WordPress installation mean: which folder is whose, and which files a database names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from crossdock.core.files import Entry
from crossdock.wordpress.installation import Blog, Installation
from crossdock.wordpress.serialization import Malformed, PhpValue, parse

ATTACHMENT_KEYS = ("_wp_attached_file", "_wp_attachment_metadata")
# "<?php // Silence is golden." as WordPress and its plugins put it into folders.
_SILENCE_BYTES = 80
_PHP_ENDINGS = (b".php", b".phtml", b".phar", b".php3", b".php4", b".php5", b".php7", b".phps")


def content_folder(here: Installation) -> str:
    """The absolute folder wp-content, wherever wp-config.php puts it."""
    return here.content_dir.rstrip("/") or here.root.rstrip("/") + "/wp-content"


def needed_themes(blogs: Sequence[Blog]) -> tuple[str, ...]:
    """Folders of the themes that these blogs show themselves with, parents included."""
    names = (blog.options.get(option, "") for blog in blogs for option in ("template", "stylesheet"))
    return tuple(dict.fromkeys(name for name in names if name))


def active_plugins(blog: Blog) -> set[str]:
    """The blog's active plugins as `folder/file.php`; empty where the option can't be read."""
    try:
        value = parse(blog.options.get("active_plugins", "").encode("utf-8", "surrogateescape"))
    except Malformed:
        return set()
    return {_text(one) for one in value.values()} if isinstance(value, dict) else set()


def plugin_folder(plugin: str) -> str:
    """A plugin's folder, or its file where it has none."""
    return plugin.partition("/")[0]


def is_code(name: bytes) -> bool:
    """Whether a web server may run this file as PHP."""
    return name.lower().endswith(_PHP_ENDINGS)


def is_silence(name: bytes, entry: Entry) -> bool:
    """Whether it is the small file that keeps a folder from being listed."""
    return posixpath.basename(name) in (b"index.php", b"index.html") and entry.size <= _SILENCE_BYTES


def made_by_the_target(name: bytes, entry: Entry) -> bool:
    """Whether a target's own WordPress or WooCommerce makes this file in an uploads folder by itself."""
    first = name.partition(b"/")[0]
    if first == b"wc-logs" or name == b"woocommerce_uploads/.htaccess":
        return True
    return is_silence(name, entry) or (b"/" not in name and name.startswith(b"woocommerce-placeholder"))


def attached_files(key: str, value: bytes) -> Iterator[bytes]:
    """The files below uploads that a row of postmeta names: the original and its sizes."""
    if key == "_wp_attached_file":
        yield from _below(value)
        return
    try:
        found = parse(value)
    except Malformed:
        return
    if not isinstance(found, dict) or not isinstance(file := found.get(b"file"), bytes):
        return
    yield from _below(file)
    folder = posixpath.dirname(file)
    sizes = found.get(b"sizes")
    names: list[PhpValue] = [found.get(b"original_image")]
    names += [one.get(b"file") for one in sizes.values() if isinstance(one, dict)] if isinstance(sizes, dict) else []
    for name in names:
        if isinstance(name, bytes) and name:
            yield from _below(posixpath.join(folder, name))


def _below(path: bytes) -> Iterator[bytes]:
    """The path, unless it is an address or leads out of uploads."""
    path = posixpath.normpath(path) if path else b""
    if path and not path.startswith((b"/", b"../")) and b":/" not in path and path not in (b".", b".."):
        yield path


def _text(value: PhpValue) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else ""
