"""Files of a source that are harder to carry than photos: strange names, links, and code of the company's own."""

from __future__ import annotations

import os
from pathlib import Path

from crossdock.lab.data.wording import COMPOSED, DECOMPOSED
from crossdock.lab.uploads import upload

CARRIED_FOLDERS = ("uploads", "themes", "plugins", "mu-plugins")
THEME = "lumen-outdoor"
MUST_USE = "lumen-brand.php"
PLUGIN = "acme-badges"
STRANGE_FOLDER = "strange"
# Two files of one name to the eye: é as one letter, and as e with an accent.
TWINS = (f"twin-{COMPOSED}.png", f"twin-{DECOMPOSED}.png")
STRANGE_NAMES: tuple[bytes, ...] = (
    b"a b  c.png", b" lead and trail ", *(name.encode() for name in TWINS), b"line\nbreak.txt", b"latin1-\xe9t\xe9.txt",
    "φώτο λίμνη.jpg".encode(), b"quote's \"and\" *[x]?.txt", b"-rf.txt", b"#hash;semi:colon.txt", b"back\\slash.txt",
    b".hidden", b"percent%20.txt",
)  # fmt: skip
LINK_INSIDE, LINK_OUTSIDE, EMPTY_FOLDER = b"link-inside.png", b"link-outside.conf", b"empty folder"

_STYLE = """/*
Theme Name: Lumen Outdoor
Template: twentytwentyfive
Version: 3.2.1
*/
body { accent-color: #0b3d2e; }
"""
_MUST_USE = "<?php\n/* Plugin Name: Lumen brand */\nadd_filter( 'lumen_brand', static fn () => 'Lumen Outdoor' );\n"
_PLUGIN = "<?php\n/*\nPlugin Name: Acme Badges\nVersion: 1.0.4\n*/\n"


#: What the company decided about the code that each of its servers has: choice and reason.
CODE_DECISIONS = {
    f"plugin:*:{PLUGIN}": ("drop", "nobody remembers what the badges were for"),
    "plugin:*:akismet": ("drop", "comes with WordPress, and was never set up"),
    "plugin:*:hello*": ("drop", "comes with WordPress, and does nothing for a store"),
    f"must-use:*:{MUST_USE}": ("keep", "our own brand, looked at line by line"),
}
WOOCOMMERCE_DECISION = {"plugin:*:woocommerce": ("replace", "the target gets its own, and newer, WooCommerce")}


def files_settings() -> str:
    """[files] of the lab's crossdock.toml: the theme and the must-use code are approved, the plugin is not."""
    return f'[files]\nthemes = ["{THEME}"]\nmust_use = ["{MUST_USE}"]\n'


def add_strange_files(root: Path) -> None:
    """Adds them to an installation's wp-content: uploads of the first blog, themes, plugins, mu-plugins."""
    content = root / "wp-content"
    strange = os.fsencode(content / "uploads" / STRANGE_FOLDER)
    os.makedirs(os.path.join(strange, EMPTY_FOLDER), exist_ok=True)  # noqa: PTH103, PTH118  names that are no text
    for name in STRANGE_NAMES:
        _write(strange, name, upload(os.fsdecode(name).encode("utf-8", "backslashreplace").decode()))
    os.link(os.path.join(strange, b"a b  c.png"), os.path.join(strange, b"hard link.png"))  # noqa: PTH118
    os.symlink(b"a b  c.png", os.path.join(strange, LINK_INSIDE))  # noqa: PTH118, PTH211
    os.symlink(b"/etc/hostname", os.path.join(strange, LINK_OUTSIDE))  # noqa: PTH118, PTH211
    _text(content / "themes" / THEME / "style.css", _STYLE)
    _text(content / "themes" / THEME / "templates" / "index.html", "<!-- wp:post-title /-->\n")
    _text(content / "mu-plugins" / MUST_USE, _MUST_USE)
    _text(content / "plugins" / PLUGIN / f"{PLUGIN}.php", _PLUGIN)


def _write(folder: bytes, name: bytes, content: bytes) -> None:
    with open(os.path.join(folder, name), "wb") as out:  # noqa: PTH118, PTH123
        out.write(content)


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
