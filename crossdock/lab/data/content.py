"""Posts, pages, revisions, media, menus, comments, terms and links: what a store's editors have written."""

from __future__ import annotations

import random

from crossdock.lab.data.php import json_unicode
from crossdock.lab.data.profiles import StoreProfile
from crossdock.lab.data.sizes import Size
from crossdock.lab.data.wording import COMPOSED, DECOMPOSED, EMOJI, SCRIPTS, latin, paragraph, sentence, url_forms
from crossdock.lab.data.world import TIME_BASE, World

LINK = (
    "link_id,link_url,link_name,link_image,link_target,link_description,link_visible,link_owner,link_rating,"
    "link_updated,link_rel,link_notes,link_rss"
)
IMAGE_SIZES = {"thumbnail": (150, 150), "medium": (300, 200), "woocommerce_thumbnail": (300, 300), "large": (1024, 683)}


def media_paths(size: Size) -> list[str]:
    """Every upload that the data names, relative to the store's uploads folder, originals before their sizes."""
    paths = []
    for number in range(1, size.media + 1):
        stem = f"2025/{number % 12 + 1:02d}/photo-{number}"
        paths.append(f"{stem}.jpg")
        paths += [f"{stem}-{width}x{height}.jpg" for width, height in IMAGE_SIZES.values()]
    return paths


def fill_content(world: World) -> None:
    chance = world.chance("content")
    _media(world, chance)
    _categories(world)
    pages = _pages(world, chance)
    posts = _posts(world, chance)
    _showcase(world)
    _menus(world, pages)
    _comments(world, chance, posts)
    _links(world)


def _media(world: World, chance: random.Random) -> None:
    store = world.store
    for number in range(1, world.size.media + 1):
        path = f"2025/{number % 12 + 1:02d}/photo-{number}.jpg"
        post_id = world.post(
            "attachment", f"photo-{number}", "", at=TIME_BASE - 86_400 * 300, name=f"photo-{number}",
            status="inherit", mime="image/jpeg", guid=f"{store.url}{store.uploads}/{path}",
            author=chance.choice(world.members).user_id, excerpt=sentence(chance, 6),
        )  # fmt: skip
        sizes = {
            name: {"file": f"photo-{number}-{width}x{height}.jpg", "width": width, "height": height,
                   "mime-type": "image/jpeg", "filesize": 4_000 + number}
            for name, (width, height) in IMAGE_SIZES.items()
        }  # fmt: skip
        image_meta = {"aperture": "0", "caption": SCRIPTS if number == 1 else "", "keywords": []}
        details = {"width": 1920, "height": 1280, "file": path, "filesize": 90_000, "sizes": sizes}
        world.metas(
            post_id,
            {
                "_wp_attached_file": path,
                "_wp_attachment_metadata": {**details, "image_meta": image_meta},
                "_wp_attachment_image_alt": "A tent at night ⛺",
            },
        )
        world.media.append(post_id)


def _categories(world: World) -> None:
    world.term("category", "trips", "Trips & Ταξίδια")
    parent = world.term("category", "guides", "Guides", description=f"See {world.store.url}/guides/ first")
    world.term("category", "winter", "Vinter", parent=parent)
    world.term("post_tag", "fire", "fire")
    columns = "term_id,meta_key,meta_value"
    world.add("termmeta", columns, parent, "_thumbnail_url", f"{world.store.url}{world.store.uploads}/2025/03/p.jpg")
    world.add("termmeta", columns, parent, "_note", "Über Größen und Maße – Μεγέθη")


def _pages(world: World, chance: random.Random) -> list[int]:
    store, found = world.store, []
    for number, (name, title) in enumerate(_page_names(world.size)):
        blocks = [_hero(store, title), *(paragraph(chance) for _ in range(world.size.paragraphs))]
        page = world.post("page", title, "\n\n".join(blocks), at=TIME_BASE - 86_400 * (400 - number % 300), name=name)
        world.metas(page, {"_edit_last": 1, "_edit_lock": f"{TIME_BASE - 500}:1", "_wp_page_template": "default"})
        found.append(page)
    return found


def _page_names(size: Size) -> list[tuple[str, str]]:
    fixed = [("about", "About us"), ("contact", "Contact")]
    return fixed + [(f"page-{number}", f"Page {number}") for number in range(3, size.pages + 1)]


def _hero(store: StoreProfile, title: str) -> str:
    image = f"{store.url}{store.uploads}/2025/03/photo-1.jpg"
    attributes = json_unicode({"url": image, "id": 7, "dimRatio": 50, "customOverlayColor": "#0b3d2e"})
    link = json_unicode({"url": f"{store.url}/shop/", "label": title, "kind": "custom"})
    return (
        f'<!-- wp:cover {attributes} --><div class="wp-block-cover"><img src="{image}" alt=""/>'
        f'<div class="wp-block-cover__inner-container"><h2>{title}</h2></div></div><!-- /wp:cover -->\n'
        f"<!-- wp:navigation-link {link} /-->"
    )


def _posts(world: World, chance: random.Random) -> list[int]:
    """Published posts, each fourth with two revisions; about one in two links to its own or a sibling's address."""
    forms = [url for name, url in url_forms(world.store).items() if not name.startswith("keep_")]
    authors = [member.user_id for member in world.members if member.role not in ("customer", "subscriber")]
    terms = [world.term("category", "trips", ""), world.term("category", "winter", "")]
    found = []
    for number in range(1, world.size.posts + 1):
        at = TIME_BASE - 86_400 * (700 - number % 690) - number % 1000
        blocks = [paragraph(chance) for _ in range(world.size.paragraphs)]
        if number % 2:
            url = forms[number % len(forms)]
            blocks.append(f'<!-- wp:html --><p><a href="{url}">{number} {url}</a></p><!-- /wp:html -->')
        text = "\n\n".join(blocks)
        title = f"{world.store.title}: {sentence(chance, 4)[:-1]} {number}"
        author = authors[number % len(authors)]
        post = world.post("post", title, text, at=at, name=f"story-{number}", author=author, count=int(number < 3))
        world.metas(post, {"_edit_last": author, "_edit_lock": f"{at + 60}:{author}"})
        if world.media:
            world.meta(post, "_thumbnail_id", world.media[number % len(world.media)])
        world.relate(post, terms[number % 2])
        if number % 4 == 1:
            _revisions(world, post, title, text, at, author)
        found.append(post)
    return found


def _revisions(world: World, post: int, title: str, text: str, at: int, author: int) -> None:
    for number in (1, 2):
        world.post(
            "revision", title, text[: len(text) // number], at=at + number, name=f"{post}-revision-v{number}",
            status="inherit", parent=post, author=author, comments="closed",
        )  # fmt: skip


def _showcase(world: World) -> None:
    """One post that holds every form of the address and every script, so that each size has them all."""
    forms = url_forms(world.store)
    blocks = [
        f"<!-- wp:html --><p>{name}: {EMOJI}é山{value}λ {SCRIPTS}</p><!-- /wp:html -->" for name, value in forms.items()
    ]
    post = world.post(
        "post", f"{world.store.title} – every link we ever made {EMOJI}", "\n".join(blocks),
        at=TIME_BASE - 3_600, name="every-link", excerpt=f"{COMPOSED} / {DECOMPOSED}",
    )  # fmt: skip
    world.metas(post, {f"_form_{name}": value for name, value in forms.items()})
    draft = world.post("post", "Never published", "", at=TIME_BASE, name="", status="draft",
                       date_gmt="0000-00-00 00:00:00")  # fmt: skip
    world.meta(draft, "_wp_old_slug", "utkast-å")
    world.meta(draft, "_null_value", None)
    block = json_unicode({"label": "Shop", "url": f"{world.store.url}/shop/", "kind": "custom"})
    world.post("wp_block", "Reusable", f"<!-- wp:button {block} /-->", at=TIME_BASE - 90)
    world.post("wp_navigation", "Navigation", f"<!-- wp:navigation-link {block} /-->", at=TIME_BASE - 80)
    world.post("custom_css", world.store.slug, f"body{{background:url({forms['upload']})}}", at=TIME_BASE - 70)
    world.post("oembed_cache", "", f'<iframe src="{forms["url_encoded"]}"></iframe>', at=TIME_BASE - 60)


def _menus(world: World, pages: list[int]) -> None:
    store = world.store
    menu = world.term("nav_menu", "main", "Main")
    items: list[tuple[str, str, int, str]] = [
        ("custom", "Start", 0, f"{store.url}/"),
        ("custom", "Sale", 0, f"{store.url.upper()}/sale/?ref=menu"),
        ("custom", "Gift from a sister", 0, f"https://{store.siblings[0]}/gift/"),
        ("post_type", "", pages[0], ""),
    ]
    for order, (kind, title, target, url) in enumerate(items, 1):
        item = world.post("nav_menu_item", title, "", at=TIME_BASE - 86_400, order=order)
        world.metas(
            item,
            {
                "_menu_item_type": kind,
                "_menu_item_menu_item_parent": "0",
                "_menu_item_object_id": target or item,
                "_menu_item_object": "page" if kind == "post_type" else "custom",
                "_menu_item_target": "",
                "_menu_item_classes": [""],
                "_menu_item_xfn": "",
                "_menu_item_url": url,
            },
        )
        world.relate(item, menu)


def _comments(world: World, chance: random.Random, posts: list[int]) -> None:
    store = world.store
    for number in range(world.size.comments):
        member = chance.choice(world.members) if number % 2 else None
        text = (
            sentence(chance) if number % 3 else f"{EMOJI} {DECOMPOSED} see {store.url}/about/ and {store.siblings[0]}"
        )
        comment = world.comment(
            posts[number % len(posts)],
            f"{member.first_name} {member.last_name}" if member else "Guest",
            member.email if member else f"guest{number}@mail.example",
            text, at=TIME_BASE - 7_000 - number, user=member.user_id if member else 0,
            url=f"{store.url}/?author={number}" if number % 4 == 0 else "", approved="spam" if number % 9 == 8 else "1",
        )  # fmt: skip
        if number % 4 == 0:
            note = {"größe": "schön", "page": f"{store.url}/größe/", "ünused": latin(COMPOSED)}
            world.comment_meta(comment, "_form_answers", note)


def _links(world: World) -> None:
    store = world.store
    image = f"{store.url}{store.uploads}/2025/03/photo-1.jpg"
    rows = ((f"{store.url}/blogroll/", "Unser Über-Blog", image), (f"https://{store.siblings[0]}/", "Schwester", ""))
    for url, name, picture in rows:
        world.add(
            "links", LINK, world.take("links", "link_id"), url, name, picture, "", "", "Y", 1, 0,
            "0000-00-00 00:00:00", "", "Grüße", f"{store.url}/feed/",
        )  # fmt: skip
