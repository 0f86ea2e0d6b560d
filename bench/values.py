"""Pools of values that look like a store's: block content, meta values, PHP-serialized arrays, page-builder JSON."""

from __future__ import annotations

import random
from typing import Any

from crossdock.lab.data.php import json_escaped, serialize

HOST = "www.fell-and-fjord.example"
HOST_BYTES = HOST.encode()
ROOT = "/var/www/fell-and-fjord/htdocs"
URL = f"https://{HOST}"
_TEXT = (
    "the of and to a in is it for with on that this from light warm dry boots jacket tent stove mountain river trail "
    "rope winter summer night morning weather wind rain snow camp walk climb sleep carry fold wash repair weight grams "
    "litres fabric seam zip pocket strap buckle sole leather wool down synthetic recycled guarantee delivery return "
    "size colour black green blue red sand heather moss slate tough simple quiet honest careful long short wide narrow "
    "höhe länge größe été garçon crème naïve"
)
_WORDS = _TEXT.split()
_PLACES = 20_000

Pair = tuple[bytes, bytes]


class Pools:
    """Everything rows are put together from. The same seed gives the same pools."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self.sentences = [self._text(8, 30).encode() for _ in range(1500)]
        self.titles = [self._text(2, 6).title().encode() for _ in range(3000)]
        self.blocks = [self._paragraph(link=False) for _ in range(3000)]
        self.linked_blocks = [self._linked_block() for _ in range(4000)]
        self.serialized = [self._array(link=False) for _ in range(2500)]
        self.meta = {
            "post": self._post_meta(), "user": self._user_meta(), "order": self._order_meta(),
            "item": self._item_meta(), "comment": self._pairs(300, rating="1 2 3 4 5", verified="0 1"),
        }  # fmt: skip
        self.linked_meta = {
            "post": [self._linked_post_meta() for _ in range(9000)],
            "user": [(b"_bench_avatar", self._image().encode()) for _ in range(2000)],
            "order": [(b"_wc_order_attribution_session_entry", self._page().encode()) for _ in range(4000)],
            "item": [(b"_personalisation_file", self._image().encode()) for _ in range(4000)],
            "comment": [],
        }

    # -- addresses -----------------------------------------------------------------------------------------------

    def _number(self, limit: int = _PLACES) -> int:
        return self._dice.randrange(limit)

    def _image(self) -> str:
        size = self._dice.choice(("", "-300x300", "-1024x683", "-scaled"))
        month = self._number(12) + 1
        return f"{URL}/wp-content/uploads/2026/{month:02d}/{self._word()}-{self._number()}{size}.jpg"

    def _page(self) -> str:
        kind = self._dice.choice(("product", "category/gear", "journal", "product-category/tents"))
        return f"{URL}/{kind}/{self._word()}-{self._word()}-{self._number()}/?utm_source=mail&ref={self._number(999)}"

    def _address(self) -> str:
        return self._image() if self._number(3) else self._page()

    # -- text ----------------------------------------------------------------------------------------------------

    def _word(self) -> str:
        return self._dice.choice(_WORDS[:90])

    def _text(self, low: int, high: int) -> str:
        return " ".join(self._dice.choices(_WORDS, k=self._dice.randint(low, high)))

    def _paragraph(self, link: bool) -> bytes:
        text = self._text(40, 95)
        if link:
            text += f' <a href="{self._page()}">{self._text(1, 4)}</a> {self._text(5, 30)}'
        return f"<!-- wp:paragraph -->\n<p>{text}.</p>\n<!-- /wp:paragraph -->".encode()

    def _linked_block(self) -> bytes:
        if self._number(3) == 0:
            return self._paragraph(link=True)
        number, image = self._number(), self._image()
        return (
            f'<!-- wp:image {{"id":{number},"sizeSlug":"large","linkDestination":"custom"}} -->\n'
            f'<figure class="wp-block-image size-large"><a href="{self._page()}"><img src="{image}" alt="boots"'
            f' class="wp-image-{number}" srcset="{self._image()} 300w, {self._image()} 1024w"/></a></figure>\n'
            "<!-- /wp:image -->"
        ).encode()

    # -- arrays --------------------------------------------------------------------------------------------------

    def _array(self, link: bool) -> Pair:
        if self._number(2):
            sizes: dict[str, Any] = {
                name: {"file": f"{self._word()}-{self._number()}.jpg", "width": 300, "height": 300,
                       "mime-type": "image/jpeg", "filesize": self._number(90_000)}
                for name in ("thumbnail", "medium", "large", "woocommerce_thumbnail")[: self._number(4) + 1]
            }  # fmt: skip
            value: dict[str, Any] = {
                "width": 2048,
                "height": 1365,
                "file": f"2026/05/{self._word()}.jpg",
                "sizes": sizes,
            }
            if link:
                value["backup"] = {"url": self._image(), "page": self._page(), "note": self._text(3, 9)}
            return b"_wp_attachment_metadata", serialize(value).encode()
        value = {
            f"pa_{self._word()}": {"name": self._text(1, 3), "value": self._text(1, 8), "position": at, "is_visible": 1}
            for at in range(self._number(5) + 1)
        }
        if link:
            value["link"] = {"url": self._address(), "target": "_blank", "html": f'<a href="{self._page()}">é</a>'}
        return b"_product_attributes", serialize(value).encode()

    def _elementor(self) -> Pair:
        """Page-builder JSON: escaped slashes, 2 to 16 KB."""
        widgets = [
            {
                "id": f"{self._number():07x}", "elType": "widget", "widgetType": "image-box",
                "settings": {
                    "title": self._text(2, 9), "image": {"url": self._image(), "id": self._number()},
                    "link": {"url": self._page(), "is_external": ""}, "font_size": {"unit": "px", "size": 22},
                    "editor": f"<p>{self._text(20, 60)}</p>",
                },
            }
            for _ in range(self._dice.randint(3, 24))
        ]  # fmt: skip
        section = {"id": "1a2b3c4", "elType": "section", "settings": {"layout": "full_width"}, "elements": widgets}
        return b"_elementor_data", json_escaped([section]).encode()

    # -- meta ----------------------------------------------------------------------------------------------------

    def _linked_post_meta(self) -> Pair:
        kind = self._number(100)
        if kind < 4:
            return self._elementor()
        if kind < 24:
            return self._array(link=True)
        key = self._dice.choice(
            (b"_product_url", b"_yoast_wpseo_opengraph-image", b"_menu_item_url", b"_download_link", b"_og_image")
        )
        return key, self._address().encode()

    def _pairs(self, count: int, **choices: str) -> list[Pair]:
        keys = list(choices)
        made = []
        for _ in range(count):
            key = self._dice.choice(keys)
            made.append((key.encode(), self._dice.choice(choices[key].split(" ")).encode()))
        return made

    def _post_meta(self) -> list[Pair]:
        fixed = self._pairs(
            4000, _edit_last="1 2 3 17", _stock_status="instock outofstock", _manage_stock="yes no", _virtual="no",
            _downloadable="no", _backorders="no notify", _tax_status="taxable", _sold_individually="no", _tax_class=" ",
            _wc_review_count="0 1 7", _wp_page_template="default", _product_version="11.0.1", _wc_average="0 4.5",
        )  # fmt: skip
        numbers = [
            (self._dice.choice((b"_price", b"_regular_price", b"_thumbnail_id", b"_stock", b"total_sales", b"_weight")),
             b"%d" % self._number())
            for _ in range(5000)
        ]  # fmt: skip
        texts = [
            (b"_sku", b"FF-%06d" % self._number()) if self._number(2)
            else (b"_wp_attached_file", f"2026/0{self._number(9) + 1}/{self._word()}-{self._number()}.jpg".encode())
            for _ in range(4000)
        ]  # fmt: skip
        locks = [(b"_edit_lock", b"17%08d:%d" % (self._number(10**8), self._number(40) + 1)) for _ in range(600)]
        notes = [(b"_yoast_wpseo_metadesc", self.sentences[self._number(1500)]) for _ in range(1200)]
        return fixed + numbers + texts + locks + notes

    def _user_meta(self) -> list[Pair]:
        fixed = self._pairs(
            3000, nickname="ann ben cleo", first_name="Ann Ben Cleo", last_name="Berg Hill Lake", rich_editing="true",
            locale=" ", use_ssl="0", billing_country="GB FR DE", wp_user_level="0", paying_customer="0 1",
            admin_color="fresh", syntax_highlighting="true", comment_shortcuts="false", show_admin_bar_front="true",
        )  # fmt: skip
        capabilities = serialize({"customer": True}).encode()
        fixed += [(b"wp_capabilities", capabilities)] * 400
        return fixed + [(b"last_update", b"17%08d" % self._number(10**8)) for _ in range(800)]

    def _order_meta(self) -> list[Pair]:
        fixed = self._pairs(
            3000, _wc_order_attribution_source_type="organic utm typein", is_vat_exempt="no", _stripe_currency="GBP",
            _wc_order_attribution_device_type="Mobile Desktop", _wc_order_attribution_utm_source="google mail",
        )  # fmt: skip
        return fixed + [(b"_stripe_intent_id", b"pi_%024x" % self._dice.getrandbits(96)) for _ in range(3000)]

    def _item_meta(self) -> list[Pair]:
        keys = (b"_product_id", b"_variation_id", b"_qty", b"_line_subtotal", b"_line_total", b"_line_tax", b"cost")
        numbers = [(self._dice.choice(keys), b"%d" % self._number(9000)) for _ in range(6000)]
        taxes = [
            (b"_line_tax_data",
             serialize({"total": {1: f"{self._number(900)}.20"}, "subtotal": {1: f"{self._number(900)}.20"}}).encode())
            for _ in range(900)
        ]  # fmt: skip
        return numbers + taxes + self._pairs(600, _tax_class=" reduced", method_id="flat_rate free_shipping")
