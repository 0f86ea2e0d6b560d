"""The same carts on both sides, totalled by WooCommerce itself: product x country x shipping method, to the cent.

PHP over SSH with the session in memory and every writing statement refused: nothing is left on either side, no order is
made, and no shopper's session is touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crossdock.core.evidence import Finding, Level
from crossdock.move.asking import Side, ask_wordpress
from crossdock.move.settings import skipped
from crossdock.move.site_facts import SiteFacts, StorePlace

_MOST = 4  # of each kind of product, and countries


def check_carts(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """The same cart costs the same: else shoppers pay another price, tax or shipping than the day before."""
    if not (place.here and place.here.woocommerce and place.there and place.there.woocommerce):
        yield skipped(place.name, "carts: WooCommerce does not run on both sides")
        return
    here = Side(place.source.shell, place.source.installation.root, place.store.source_urls[0])
    there = Side(place.target.shell, place.target.installation.root, place.store.target_url)
    request = {"plugins": True, "products": None, "countries": None, "most": _MOST}
    mine = ask_wordpress(here, "carts.php", request)
    asked = {"products": mine["products"], "countries": mine["countries"]}
    theirs = ask_wordpress(there, "carts.php", request | asked)
    if not mine["carts"]:
        yield skipped(place.name, "carts: the source has no product that can be bought")
        return
    if mine["currency"] != theirs["currency"]:
        what = f"the currency is {theirs['currency']}, at the source {mine['currency']}"
        yield Finding("cart.currency", Level.FAIL, place.name, what)
    for name, cart in mine["carts"].items():
        product, country = name.split(" ")
        yield from _differences(f"{place.store.store}: product {product} to {country}", cart, theirs["carts"].get(name))


def _differences(where: str, cart: dict[str, Any], other: dict[str, Any] | None) -> Iterator[Finding]:
    other = other or {}
    if "error" in cart or "error" in other:
        if cart != other:
            what = (
                f"the cart {other.get('error', 'can be filled')}; at the source it {cart.get('error', 'can be filled')}"
            )
            yield Finding("cart.refused", Level.FAIL, where, what)
        return
    if set(cart) != set(other):
        odd = ", ".join(sorted(name or "no shipping" for name in set(cart) ^ set(other)))
        yield Finding("cart.shipping", Level.FAIL, where, f"other shipping methods are offered: {odd}")
    for method in sorted(set(cart) & set(other)):
        wrong = [name for name, amount in cart[method].items() if other[method].get(name) != amount]
        if wrong:
            told = ", ".join(f"{name} {other[method].get(name)}, not {cart[method][name]}" for name in wrong)
            by = f" by {method}" if method else ""
            yield Finding("cart.total", Level.FAIL, where + by, told)
