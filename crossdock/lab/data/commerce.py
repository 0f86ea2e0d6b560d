"""What a shop keeps around its orders: settings, taxes, coupons, sessions, actions, keys, webhooks."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from crossdock.lab.data.order import COUPON
from crossdock.lab.data.people import customers
from crossdock.lab.data.php import PhpObject, json_escaped, serialize
from crossdock.lab.data.wording import EMOJI, url_forms
from crossdock.lab.data.world import FAR_FUTURE, TIME_BASE, World, stamp

ACTION = (
    "action_id,hook,status,scheduled_date_gmt,scheduled_date_local,priority,args,schedule,group_id,attempts,"
    "last_attempt_gmt,last_attempt_local,claim_id,extended_args"
)
ZERO_DATE = "0000-00-00 00:00:00"
PAGES = (("shop", ""), ("cart", "[woocommerce_cart]"), ("checkout", "[woocommerce_checkout]"),
         ("myaccount", "[woocommerce_my_account]"))  # fmt: skip


def fill_settings(world: World) -> None:
    store = world.store
    forms = url_forms(store)
    settings: dict[str, Any] = {
        "woocommerce_currency": store.currency,
        "woocommerce_default_country": store.country,
        "woocommerce_calc_taxes": "yes",
        "woocommerce_prices_include_tax": "no",
        "woocommerce_price_num_decimals": "2",
        "woocommerce_weight_unit": "kg",
        "woocommerce_dimension_unit": "cm",
        "woocommerce_store_address": "Storgatan 1",
        "woocommerce_store_city": "Umeå",
        "woocommerce_coming_soon": "no",
        "woocommerce_custom_orders_table_enabled": "yes" if store.orders == "hpos" else "no",
        "woocommerce_custom_orders_table_data_sync_enabled": "no",
        "woocommerce_email_from_address": f"shop@{store.bare_host}",
        "woocommerce_email_header_image": forms["upload"],
        "woocommerce_tax_classes": "",
        "woocommerce_cod_settings": {"enabled": "yes", "title": "Cash", "instructions": f"See {forms['http']}"},
        "woocommerce_bacs_settings": {"enabled": "yes", "title": "Überweisung", "description": ""},
        "woocommerce_bacs_accounts": [{"account_name": "Lumen", "iban": "AT00 0000", "bic": ""}],
        "woocommerce_flat_rate_1_settings": {"title": "Flat rate", "tax_status": "taxable", "cost": "49.00"},
        "wc_subscriptions_siteurl": store.url.replace("://", "://_[wc_subscriptions_siteurl]_", 1),
    }
    for name, value in settings.items():
        world.option(name, value)
    _pages(world)


def _pages(world: World) -> None:
    """Cart, checkout and account pages, where no WooCommerce has made them."""
    if world.woocommerce:
        return
    for name, content in PAGES:
        page = world.post("page", name.title(), content, at=TIME_BASE - 86_400 * 500, name=name, comments="closed")
        world.option(f"woocommerce_{name}_page_id", str(page))


def fill_taxes(world: World) -> int:
    """Rates, classes and shipping zones; returns the first rate's ID."""
    columns = (
        "tax_rate_id,tax_rate_country,tax_rate_state,tax_rate,tax_rate_name,tax_rate_priority,tax_rate_compound,"
        "tax_rate_shipping,tax_rate_order,tax_rate_class"
    )
    first = 0
    for order, rate in enumerate(world.store.tax_rates):
        rate_id = world.take("woocommerce_tax_rates", "tax_rate_id")
        first = first or rate_id
        world.add("woocommerce_tax_rates", columns, rate_id, rate.country, "", rate.percent, rate.name, 1, 0, 1, order,
                  rate.tax_class)  # fmt: skip
    world.add("woocommerce_tax_rate_locations", "location_code,tax_rate_id,location_type", "1010", first, "postcode")
    if not world.woocommerce:
        for name, slug in (("Reduced rate", "reduced-rate"), ("Zero rate", "zero-rate")):
            world.add("wc_tax_rate_classes", "name,slug", name, slug)
    zone = world.take("woocommerce_shipping_zones", "zone_id")
    world.add("woocommerce_shipping_zones", "zone_id,zone_name,zone_order", zone, "Innanför gränsen", 0)
    columns = "zone_id,location_code,location_type"
    world.add("woocommerce_shipping_zone_locations", columns, zone, world.store.country, "country")
    columns = "zone_id,method_id,method_order,is_enabled"
    for order, method in enumerate(("flat_rate", "free_shipping", "local_pickup"), 1):
        world.add("woocommerce_shipping_zone_methods", columns, zone, method, order, 1)
    return first


def fill_coupons(world: World) -> int:
    """A coupon that orders use and one bound to e-mail addresses; returns the first one's ID."""
    coupon = world.post("shop_coupon", COUPON, "", at=TIME_BASE - 86_400 * 400, excerpt=f"{world.store.url}/sale/")
    world.metas(coupon, {"discount_type": "percent", "coupon_amount": "10", "individual_use": "no",
                         "usage_limit": "0", "date_expires": None})  # fmt: skip
    other = world.post("shop_coupon", "friends", "", at=TIME_BASE - 86_400 * 400)
    friends = ["ada@lumen.example", f"*@{world.store.bare_host}"]
    world.metas(other, {"discount_type": "fixed_cart", "coupon_amount": "50", "customer_email": friends})
    return coupon


def fill_machinery(world: World, order_id: int) -> None:
    _sessions(world)
    _actions(world, order_id)
    _keys_and_webhooks(world)
    _tokens(world)
    _admin_notes(world)


def _sessions(world: World) -> None:
    buyers = customers(world)
    product = world.products[-1]
    for number in range(world.size.sessions):
        guest = number % 2 == 1
        if not guest and number // 2 >= len(buyers):
            continue
        key = f"t_{sha256(str(number).encode()).hexdigest()[:30]}" if guest else str(buyers[number // 2].user_id)
        line = {"key": key, "product_id": product.post_id, "quantity": 2, "line_total": product.cents / 50}
        customer = {"id": "0" if guest else key, "email": "" if guest else buyers[number // 2].email, "city": "Umeå"}
        value = {
            "cart": serialize({key: line}),
            "customer": serialize(customer),
            "wc_notices": serialize({"success": [{"notice": f'<a href="{world.store.url}/cart/">{EMOJI} cart</a>'}]}),
        }
        columns = "session_key,session_value,session_expiry"
        world.add("woocommerce_sessions", columns, key, serialize(value), FAR_FUTURE)


def _actions(world: World, order_id: int) -> None:
    """Scheduled actions: arguments hold user IDs and addresses; every third is done and logged."""
    group = world.take("actionscheduler_groups", "group_id")
    world.add("actionscheduler_groups", "group_id,slug", group, "lab")
    buyers = customers(world)
    for number in range(world.size.actions):
        at = TIME_BASE + number if number % 3 else TIME_BASE - 86_400 + number
        action = world.take("actionscheduler_actions", "action_id")
        args, more = _arguments(world, number, buyers[number % len(buyers)].user_id, order_id)
        schedule = PhpObject(
            "ActionScheduler_SimpleSchedule", protected={"scheduled_timestamp": at}, private={"timestamp": at}
        )
        done = number % 3 == 0
        tried = stamp(at) if done else ZERO_DATE
        world.add(
            "actionscheduler_actions", ACTION, action, HOOKS[number % 4], "complete" if done else "pending", stamp(at),
            stamp(at), 10, args, serialize(schedule), group, int(done), tried, tried, 0, more,
        )  # fmt: skip
        for text in ("action created", "action started", "action complete")[: 3 if done else 1]:
            columns = "action_id,message,log_date_gmt,log_date_local"
            world.add("actionscheduler_logs", columns, action, f"{text} via {world.store.url}/", stamp(at), stamp(at))
    world.add("actionscheduler_claims", "date_created_gmt", stamp(TIME_BASE))


HOOKS = ("lab_customer_sync", "lab_parcel_poll", "lab_feed_ping", "lab_campaign")


def _arguments(world: World, number: int, user_id: int, order_id: int) -> tuple[str, str | None]:
    """(args, extended_args): long arguments are kept as a hash, with the text in the other column."""
    choices: tuple[Any, ...] = (
        {"user_id": user_id},
        [order_id, user_id],
        {"url": f"{world.store.url}/feed/", "customer_id": user_id, "email": "ada@lumen.example"},
        {"user_id": user_id, "links": [f"{world.store.url}/campaign/{step}/" for step in range(8)], "text": EMOJI},
    )
    text = json_escaped(choices[number % 4])
    return (text, None) if len(text) <= 191 else (sha256(text.encode()).hexdigest()[:32], text)


def _keys_and_webhooks(world: World) -> None:
    columns = "user_id,description,permissions,consumer_key,consumer_secret,nonces,truncated_key,last_access"
    for number, member in enumerate(world.members[:2]):
        key = sha256(f"{world.store.slug}{number}".encode()).hexdigest()
        world.add("woocommerce_api_keys", columns, member.user_id, f"ERP {number}", "read_write", key,
                  f"cs_{key[:40]}", None, key[-7:], stamp(TIME_BASE))  # fmt: skip
    columns = (
        "status,name,user_id,delivery_url,secret,topic,date_created,date_created_gmt,date_modified,"
        "date_modified_gmt,api_version,failure_count,pending_delivery"
    )
    urls = (f"{world.store.url}/wc-api/lab_hook/", "https://erp.lumen.example/in")
    for number, url in enumerate(urls):
        created = stamp(TIME_BASE - 86_400)
        modified = ZERO_DATE if number else created
        world.add("wc_webhooks", columns, "active" if number else "paused", f"Hook {number}",
                  world.members[0].user_id, url, "secret", "order.updated", created, created, modified, modified, 3, 0,
                  0)  # fmt: skip


def _tokens(world: World) -> None:
    for number, member in enumerate(customers(world)[:3]):
        token = world.take("woocommerce_payment_tokens", "token_id")
        columns = "token_id,gateway_id,token,user_id,type,is_default"
        world.add("woocommerce_payment_tokens", columns, token, "stripe", f"pm_{number}", member.user_id, "CC",
                  int(number == 0))  # fmt: skip
        columns = "payment_token_id,meta_key,meta_value"
        for key, value in (("last4", "4242"), ("card_type", "visa"), ("expiry_year", "2031"), ("expiry_month", "07")):
            world.add("woocommerce_payment_tokenmeta", columns, token, key, value)


def _admin_notes(world: World) -> None:
    note = world.take("wc_admin_notes", "note_id")
    columns = "note_id,name,type,locale,title,content,content_data,status,source,date_created"
    world.add("wc_admin_notes", columns, note, "lab-note", "info", "en_US", "Välkommen",
              f"See {world.store.url}/", "{}", "unactioned", "lab", stamp(TIME_BASE))  # fmt: skip
    columns = "note_id,name,label,query,status,actioned_text"
    link = f"{world.store.url}/wp-admin/admin.php?page=wc-admin"
    world.add("wc_admin_note_actions", columns, note, "open", "Open", link, "unactioned", "")
    columns = "timestamp,level,source,message,context"
    trace = serialize({"file": f"{world.store.root}/wp-content/plugins/x.php", "url": f"{world.store.url}/checkout/"})
    world.add("woocommerce_log", columns, stamp(TIME_BASE), 400, "lab", f"Timeout at {world.store.url}", trace)
    columns = "rate_limit_key,rate_limit_expiry,rate_limit_remaining"
    world.add("wc_rate_limits", columns, "store_api_request_lab", FAR_FUTURE, 5)
    columns = "email_hash,email_kind,action,created_at"
    address = sha256(b"ada@lumen.example").hexdigest()
    world.add("wc_email_unsubscribes", columns, address, "review_request", "unsubscribe", stamp(TIME_BASE))
    if not world.woocommerce:
        _stock_notifications(world)


def _stock_notifications(world: World) -> None:
    number = world.take("wc_stock_notifications", "id")
    columns = "id,product_id,user_id,user_email,status,date_created_gmt"
    member = customers(world)[0]
    world.add("wc_stock_notifications", columns, number, world.products[0].post_id, member.user_id,
              member.email or "till@lumen.example", "active", stamp(TIME_BASE))  # fmt: skip
    columns = "notification_id,meta_key,meta_value"
    world.add("wc_stock_notificationmeta", columns, number, "_source", f"{world.store.url}/product/product-0/")
