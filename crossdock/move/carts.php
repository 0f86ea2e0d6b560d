<?php
/**
 * Totals carts by WooCommerce itself (load.php, no writes): product x country x shipping method. The session lives in
 * memory alone, and no order is made.
 *
 * Wants {products: [IDs] or null, countries: [codes] or null, most: how many to choose of each}.
 */
function crossdock_products($most)
{
    $chosen = [];
    foreach (['simple', 'variation'] as $type) {
        $found = wc_get_products(['type' => $type, 'status' => 'publish', 'limit' => 40, 'orderby' => 'ID', 'order' => 'ASC']);
        $sold = array_filter($found, static function ($one) { return $one->is_purchasable() && $one->is_in_stock(); });
        $chosen = array_merge($chosen, array_slice(array_values($sold), 0, $most));
    }
    return array_map(static function ($one) { return $one->get_id(); }, $chosen);
}

/** The shop's own country first, then those of its shipping zones and tax rates, and one that is in neither. */
function crossdock_countries($most)
{
    global $wpdb;
    $codes = [WC()->countries->get_base_country()];
    foreach (WC_Shipping_Zones::get_zones() as $zone) {
        foreach ($zone['zone_locations'] as $place) {
            $codes[] = substr($place->code, 0, 2);
        }
    }
    $codes = array_merge($codes, $wpdb->get_col("SELECT DISTINCT tax_rate_country FROM {$wpdb->prefix}woocommerce_tax_rates ORDER BY 1"));
    $sold = WC()->countries->get_allowed_countries();
    $known = array_values(array_unique(array_filter($codes, static function ($one) use ($sold) {
        return isset($sold[$one]);
    })));
    return array_merge(array_slice($known, 0, $most), array_slice(array_diff(array_keys($sold), $known), 0, 1));
}

/** Whole cents (or what the shop's decimals make), so that no float is compared. */
function crossdock_cents($amount)
{
    return number_format((float) $amount, wc_get_price_decimals(), '.', '');
}

function crossdock_totals($method = null)
{
    $GLOBALS['crossdock_method'] = $method;
    WC()->session->set('chosen_shipping_methods', $method === null ? null : [$method]);
    WC()->cart->calculate_totals();
    $totals = WC()->cart->get_totals();
    $names = ['subtotal', 'subtotal_tax', 'discount_total', 'shipping_total', 'shipping_tax', 'fee_total', 'total_tax', 'total'];
    $made = [];
    foreach ($names as $name) {
        $made[$name] = crossdock_cents($totals[$name] ?? 0);
    }
    return $made;
}

/** The totals of one product in one country, by shipping method ('': none is offered or needed). */
function crossdock_cart($id, $country)
{
    WC()->session->crossdock_clear();
    WC()->cart->empty_cart(false);
    WC()->customer->set_billing_location($country, '', '', '');
    WC()->customer->set_shipping_location($country, '', '', '');
    $product = wc_get_product($id);
    if (!$product) {
        return ['error' => 'no such product'];
    }
    $parent = $product->get_parent_id();
    $added = $parent
        ? WC()->cart->add_to_cart($parent, 1, $id, array_map(static function ($one) { return $one === '' ? 'any' : $one; }, $product->get_variation_attributes()))
        : WC()->cart->add_to_cart($id, 1);
    wc_clear_notices();
    if (!$added) {
        return ['error' => 'can\'t be put into a cart'];
    }
    $made = ['' => crossdock_totals()];
    $packages = WC()->cart->needs_shipping() ? WC()->shipping()->get_packages() : [];
    $methods = $packages ? array_keys($packages[0]['rates']) : [];
    sort($methods);
    foreach ($methods as $method) {
        $made[$method] = crossdock_totals($method);
    }
    return count($made) > 1 ? array_slice($made, 1, null, true) : $made;
}

$wpdb->suppress_errors(true);
if (!function_exists('WC') || !class_exists('WC_Session')) {
    crossdock_end(['woocommerce' => '']);
}
class Crossdock_Session extends WC_Session
{
    public function crossdock_clear()
    {
        $this->_data = [];
    }
}
// WooCommerce goes back to its default method whenever it thinks that the methods have changed.
add_filter('woocommerce_shipping_chosen_method', static function ($default, $rates) {
    $method = $GLOBALS['crossdock_method'] ?? null;
    return $method !== null && isset($rates[$method]) ? $method : $default;
}, PHP_INT_MAX, 2);
WC()->frontend_includes();
WC()->session = new Crossdock_Session();
WC()->customer = new WC_Customer(0, true);
WC()->cart = new WC_Cart();
$products = $crossdock['products'] ?? crossdock_products($crossdock['most']);
$countries = $crossdock['countries'] ?? crossdock_countries($crossdock['most']);
$carts = [];
foreach ($products as $id) {
    foreach ($countries as $country) {
        $carts["$id $country"] = crossdock_cart($id, $country);
    }
}
crossdock_end(['woocommerce' => WC_VERSION, 'products' => $products, 'countries' => $countries, 'carts' => (object) $carts,
    'currency' => get_woocommerce_currency()]);
