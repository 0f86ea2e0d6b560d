"""Products: simple, variable with variations, downloadable; their terms, reviews and lookup rows."""

from __future__ import annotations

import random
from hashlib import md5
from typing import Any

from crossdock.lab.data.wording import COLOURS, EMOJI, KINDS, SCRIPTS, THINGS, paragraph, sentence, url_forms
from crossdock.lab.data.world import TIME_BASE, Product, Variation, World, stamp

LOOKUP = (
    "product_id,sku,global_unique_id,`virtual`,downloadable,min_price,max_price,onsale,stock_quantity,stock_status,"
    "rating_count,average_rating,total_sales,tax_status,tax_class"
)
ATTRIBUTES = "product_id,product_or_parent_id,taxonomy,term_id,is_variation_attribute,in_stock"
TYPES = ("simple", "grouped", "variable", "external")
VISIBILITIES = (
    "exclude-from-search", "exclude-from-catalog", "featured", "outofstock", "rated-1", "rated-2", "rated-3",
    "rated-4", "rated-5",
)  # fmt: skip


def download_paths(size_name: str) -> list[str]:
    """Downloadable files that the data names, relative to the uploads folder."""
    return [f"woocommerce_uploads/2025/03/manual-{size_name}.pdf"]


def fill_products(world: World) -> None:
    """Leaves `world.products`; the first simple product is downloadable, the second one out of stock."""
    chance = world.chance("products")
    _terms(world)
    for number in range(world.size.simple_products):
        world.products.append(_simple(world, chance, number))
    for number in range(world.size.variable_products):
        world.products.append(_variable(world, chance, number))
    _grouped_and_external(world)
    _reviews(world, chance)


def _terms(world: World) -> None:
    for kind in TYPES:
        world.term("product_type", kind, kind)
    for name in VISIBILITIES:
        world.term("product_visibility", name, name)
    default = world.term("product_cat", "uncategorized", "Uncategorized")
    world.option("default_product_cat", str(default))
    shelter = world.term("product_cat", "shelter", "Tält & Zelte")
    lamps = world.term("product_cat", "lamps", "Φανάρια", parent=shelter)
    world.term("product_tag", "gift", "Gift")
    world.add("termmeta", "term_id,meta_key,meta_value", shelter, "order", "0")
    if world.media:
        world.add("termmeta", "term_id,meta_key,meta_value", lamps, "thumbnail_id", str(world.media[0]))
    trees = [(shelter, shelter), (shelter, lamps), (lamps, lamps)]
    for tree in trees:
        world.add("wc_category_lookup", "category_tree_id,category_id", *tree)
    columns = "attribute_name,attribute_label,attribute_type,attribute_orderby,attribute_public"
    world.add("woocommerce_attribute_taxonomies", columns, "colour", "Colour", "select", "menu_order", 0)
    for slug, name in COLOURS:
        term = world.term("pa_colour", slug, name)
        world.add("termmeta", "term_id,meta_key,meta_value", term, "order_pa_colour", "0")
    # WooCommerce keeps its own copy of the attribute list; without it pa_colour would be no taxonomy.
    world.execute(f"DELETE FROM `{world.table('options')}` WHERE option_name LIKE '%transient%wc_attribute_taxonomies'")


def _product_post(world: World, chance: random.Random, number: int, name: str, slug: str) -> int:
    store = world.store
    text = paragraph(chance)
    if number % 3 == 0:
        text += f'\n<p>{EMOJI} <a href="{store.url}/guides/size/">Size guide</a> <img src="//{store.host}/x.png"></p>'
    post = world.post(
        "product", name, text, at=TIME_BASE - 86_400 * (300 - number % 290), name=slug,
        excerpt=sentence(chance, 8) if number % 2 else f"See {store.url}/sale/", author=1,
    )  # fmt: skip
    for term in ("shelter", "lamps")[: 1 + number % 2]:
        world.relate(post, world.term("product_cat", term, ""))
    if world.media:
        gallery = ",".join(str(media) for media in world.media[:2])
        world.metas(post, {"_thumbnail_id": world.media[number % len(world.media)], "_product_image_gallery": gallery})
    world.metas(post, {"_edit_last": 1, "_edit_lock": f"{TIME_BASE}:1"})
    return post


def _price_metas(cents: int, sale: int | None) -> dict[str, Any]:
    metas = {"_regular_price": money(cents), "_price": money(sale or cents)}
    return {**metas, "_sale_price": money(sale)} if sale else metas


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _stock_metas(quantity: int) -> dict[str, Any]:
    status = "instock" if quantity else "outofstock"
    return {"_manage_stock": "yes", "_stock": str(quantity), "_stock_status": status, "_backorders": "no"}


def _shared_metas(sku: str, *, virtual: bool = False) -> dict[str, Any]:
    flag = "yes" if virtual else "no"
    return {
        "_sku": sku,
        "total_sales": "0",
        "_tax_status": "taxable",
        "_tax_class": "",
        "_sold_individually": "no",
        "_virtual": flag,
        "_downloadable": flag,
        "_download_limit": "3" if virtual else "-1",
        "_download_expiry": "-1",
        "_weight": "" if virtual else "1.25",
        "_product_version": "11.0.1",
        "_wc_average_rating": "0",
        "_wc_review_count": "0",
    }


def _simple(world: World, chance: random.Random, number: int) -> Product:
    name = f"{KINDS[number % len(KINDS)]} {THINGS[number % len(THINGS)]} {number}"
    sku = f"{world.store.server[0].upper()}{world.blog}-S{number:05d}"
    post = _product_post(world, chance, number, name, f"product-{number}")
    cents = chance.randint(5, 900) * 100 - 1
    sale = cents * 8 // 10 if number % 5 == 3 else None
    stock = 0 if number == 1 else chance.randint(1, 60)
    downloadable = number == 0
    world.metas(post, {**_shared_metas(sku, virtual=downloadable), **_price_metas(cents, sale), **_stock_metas(stock)})
    world.relate(post, world.term("product_type", "simple", ""))
    if not stock:
        world.relate(post, world.term("product_visibility", "outofstock", ""))
    product = Product(post, name, sku, sale or cents)
    if downloadable:
        product.download_id = _downloads(world, post)
    if number % 4 == 2:
        world.meta(post, "_lab_banner", _banner(world))
    _lookup(world, post, sku, sale or cents, sale or cents, stock, sale is not None, downloadable)
    return product


def _banner(world: World) -> dict[str, Any]:
    """Upsells in a plugin's own shape: a serialized list of IDs with an address between them."""
    return {"upsell": [1, 2, 3], "banner": url_forms(world.store)["upload"], "wide": True, "ratio": 1.5}


def _downloads(world: World, post: int) -> str:
    store = world.store
    url = f"{store.url}{store.uploads}/{download_paths(world.size.name)[0]}"
    key = f"{md5(url.encode(), usedforsecurity=False).hexdigest()}"
    download_id = f"{key[:8]}-{key[8:12]}-4{key[13:16]}-a{key[17:20]}-{key[20:32]}"
    path = f"{store.root}{store.uploads}/{download_paths(world.size.name)[0]}"
    files = {
        download_id: {"id": download_id, "name": "Händbuch.pdf", "file": url},
        key: {"id": key, "name": "By path", "file": path, "enabled": True},
    }
    world.meta(post, "_downloadable_files", files)
    columns = "url,enabled"
    folder = download_paths(world.size.name)[0].rsplit("/", 1)[0]
    world.add("wc_product_download_directories", columns, f"{store.url}{store.uploads}/{folder}/", 1)
    world.add("wc_product_download_directories", columns, f"file://{store.root}{store.uploads}/{folder}/", 1)
    return download_id


def _variable(world: World, chance: random.Random, number: int) -> Product:
    name = f"{KINDS[number % len(KINDS)]} Jacket in colours {number} {SCRIPTS if number == 0 else ''}".strip()
    sku = f"{world.store.server[0].upper()}{world.blog}-V{number:05d}"
    post = _product_post(world, chance, number, name, f"jacket-{number}")
    attribute = {
        "name": "pa_colour", "value": "", "position": 0, "is_visible": 1, "is_variation": 1, "is_taxonomy": 1,
    }  # fmt: skip
    world.metas(post, {**_shared_metas(sku), "_product_attributes": {"pa_colour": attribute}})
    world.metas(post, {"_manage_stock": "no", "_stock_status": "instock", "_default_attributes": []})
    world.relate(post, world.term("product_type", "variable", ""))
    product = Product(post, name, sku, 0)
    prices = []
    for index, (slug, colour) in enumerate(COLOURS[:3]):
        cents = chance.randint(50, 400) * 100
        prices.append(cents)
        product.variations.append(_variation(world, product, index, slug, colour, cents))
        world.relate(post, world.term("pa_colour", slug, ""))
    product.cents = min(prices)
    for cents in sorted({min(prices), max(prices)}):
        world.meta(post, "_price", money(cents))
    _lookup(world, post, sku, min(prices), max(prices), None, False, False)
    return product


def _variation(world: World, product: Product, index: int, slug: str, colour: str, cents: int) -> Variation:
    sku = f"{product.sku}-{slug}"
    post = world.post(
        "product_variation", f"{product.name} - {colour}", "", at=TIME_BASE - 86_400 * 200, parent=product.post_id,
        name=f"jacket-{product.post_id}-{slug}", excerpt=f"Colour: {colour}", order=index + 1, comments="closed",
    )  # fmt: skip
    stock = 4 + index
    world.metas(post, {**_shared_metas(sku), **_price_metas(cents, None), **_stock_metas(stock)})
    world.metas(post, {"attribute_pa_colour": slug, "_variation_description": ""})
    _lookup(world, post, sku, cents, cents, stock, False, False)
    term = world.term("pa_colour", slug, "")
    world.add("wc_product_attributes_lookup", ATTRIBUTES, post, product.post_id, "pa_colour", term, 1, 1)
    return Variation(post, cents, slug)


def _lookup(
    world: World, post: int, sku: str, low: int, high: int, stock: int | None, onsale: bool, digital: bool
) -> None:
    status = "outofstock" if stock == 0 else "instock"
    world.add(
        "wc_product_meta_lookup", LOOKUP, post, sku, "", int(digital), int(digital), low / 100, high / 100,
        int(onsale), None if stock is None else float(stock), status, 0, 0.0, 0, "taxable", "",
    )  # fmt: skip


def _grouped_and_external(world: World) -> None:
    members = [product.post_id for product in world.products[:2]]
    post = world.post("product", "Starter kit", "", at=TIME_BASE - 86_400, name="starter-kit")
    world.metas(post, {**_shared_metas(f"G-{world.blog}"), "_children": members, "_stock_status": "instock"})
    world.relate(post, world.term("product_type", "grouped", ""))
    _lookup(world, post, f"G-{world.blog}", 0, 0, None, False, False)
    post = world.post("product", "Gift at our sister", "", at=TIME_BASE - 86_400, name="gift-elsewhere")
    external = {"_product_url": f"https://{world.store.siblings[0]}/product/gift/", "_button_text": "Dorthin"}
    world.metas(post, {**_shared_metas(f"X-{world.blog}"), **external, **_price_metas(4_200, None)})
    world.metas(post, {"_manage_stock": "no", "_stock_status": "instock"})
    world.relate(post, world.term("product_type", "external", ""))
    _lookup(world, post, f"X-{world.blog}", 4_200, 4_200, None, False, False)


def _reviews(world: World, chance: random.Random) -> None:
    for number, product in enumerate(world.products[: max(2, len(world.products) // 4)]):
        member = chance.choice(world.members)
        comment = world.comment(
            product.post_id, member.first_name, member.email, f"Works ⭐ {sentence(chance)}", at=TIME_BASE - number,
            kind="review", user=member.user_id,
        )  # fmt: skip
        world.comment_meta(comment, "rating", str(chance.randint(3, 5)))
        world.comment_meta(comment, "verified", "1")


def reserve_stock(world: World, order_id: int) -> None:
    """A pending order holds one piece."""
    product = world.products[0]
    columns = "order_id,product_id,stock_quantity,timestamp,expires"
    world.add("wc_reserved_stock", columns, order_id, product.post_id, 1.0, stamp(TIME_BASE), stamp(TIME_BASE + 3_600))
