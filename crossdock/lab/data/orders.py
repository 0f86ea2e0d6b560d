"""Writes orders: in posts or in WooCommerce's own tables, with items, notes, refunds, downloads and lookup rows."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from crossdock.lab.data.order import COUPON, SHIPPING_CENTS, Line, Order, draw_order
from crossdock.lab.data.people import customers
from crossdock.lab.data.php import serialize
from crossdock.lab.data.products import money, reserve_stock
from crossdock.lab.data.wording import EMOJI
from crossdock.lab.data.world import TIME_BASE, World, stamp

ORDER = (
    "id,status,currency,type,tax_amount,total_amount,customer_id,billing_email,date_created_gmt,date_updated_gmt,"
    "parent_order_id,payment_method,payment_method_title,transaction_id,ip_address,user_agent,customer_note"
)
ADDRESS = (
    "order_id,address_type,first_name,last_name,company,address_1,address_2,city,state,postcode,country,email,phone"
)
OPERATIONAL = (
    "order_id,created_via,woocommerce_version,prices_include_tax,coupon_usages_are_counted,"
    "download_permission_granted,cart_hash,new_order_email_sent,order_key,order_stock_reduced,date_paid_gmt,"
    "date_completed_gmt,shipping_tax_amount,shipping_total_amount,discount_tax_amount,discount_total_amount,"
    "recorded_sales"
)
STATS = (
    "order_id,parent_id,date_created,date_created_gmt,date_paid,date_completed,num_items_sold,total_sales,tax_total,"
    "shipping_total,net_total,returning_customer,status,customer_id"
)
PRODUCT_LOOKUP = (
    "order_item_id,order_id,product_id,variation_id,customer_id,date_created,product_qty,product_net_revenue,"
    "product_gross_revenue,coupon_amount,tax_amount,shipping_amount,shipping_tax_amount"
)
CUSTOMER_LOOKUP = (
    "customer_id,user_id,username,first_name,last_name,email,date_last_active,date_registered,country,postcode,city,"
    "state"
)
PERMISSION = (
    "permission_id,download_id,product_id,order_id,order_key,user_email,user_id,downloads_remaining,access_granted,"
    "access_expires,download_count"
)
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
LOOKUP_BASE = 70_001  # far from user IDs: whoever takes wc_customer_lookup.customer_id for one is found out


class _Ledger:
    """What an order leaves behind for its customer and coupon."""

    def __init__(self) -> None:
        self.lookup: dict[int | str, int] = {}
        self.spent: dict[int, int] = defaultdict(int)
        self.count: dict[int, int] = defaultdict(int)
        self.last: dict[int, int] = {}
        self.used_by: list[str] = []


def fill_orders(world: World, coupon_id: int, rate_id: int) -> None:
    """All orders, then what they add up to. The last order was deleted: the counter stands beyond the last row."""
    chance = world.chance("orders")
    ledger, buyers = _Ledger(), customers(world)
    next_id = LOOKUP_BASE
    for number in range(world.size.orders):
        order = draw_order(world, chance, number, buyers)
        next_id = _customer_lookup(world, ledger, order, next_id)
        _write_order(world, order)
        _write_items(world, order, rate_id)
        _write_stats(world, ledger, order, rate_id, coupon_id)
        _write_notes(world, order)
        if order.status == "refunded":
            _write_refund(world, ledger, order)
        if number == 3:
            reserve_stock(world, order.order_id)
        _permissions(world, order)
        _account(ledger, order)
    _write_sums(world, ledger, coupon_id)
    world.take("posts")  # the deleted last order


def _customer_lookup(world: World, ledger: _Ledger, order: Order, next_id: int) -> int:
    who: int | str = order.customer or order.email.lower()
    if who in ledger.lookup:
        return next_id
    ledger.lookup[who] = next_id
    member, address = order.member, order.address
    registered = stamp(TIME_BASE - 86_400 * 700) if member else None
    world.add(
        "wc_customer_lookup", CUSTOMER_LOOKUP, next_id, member.user_id if member else None,
        member.login if member else "", address["first_name"], address["last_name"], order.email, stamp(order.at),
        registered, address["country"], address["postcode"], address["city"], "",
    )  # fmt: skip
    if member:
        member.lookup_id = next_id
    return next_id + 1


def _lookup_id(ledger: _Ledger, order: Order) -> int:
    return ledger.lookup[order.customer or order.email.lower()]


def _write_order(world: World, order: Order) -> None:
    if world.store.orders == "hpos":
        _hpos_order(world, order)
    else:
        _post_order(world, order)


def _order_post(world: World, order_id: int, kind: str, status: str, at: int, **more: Any) -> None:
    """A row in posts under an ID that is already taken."""
    world.next_ids["posts"], after = order_id, world.next_ids["posts"]
    world.post(
        kind, f"Order &ndash; {stamp(at)}", "", at=at, status=status, comments="closed",
        name=f"order-{order_id}", **more,
    )  # fmt: skip
    world.next_ids["posts"] = max(after, order_id + 1)


def _post_order(world: World, order: Order) -> None:
    note = _customer_note(world, order)
    _order_post(
        world, order.order_id, "shop_order", f"wc-{order.status}", order.at, password=order.key, excerpt=note, count=2
    )
    metas: dict[str, Any] = {
        "_order_key": order.key,
        "_customer_user": order.customer,
        "_payment_method": "bacs" if order.number % 2 else "cod",
        "_payment_method_title": "Überweisung" if order.number % 2 else "Cash",
        "_customer_ip_address": "203.0.113.44",
        "_customer_user_agent": AGENT,
        "_created_via": "checkout",
        "_cart_hash": order.key[-13:] * 2,
        "_download_permissions_granted": "yes",
        "_recorded_sales": "yes",
        "_recorded_coupon_usage_counts": "yes",
        "_new_order_email_sent": "true",
        "_order_stock_reduced": "yes",
        "_order_currency": world.store.currency,
        "_cart_discount": money(order.discount),
        "_cart_discount_tax": "0",
        "_order_shipping": money(SHIPPING_CENTS),
        "_order_shipping_tax": money(order.shipping_tax),
        "_order_tax": money(order.items_tax),
        "_order_total": money(order.total),
        "_order_version": "11.0.1",
        "_prices_include_tax": "no",
        "_edit_last": 1,
        "_edit_lock": f"{order.at + 60}:1",
    }
    metas |= {f"_billing_{key}": value for key, value in order.address.items()}
    metas |= {f"_shipping_{key}": value for key, value in order.address.items() if key != "email"}
    if order.paid:
        metas |= {
            "_date_paid": order.at + 60,
            "_paid_date": stamp(order.at + 60),
            "_transaction_id": f"tx{order.number}",
        }
    if order.status == "completed":
        metas |= {"_date_completed": order.at + 86_400, "_completed_date": stamp(order.at + 86_400)}
    world.metas(order.order_id, {**metas, **_plugin_metas(world, order)})


def _customer_note(world: World, order: Order) -> str:
    return f"Please ring twice {EMOJI} ({world.store.url}/contact/)" if order.number % 10 == 0 else ""


def _plugin_metas(world: World, order: Order) -> dict[str, Any]:
    """What WooCommerce and plugins keep beside an order in either storage."""
    address = order.address
    words = f"{address['first_name']} {address['last_name']} {address['address_1']} {address['city']} {order.email}"
    metas: dict[str, Any] = {
        "_billing_address_index": words,
        "_shipping_address_index": words,
        "is_vat_exempt": "no",
        "_wc_order_attribution_source_type": "typein",
        "_wc_order_attribution_session_entry": f"{world.store.url}/product/product-{order.number % 7}/",
        "_wc_order_attribution_session_pages": str(order.number % 9 + 1),
    }
    if order.number % 5 == 0:
        parcel = {
            "url": f"https://track.example/?back={world.store.url}/my-account/",
            "größe": "groß",
            "by": order.customer,
        }
        metas["_lab_parcel"] = serialize({"parcel": parcel})
    return metas


def _hpos_order(world: World, order: Order) -> None:
    _order_post(world, order.order_id, "shop_order_placehold", "draft", order.at)
    note, paid = _customer_note(world, order), stamp(order.at + 60) if order.paid else None
    world.add(
        "wc_orders", ORDER, order.order_id, f"wc-{order.status}", world.store.currency, "shop_order",
        order.items_tax / 100, order.total / 100, order.customer, order.email, stamp(order.at),
        stamp(order.at + 60), 0, "bacs" if order.number % 2 else "cod",
        "Överföring" if order.number % 2 else "Cash", f"tx{order.number}" if order.paid else "", "203.0.113.44",
        AGENT, note,
    )  # fmt: skip
    for kind in ("billing", "shipping"):
        email = order.email if kind == "billing" else None
        fields = [value for key, value in order.address.items() if key not in ("email", "phone")]
        world.add("wc_order_addresses", ADDRESS, order.order_id, kind, *fields, email, order.address["phone"])
    world.add(
        "wc_order_operational_data", OPERATIONAL, order.order_id, "store-api", "11.0.1", 0, 1, 1, order.key[-13:], 1,
        order.key, 1, paid, stamp(order.at + 86_400) if order.status == "completed" else None,
        order.shipping_tax / 100, SHIPPING_CENTS / 100, 0.0, order.discount / 100, 1,
    )  # fmt: skip
    locks = {"_edit_lock": f"{order.at + 60}:1"} if order.number % 2 == 0 else {}
    world.order_metas(order.order_id, {**_plugin_metas(world, order), **locks})


def _item(world: World, order_id: int, kind: str, name: str, metas: dict[str, Any]) -> int:
    item = world.take("woocommerce_order_items", "order_item_id")
    world.add(
        "woocommerce_order_items", "order_item_id,order_item_name,order_item_type,order_id", item, name, kind, order_id
    )
    world.item_metas(item, metas)
    return item


def _line_metas(line: Line, rate_id: int, sign: int = 1) -> dict[str, Any]:
    tax = money_signed(line.tax * sign)
    metas: dict[str, Any] = {
        "_product_id": str(line.product.post_id),
        "_variation_id": str(line.variation_id),
        "_qty": str(line.quantity * sign),
        "_tax_class": "",
        "_line_subtotal": money_signed(line.subtotal * sign),
        "_line_subtotal_tax": tax,
        "_line_total": money_signed(line.total * sign),
        "_line_tax": tax,
        "_line_tax_data": {"total": {rate_id: tax}, "subtotal": {rate_id: tax}},
    }
    return {**metas, "pa_colour": line.colour} if line.colour else metas


def money_signed(cents: int) -> str:
    return f"-{money(-cents)}" if cents < 0 else money(cents)


def _write_items(world: World, order: Order, rate_id: int) -> None:
    for line in order.lines:
        item = _item(world, order.order_id, "line_item", line.name, _line_metas(line, rate_id))
        order.item_ids.append(item)
    tax = money(order.shipping_tax)
    shipping = {
        "method_id": "flat_rate", "instance_id": "1", "cost": money(SHIPPING_CENTS), "total_tax": tax,
        "taxes": {"total": {rate_id: tax}}, "Items": order.lines[0].name,
    }  # fmt: skip
    _item(world, order.order_id, "shipping", "Flat rate", shipping)
    rate = world.store.tax_rates[0]
    taxes = {
        "rate_id": str(rate_id), "label": rate.name, "compound": "", "tax_amount": money(order.items_tax),
        "shipping_tax_amount": tax, "rate_percent": rate.percent.rstrip("0").rstrip("."),
    }  # fmt: skip
    _item(world, order.order_id, "tax", f"{rate.country}-{rate.name.upper()}-1", taxes)
    if order.coupon:
        _item(
            world,
            order.order_id,
            "coupon",
            COUPON,
            {"discount_amount": money(order.discount), "discount_amount_tax": "0"},
        )


def _write_stats(world: World, ledger: _Ledger, order: Order, rate_id: int, coupon_id: int) -> None:
    customer, date = _lookup_id(ledger, order), stamp(order.at)
    tax = order.items_tax + order.shipping_tax
    paid = stamp(order.at + 60) if order.paid else None
    completed = stamp(order.at + 86_400) if order.status == "completed" else None
    world.add(
        "wc_order_stats", STATS, order.order_id, 0, date, date, paid, completed, order.quantity, order.total / 100,
        tax / 100, SHIPPING_CENTS / 100, order.net / 100, int(ledger.count.get(order.customer, 0) > 0),
        f"wc-{order.status}", customer,
    )  # fmt: skip
    for item, line in zip(order.item_ids, order.lines, strict=True):
        world.add(
            "wc_order_product_lookup", PRODUCT_LOOKUP, item, order.order_id, line.product.post_id, line.variation_id,
            customer, date, line.quantity, line.total / 100, (line.total + line.tax) / 100, line.discount / 100,
            line.tax / 100, 0.0, 0.0,
        )  # fmt: skip
    world.add(
        "wc_order_tax_lookup", "order_id,tax_rate_id,date_created,shipping_tax,order_tax,total_tax", order.order_id,
        rate_id, date, order.shipping_tax / 100, order.items_tax / 100, tax / 100,
    )  # fmt: skip
    if order.coupon:
        columns = "order_id,coupon_id,date_created,discount_amount"
        world.add("wc_order_coupon_lookup", columns, order.order_id, coupon_id, date, order.discount / 100)


def _write_notes(world: World, order: Order) -> None:
    texts = [f"Order status changed from Pending payment to {order.status}."]
    if order.number % 2 == 0:
        texts.append(f"Your parcel: {world.store.url}/my-account/view-order/{order.order_id}/ {EMOJI}")
    for index, text in enumerate(texts):
        comment = world.comment(
            order.order_id, "WooCommerce", f"woocommerce@{world.store.bare_host}", text, at=order.at + 70 + index,
            kind="order_note", agent="WooCommerce",
        )  # fmt: skip
        if index:
            world.comment_meta(comment, "is_customer_note", "1")


def _write_refund(world: World, ledger: _Ledger, order: Order) -> None:
    """The first line comes back whole. _refunded_by is a user ID."""
    line, at = order.lines[0], order.at + 3 * 86_400
    amount, refund = line.total + line.tax, world.take("posts")
    by = next((member.user_id for member in world.members if member.role == "shop_manager"), 1)
    shared: dict[str, Any] = {
        "_refunded_payment": "",
        "_refund_reason": "Zu klein – för liten",
        "_refund_amount": money(amount),
    }
    if world.store.orders == "hpos":
        _order_post(world, refund, "shop_order_placehold", "draft", at, parent=order.order_id)
        world.add(
            "wc_orders", ORDER, refund, "wc-completed", world.store.currency, "shop_order_refund", -line.tax / 100,
            -amount / 100, None, None, stamp(at), stamp(at), order.order_id, None, None, None, None, None, None,
        )  # fmt: skip
        world.order_metas(refund, {**shared, "_refunded_by": by})
    else:
        _order_post(world, refund, "shop_order_refund", "wc-completed", at, parent=order.order_id)
        more = {
            "_order_currency": world.store.currency,
            "_order_total": money_signed(-amount),
            "_order_tax": money_signed(-line.tax),
        }
        world.metas(refund, {**shared, "_refunded_by": by, "_prices_include_tax": "no", **more})
    _item(
        world, refund, "line_item", line.name, {**_line_metas(line, 1, -1), "_refunded_item_id": str(order.item_ids[0])}
    )
    world.add(
        "wc_order_stats", STATS, refund, order.order_id, stamp(at), stamp(at), None, None, -line.quantity,
        -amount / 100, -line.tax / 100, 0.0, -line.total / 100, None, "wc-completed", _lookup_id(ledger, order),
    )  # fmt: skip


def _permissions(world: World, order: Order) -> None:
    for line in order.lines:
        if not (line.product.download_id and order.paid):
            continue
        permission = world.take("woocommerce_downloadable_product_permissions", "permission_id")
        world.add(
            "woocommerce_downloadable_product_permissions", PERMISSION, permission, line.product.download_id,
            line.product.post_id, order.order_id, order.key, order.email, order.customer, "2", stamp(order.at), None, 1,
        )  # fmt: skip
        columns = "timestamp,permission_id,user_id,user_ip_address"
        world.add("wc_download_log", columns, stamp(order.at + 90), permission, order.customer or None, "203.0.113.44")


def _account(ledger: _Ledger, order: Order) -> None:
    if order.coupon and len(ledger.used_by) < 200:
        ledger.used_by.append(str(order.customer or order.email))
    if order.member and order.paid:
        ledger.spent[order.customer] += order.total
    if order.member:
        ledger.count[order.customer] += 1
        ledger.last[order.customer] = order.order_id


def _write_sums(world: World, ledger: _Ledger, coupon_id: int) -> None:
    suffix = world.prefix.rstrip("_")
    for user_id, count in ledger.count.items():
        sums = {
            f"wc_order_count_{suffix}": count,
            f"wc_last_order_{suffix}": ledger.last[user_id],
            f"wc_money_spent_{suffix}": money(ledger.spent[user_id]),
        }
        world.user_meta(user_id, sums)
    for who in ledger.used_by:
        world.meta(coupon_id, "_used_by", who)
    # Someone used it as a guest and someone with an account, at every size.
    world.meta(coupon_id, "_used_by", "guest-of-old@mail.example")
    world.meta(coupon_id, "_used_by", str(customers(world)[0].user_id))
    world.meta(coupon_id, "usage_count", str(len(ledger.used_by) + 2))
