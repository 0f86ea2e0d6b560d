"""Values that break naive rewriting: page-builder JSON, serialized text in every nesting and its lookalikes."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from crossdock.lab.data.php import (
    PhpObject,
    Verbatim,
    custom_object,
    enum_case,
    json_escaped,
    json_unicode,
    serialize,
)
from crossdock.lab.data.profiles import StoreProfile
from crossdock.lab.data.wording import COMPOSED, DECOMPOSED, EMOJI, GREEK, JAPANESE, SCRIPTS, url_forms
from crossdock.lab.data.world import TIME_BASE, World


def strange_values(store: StoreProfile) -> dict[str, str]:
    """Each value by the meta key under which it is kept."""
    url = f"{store.url}/page/"
    inner = serialize({"u": url, "größe": f"{EMOJI}{url}{GREEK}"})
    return {
        "_elementor_data": _elementor(store),
        "_lab_serialized_in_serialized": serialize({"level 1": serialize({"level 2": inner, "n": 1})}),
        "_lab_serialized_in_json": json_escaped({"data": inner, "url": url}),
        "_lab_json_in_serialized": serialize(
            {"json": json_escaped({"href": url, "j": JAPANESE}), "raw": json_unicode([url])}
        ),
        "_lab_object": serialize(_object(url)),
        "_lab_custom_serialized": serialize({"list": custom_object("ArrayObject", f"x:i:0;{inner};m:a:0:{{}}")}),
        "_lab_enum": serialize({"suit": enum_case("Lab\\Suit", "Hearts"), "url": url}),
        "_lab_references": _references(url),
        "_lab_floats": serialize({"a": 0.1, "b": -1e100, "c": 1.0e-7, "url": url, "inf": Verbatim("d:INF;")}),
        "_lab_broken_length": f'a:1:{{s:3:"url";s:{len(url) + 5}:"{url}";}}',
        "_lab_looks_serialized": "a:1:{not really " + url,
        "_lab_almost_string": f"s:9:{url}",
        "_lab_base64": b64encode(url.encode()).decode(),
        "_lab_base64_json": b64encode(json_escaped({"u": url}).encode()).decode(),
        "_lab_multibyte": serialize({"text": f"{SCRIPTS}{url}{SCRIPTS}", COMPOSED: DECOMPOSED, "é": url}),
        "_lab_trailing": serialize({"u": url}) + "\n",
        "_lab_bool": serialize(False),
        "_lab_nested_quotes": serialize({"html": f'<a href="{url}";s:4:"fake";>x</a>'}),
        "_lab_server_path": serialize({"path": f"{store.root}/wp-content/uploads/x.jpg", "win": "C:\\path\\to"}),
        "_lab_url_encoded": url_forms(store)["url_encoded"],
        "_lab_csv": f'"{url}","{store.host}",{store.url.upper()}',
        "_lab_gutenberg_unicode": '<!-- wp:x {"u":"' + url.replace("/", "\\/") + '","t":"\\u003cb\\u003e\\u0026"} /-->',
    }  # fmt: skip


def fill_strange_values(world: World) -> None:
    """Puts them on one page's metas, and those that options can hold into options too."""
    page = world.post("page", "Landing", "<p>Built with blocks.</p>", at=TIME_BASE - 5_000, name="landing")
    values = strange_values(world.store)
    world.metas(page, values)
    world.metas(page, {"_elementor_edit_mode": "builder", "_elementor_version": "3.25.0"})
    for name in (
        "_lab_serialized_in_serialized",
        "_lab_object",
        "_lab_multibyte",
        "_lab_references",
        "_lab_broken_length",
    ):
        world.option(name.removeprefix("_"), values[name], "off")


def _elementor(store: StoreProfile) -> str:
    """Elementor's element tree: slashes escaped, another JSON text as a string inside."""
    image = f"{store.url}{store.uploads}/2025/03/photo-1.jpg"
    settings = {
        "image": {"url": image, "id": 7, "size": "", "alt": COMPOSED},
        "link": {"url": f"{store.url}/shop/", "is_external": "", "nofollow": ""},
        "custom": json_escaped({"endpoint": f"{store.url}/wp-json/x", "deep": json_escaped({"u": image})}),
        "html": f'<a href="{store.url}/a/" style="background:url(\'{image}\')">{EMOJI}</a>',
        "mail": f"info@{store.bare_host}",
    }
    widget = {"id": "a1b2c3d", "elType": "widget", "settings": settings, "elements": [], "widgetType": "image"}
    column = {"id": "b2c3d4e", "elType": "column", "settings": {"_column_size": 100}, "elements": [widget]}
    return json_escaped([{"id": "c3d4e5f", "elType": "section", "settings": [], "elements": [column]}])


def _object(url: str) -> PhpObject:
    return PhpObject(
        "Lab_Missing_Class",
        public={"url": url, "child": PhpObject("Lab\\Ns\\Inner", private={"href": url, "n": None})},
        protected={"base": f"{EMOJI}{url}", "flags": [True, False]},
        private={"secret": {"u": url}, "ratio": 0.25},
    )


def _references(url: Any) -> str:
    """Element b is a reference (R:) to a, d the same object (r:) as c."""
    twin = serialize(PhpObject("stdClass", public={"u": url}))
    return f"a:4:{{{serialize('a')}{serialize(url)}{serialize('b')}R:2;{serialize('c')}{twin}{serialize('d')}r:3;}}"
