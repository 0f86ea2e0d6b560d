"""Options: the store's own settings, widgets, theme, and the addresses and paths that plugins keep in options."""

from __future__ import annotations

from typing import Any

from crossdock.lab.data.php import json_escaped, serialize
from crossdock.lab.data.profiles import StoreProfile
from crossdock.lab.data.wording import url_forms
from crossdock.lab.data.world import FAR_FUTURE, TIME_BASE, World


def fill_settings(world: World) -> None:
    """Sets options; those that would stop WordPress or WooCommerce from working stay sane."""
    store = world.store
    for name, value in {**_core(store), **_widgets(store), **_plugins(world)}.items():
        world.option(name, value)
    world.option("_transient_timeout_lab_feed", str(FAR_FUTURE), "off")
    world.option("_transient_lab_feed", {"url": f"{store.url}/feed/", "etag": '"x"'}, "off")
    world.option("_site_transient_lab", f"{store.url}/transient", "off")
    _locations(world)


def _core(store: StoreProfile) -> dict[str, Any]:
    return {
        "siteurl": store.url,
        "home": store.url,
        "blogname": store.title,
        "blogdescription": store.tagline,
        "permalink_structure": "/%postname%/",
        "rewrite_rules": "",
        "WPLANG": store.locale,
        "blog_public": "1",
        "timezone_string": "UTC",
        "show_on_front": "posts",
        "page_on_front": "0",
        "link_manager_enabled": "1",
        "fresh_site": "0",
        "upload_url_path": "",
        "uploads_use_yearmonth_folders": "1",
    }


def _widgets(store: StoreProfile) -> dict[str, Any]:
    forms = url_forms(store)
    block = f'<!-- wp:image {{"url":"{forms["upload"]}"}} --><img src="{forms["upload"]}"/><!-- /wp:image -->'
    text = {"title": "Håll utkik", "text": f'<a href="{forms["http"]}">{forms["keep_email"]}</a>', "filter": True}
    return {
        "widget_text": {2: text, "_multiwidget": 1},
        "widget_block": {7: {"content": block}, 8: {"content": "<!-- wp:search /-->"}, "_multiwidget": 1},
        "widget_custom_html": {
            2: {"title": "", "content": f'<img src="{forms["protocol_relative"]}">'},
            "_multiwidget": 1,
        },
        "widget_nav_menu": {2: {"title": "Meny"}, "_multiwidget": 1},
        "sidebars_widgets": {
            "wp_inactive_widgets": ["text-2"],
            "sidebar-1": ["block-7", "block-8", "custom_html-2"],
            "array_version": 3,
        },
    }


def _plugins(world: World) -> dict[str, Any]:
    store, root = world.store, world.store.root
    forms = url_forms(store)
    inner = serialize({"logo": forms["upload"], "größe": {"src": forms["http"]}})
    return {
        "lab_cache_settings": {
            "cache_path": f"{root}/wp-content/cache/",
            "log": f"{root}/wp-content/debug.log",
            "cdn": forms["protocol_relative"],
            "purge": [forms["https"], forms["upper"], forms["other_form"]],
        },
        "lab_backup_folder": f"{root}/wp-content/uploads/backups",
        "lab_seo_titles": {"title": "%%title%% – Größe", "logo": forms["upload"], "social": [forms["keep_longer"]]},
        "lab_nested": {"level": {"serialized": inner, "json": json_escaped({"php": inner, "u": forms["http"]})}},
        "lab_json": json_escaped({"endpoint": f"{store.url}/wp-json/lab/v1", "mail": forms["keep_email"]}),
        "lab_json_holding_php": json_escaped({"state": inner}),
        "recently_edited": [f"{root}/wp-content/themes/twentytwentyfive/style.css", ""],
        "dashboard_widget_options": {"dashboard_primary": {"link": f"{store.url}/feed/"}},
        "lab_license": {
            "site": store.url,
            "key": "L-0001",
            "activated": TIME_BASE,
            "seats": 2.5,
            "ok": True,
            "x": None,
        },
    }


def _locations(world: World) -> None:
    """Puts the menu where classic themes look for it, in the active theme's mods."""
    names = world.rows(f"SELECT option_value FROM `{world.table('options')}` WHERE option_name = 'stylesheet'")
    menu = world.term("nav_menu", "main", "Main")
    header = f"{world.store.url}{world.store.uploads}/2025/03/photo-1.jpg"
    theme = str(names[0][0]) if names else "twentytwentyfive"
    mods = {0: False, "nav_menu_locations": {"primary": menu}, "header_image": header, "custom_css_post_id": -1}
    world.option(f"theme_mods_{theme}", mods)
