"""A shop of the lab's staging with WooCommerce's real code: orders are taken behind the guard, and nothing leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import projects as on
import pytest
from staging import SOUTH, Staged

from crossdock.core.config import load
from crossdock.lab import wordpress
from crossdock.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.woocommerce]
BLOG = "wp_2_"


@pytest.fixture(scope="module")
def shop(lab_gateway: Lab) -> Iterator[Staged]:
    """South's shop alone, moved to staging behind the bridge."""
    code = wordpress.woocommerce()
    if code is None:
        pytest.skip("WooCommerce's code is not there: neither in the lab's cache folder nor at wordpress.org")
    on.reset(lab_gateway)
    project = on.new_project(lab_gateway, ["south"])
    project.green("bridge", "install", "staging")
    place = lab_gateway.managed.root("staging") / "wp-content/plugins/woocommerce"
    shutil.copytree(code, place)
    lab_gateway.managed.server.account.own(place)
    project.green("move", "run", "--until", "copy staging")
    made = Staged(lab_gateway, project, load(project.config))
    made.wp("activate_plugin('woocommerce/woocommerce.php');", SOUTH)
    made.signed(SOUTH, "/wp-admin/admin-ajax.php")
    made.wp(SETTINGS, SOUTH)
    yield made
    project.close()
    on.reset(lab_gateway)


SETTINGS = """
    update_option('woocommerce_cod_settings', ['enabled' => 'yes', 'title' => 'COD']);
    update_option('woocommerce_coming_soon', 'no');
    update_option('woocommerce_ship_to_countries', 'disabled');
"""
GOODS = """
    $p = new WC_Product_Simple();
    $p->set_props(['name' => 'Probe', 'regular_price' => '10', 'virtual' => true]);
    $p->save();
    $h = new WC_Webhook();
    $h->set_props(['name' => 'erp', 'user_id' => 1, 'topic' => 'order.created', 'secret' => 's', 'status' => 'active',
        'delivery_url' => 'http://hooks.example/orders']);
    $h->save();
    echo $p->get_id(), ' ', $h->get_id();
"""
ADDRESS = {"first_name": "Ada", "last_name": "Berg", "address_1": "Gatan 1", "city": "Athina", "postcode": "10431",
           "country": "GR", "state": "I", "email": "ada@shopper.example", "phone": "0"}  # fmt: skip


def store_api(shop: Staged, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, str, Any]:
    uri = f"/wp-json/wc/store/v1/{path}"
    raw = b"" if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **({"Cart-Token": token} if token else {})}
    headers |= shop.key.headers(method, SOUTH, uri, raw)
    status, told, text = shop.ask(method, SOUTH, uri, raw, headers)
    return status, told.get("cart-token", token), json.loads(text)


def test_a_shopper_can_buy_behind_the_guard_and_nothing_leaves(shop: Staged) -> None:
    made = shop.wp(GOODS, SOUTH)
    product, hook = made.split()
    before = shop.sent()
    status, token, _ = store_api(shop, "GET", "cart")
    assert status == 200
    assert store_api(shop, "POST", "cart/add-item", token, {"id": int(product), "quantity": 2})[0] == 201
    status, _, order = store_api(shop, "POST", "checkout", token, {"billing_address": ADDRESS, "payment_method": "cod"})
    assert status == 200, order
    assert order["status"] == "processing"
    assert shop.sent() == before
    queued = shop.wp("echo count(as_get_scheduled_actions(['hook' => 'woocommerce_deliver_webhook_async']));", SOUTH)
    assert queued.strip() == "0"
    gone = (f"wc_get_order({order['order_id']})", f"wc_get_product({product})", f"(new WC_Webhook({hook}))")
    shop.wp("".join(f"{one}->delete(true);" for one in gone), SOUTH)


def test_the_shops_usage_tracking_is_off_whatever_its_setting(shop: Staged) -> None:
    """It sends through the Requests library itself, where the guard of WordPress's functions does not see it."""
    tracks = "json_encode(WC_Site_Tracking::is_tracking_enabled())"
    code = f"""
        update_option('woocommerce_allow_tracking', 'yes');
        $guarded = {tracks};
        remove_all_filters('woocommerce_apply_user_tracking');
        remove_all_filters('woocommerce_apply_tracking');
        echo $guarded, ' ', {tracks};
        update_option('woocommerce_allow_tracking', 'no');
    """
    assert shop.wp(code, SOUTH).split() == ["false", "true"]


def test_an_orders_mail_a_webhook_and_an_action_are_provoked_and_rolled_back(shop: Staged) -> None:
    def counted() -> list[Any]:
        with shop.lab.connect(*on.schema_of(shop.lab, "staging")) as connection, connection.cursor() as cursor:
            names = "wc_orders wc_webhooks actionscheduler_actions posts comments woocommerce_order_items"
            counts = []
            for table in names.split():
                cursor.execute(f"SELECT COUNT(*) FROM {BLOG}{table}")
                counts.append((table, cursor.fetchone()[0]))
            return counts

    before, rows = shop.sent(), counted()
    told = json.loads(shop.project.green("bridge", "prove", "staging", "--json"))
    mine = {one["kind"]: one for one in told["provocations"] if one["store"] == "south"}
    assert set(mine) == {"mail", "order-mail", "webhook", "gateway", "gateway-call", "action", "cron"}
    assert all(one["tried"] and not one["left"] for one in mine.values()), mine
    assert shop.sent() == before
    assert counted() == rows


def test_without_the_guard_the_same_order_and_webhook_leave(shop: Staged) -> None:
    shop.project.green("bridge", "remove", "staging", "--yes")
    try:
        before = shop.sent()
        provoked = shop.provoke("south")
        left = {kind for kind, one in provoked.items() if one.left}
        assert left >= {"mail", "order-mail", "webhook", "gateway-call", "action"}
        assert len(shop.mails()) >= before[0] + 2
        assert "http://hooks.example/orders" in [one["url"] for one in shop.lab.sinks.requests()[before[2] :]]
    finally:
        shop.install()
