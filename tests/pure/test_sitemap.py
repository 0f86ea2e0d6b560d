"""Where tables, addresses and paths go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crossdock.core.tables import Column, Key, Table
from crossdock.wordpress.catalogue import Scope
from crossdock.wordpress.installation import Blog, Installation, uploads
from crossdock.wordpress.rewriting import Rewriter
from crossdock.wordpress.sitemap import SiteMap, StoreMap, rules

NORTH = StoreMap(
    store="north", source_blog=1, source_prefix="wp_", source_urls=("http://www.north.example", "http://north.example"),
    source_uploads="/wp-content/uploads", target_blog=5, target_prefix="wp_5_", target_url="https://n.new.example",
    target_uploads="/wp-content/uploads/sites/5", public=True,
)  # fmt: skip
FRENCH = replace(
    NORTH, store="french", source_blog=2, source_prefix="wp_2_", source_urls=("http://fr.north.example",),
    source_uploads="/wp-content/uploads/sites/2", target_blog=6, target_prefix="wp_6_",
    target_url="https://f.new.example", target_uploads="/wp-content/uploads/sites/6",
)  # fmt: skip
SITE = SiteMap(
    server="north", environment="staging", source_base_prefix="wp_", target_base_prefix="wp_",
    source_root="/srv/north/www", target_root="/sites/lumen", user_base=1000, stores=(NORTH,), source_blogs=(1,),
)  # fmt: skip
NETWORK = replace(SITE, stores=(NORTH, FRENCH), source_blogs=(1, 2, 3))


def goes(site: SiteMap, table: str) -> str | None:
    found = site.destination(table)
    return found.target if found else None


@pytest.mark.parametrize(
    ("table", "alone", "network"),
    [
        ("wp_posts", "wp_5_posts", "wp_5_posts"),
        ("wp_2_posts", "wp_5_2_posts", "wp_6_posts"),
        ("wp_3_posts", "wp_5_3_posts", None),
        ("wp_404_to_301", "wp_5_404_to_301", "wp_5_404_to_301"),
        ("wp_users", "wp_users", "wp_users"),
        ("wp_2fa", "wp_5_2fa", "wp_5_2fa"),
        ("posts", None, None),
        ("xwp_posts", None, None),
        ("wp_blogs", "wp_blogs", "wp_blogs"),
    ],
)
def test_tables(table: str, alone: str | None, network: str | None) -> None:
    assert (goes(SITE, table), goes(NETWORK, table)) == (alone, network)


def test_the_first_blogs_tables_stay_when_only_the_second_moves() -> None:
    site = replace(NETWORK, stores=(FRENCH,))
    assert (goes(site, "wp_posts"), goes(site, "wp_2_posts")) == (None, "wp_6_posts")


def test_scopes() -> None:
    scopes = [found.scope for name in ("wp_usermeta", "wp_site", "wp_x") if (found := SITE.destination(name))]
    assert scopes == [Scope.PEOPLE, Scope.NETWORK, Scope.BLOG]


def test_a_key_that_is_a_user_changes_its_place() -> None:
    def table(name: str, key: str) -> Table:
        column = Column(key, "bigint", "bigint(20)", False)
        return Table(name, "InnoDB", "", (column,), (Key("PRIMARY", (key,), True),), "")

    site = replace(SITE, user_columns=(("wp_points", "owner"),))
    assert site.maps_key(table("wp_points", "owner"))
    assert not site.maps_key(table("wp_points", "id"))
    assert not site.maps_key(table("wp_users", "ID"))


def rewritten(value: str, site: SiteMap, *others: SiteMap) -> str:
    return Rewriter(rules((*others, site), site)).rewrite(value.encode()).value.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http://www.north.example/a", "https://n.new.example/a"),
        ("https://north.example", "https://n.new.example"),
        ("http://NORTH.example/wp-content/uploads/a.jpg", "https://n.new.example/wp-content/uploads/sites/5/a.jpg"),
        ("http://north.example/wp-content/uploads-old/a", "https://n.new.example/wp-content/uploads-old/a"),
        ("http://north.example.uk/a", "http://north.example.uk/a"),
        ("http://my-north.example/a", "http://my-north.example/a"),
        ("/srv/north/www/wp-content/uploads/a.jpg", "/sites/lumen/wp-content/uploads/sites/5/a.jpg"),
        ("/srv/north/www/wp-content/plugins", "/sites/lumen/wp-content/plugins"),
        ("/srv/north/www2/x", "/srv/north/www2/x"),
        ("/wp-content/uploads/a.jpg", "/wp-content/uploads/sites/5/a.jpg"),
        ("me@north.example", "me@north.example"),
    ],
)
def test_addresses_of_a_single_site(before: str, after: str) -> None:
    assert rewritten(before, SITE) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http://fr.north.example/wp-content/uploads/sites/2/a", "https://f.new.example/wp-content/uploads/sites/6/a"),
        # Blogs of one root serve each other's uploads.
        ("http://north.example/wp-content/uploads/sites/2/a", "https://n.new.example/wp-content/uploads/sites/6/a"),
        ("http://fr.north.example/wp-content/uploads/a", "https://f.new.example/wp-content/uploads/sites/5/a"),
        ("/wp-content/uploads/sites/2/a", "/wp-content/uploads/sites/6/a"),
        ("/wp-content/uploads/2024/a", "/wp-content/uploads/sites/5/2024/a"),
        ("/srv/north/www/wp-content/uploads/sites/2/a", "/sites/lumen/wp-content/uploads/sites/6/a"),
        ("/wp-content/uploads/sites/20/a", "/wp-content/uploads/sites/5/sites/20/a"),
    ],
)
def test_addresses_of_a_multisite(before: str, after: str) -> None:
    assert rewritten(before, NETWORK) == after


def test_a_store_that_keeps_its_domain_changes_uploads_paths_and_scheme_only() -> None:
    site = replace(SITE, stores=(replace(NORTH, target_url="https://www.north.example"),))
    assert rewritten("http://www.north.example/a?b", site) == "https://www.north.example/a?b"
    assert rewritten("https://www.north.example/a", site) == "https://www.north.example/a"
    there = "https://www.north.example/wp-content/uploads/sites/5/a"
    assert rewritten("http://north.example/wp-content/uploads/a", site) == there


def test_wordpress_in_a_folder_of_its_own() -> None:
    urls = ("http://north.example", "http://north.example/wp")
    site = replace(SITE, source_root="/srv/north/www/wp", stores=(replace(NORTH, source_urls=urls),))
    assert rewritten("http://north.example/wp/wp-content/uploads/a", site).endswith("/wp-content/uploads/sites/5/a")
    assert rewritten("/wp/wp-content/uploads/a", site) == "/wp-content/uploads/sites/5/a"
    assert rewritten("http://north.example/wp/wp-admin/", site) == "https://n.new.example/wp-admin/"
    assert rewritten("http://north.example/wpx/", site) == "https://n.new.example/wpx/"


def test_stores_link_to_each_other_and_each_servers_own_addresses_come_first() -> None:
    south = replace(
        SITE, server="south", source_root="/srv/south",
        stores=(replace(FRENCH, store="south", source_urls=("http://south.example", "http://north.example"),
                        source_uploads="/wp-content/uploads"),),
    )  # fmt: skip
    assert rewritten("http://south.example/a", SITE, south) == "https://f.new.example/a"
    assert rewritten("http://north.example/a", SITE, south) == "https://n.new.example/a"
    assert rewritten("http://north.example/a", south, SITE) == "https://f.new.example/a"
    assert rewritten("/srv/south/x", SITE, south) == "/srv/south/x"


def test_uploads_from_elsewhere() -> None:
    store = replace(
        NORTH, source_upload_urls=("https://cdn.example/north",), source_upload_folder="/data/media"
    )  # fmt: skip
    site = replace(SITE, stores=(store,))
    there = "https://n.new.example/wp-content/uploads/sites/5/a.jpg"
    assert rewritten("https://cdn.example/north/a.jpg", site) == there
    assert rewritten("https://cdn.example/other", site) == "https://cdn.example/other"
    assert rewritten("/data/media/a.jpg", site) == "/sites/lumen/wp-content/uploads/sites/5/a.jpg"


def test_a_root_of_a_jailed_account_makes_no_rule_for_every_path() -> None:
    site = replace(SITE, source_root="/")
    assert rewritten("/etc/passwd", site) == "/etc/passwd"


HERE = Installation("/srv/www", "6.8", 1, "8.2", "wp_", "d", "h", "utf8mb4")
URL = "https://n.example"


@pytest.mark.parametrize(
    ("here", "number", "options", "path", "folder", "elsewhere"),
    [
        ({}, 1, {}, "/wp-content/uploads", "/srv/www/wp-content/uploads", ()),
        ({}, 1, {"upload_path": "wp-content/uploads"}, "/wp-content/uploads", "/srv/www/wp-content/uploads", ()),
        ({}, 1, {"upload_path": "wp-content/uploads/x"}, "/wp-content/uploads/x", "/srv/www/wp-content/uploads/x", ()),
        ({}, 1, {"upload_path": "media"}, "/media", "/srv/www/media", ()),
        ({}, 1, {"upload_path": "/data/m"}, "/wp-content/uploads", "/data/m", ()),
        ({}, 1, {"upload_url_path": "https://cdn.x/u/"}, "/wp-content/uploads", "/srv/www/wp-content/uploads",
         ("https://cdn.x/u",)),
        ({"uploads": "files"}, 1, {}, "/files", "/srv/www/files", ()),
        ({"multisite": True}, 2, {}, "/wp-content/uploads/sites/2", "/srv/www/wp-content/uploads/sites/2", ()),
        ({"multisite": True}, 1, {}, "/wp-content/uploads", "/srv/www/wp-content/uploads", ()),
        ({"content_url": f"{URL}/app", "content_dir": "/srv/app"}, 1, {}, "/app/uploads", "/srv/app/uploads", ()),
        ({"content_url": f"{URL}/wp/wp-content"}, 1, {"siteurl": f"{URL}/wp"}, "/wp-content/uploads",
         "/srv/www/wp-content/uploads", ()),
        ({"content_url": "https://static.x/c"}, 1, {}, "/wp-content/uploads", "/srv/www/wp-content/uploads",
         ("https://static.x/c/uploads",)),
    ],
)  # fmt: skip
def test_where_wordpress_keeps_uploads(here, number, options, path, folder, elsewhere) -> None:  # type: ignore[no-untyped-def]
    blog = Blog(number, "wp_", "n.example", "/", {"siteurl": URL, "home": URL} | options)
    found = uploads(replace(HERE, **here), blog)
    assert (found.path, found.folder, found.elsewhere) == (path, folder, elsewhere)
