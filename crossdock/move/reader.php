<?php
/**
 * Reads posts, users, products and orders through WordPress itself (load.php, no writes).
 *
 * Wants {mode: probe|read, woocommerce: bool, sample, posts, users, products, orders} (the lists hold IDs; null: take an
 * even sample).
 */
/** Anything as plain JSON data: objects become their properties with their class. */
function crossdock_plain($value)
{
    if (is_object($value)) {
        $plain = ['__class' => get_class($value)];
        foreach ((array) $value as $key => $one) {
            $plain[str_replace("\0", '~', (string) $key)] = crossdock_plain($one);
        }
        return $plain;
    }
    if (is_array($value)) {
        return ['__list' => array_map(static function ($key) use ($value) {
            return [(string) $key, crossdock_plain($value[$key])];
        }, array_keys($value))];
    }
    return is_float($value) ? sprintf('float:%.10g', $value) : $value;
}

/** IDs spread evenly over a table: one index seek each. */
function crossdock_sample($table, $key, $where, $count)
{
    global $wpdb;
    list($low, $high) = $wpdb->get_row("SELECT MIN($key), MAX($key) FROM $table WHERE $where", ARRAY_N) ?: [null, null];
    if ($low === null) {
        return [];
    }
    $ids = [];
    for ($step = 0; $step < $count; $step++) {
        $from = (int) ($low + ($high - $low) * $step / max($count - 1, 1));
        $ids[] = (int) $wpdb->get_var("SELECT $key FROM $table WHERE $where AND $key >= $from ORDER BY $key LIMIT 1");
    }
    return array_values(array_unique($ids));
}

function crossdock_post($id)
{
    $post = get_post($id);
    if (!$post) {
        return null;
    }
    $meta = [];
    foreach (array_keys(get_post_meta($id)) as $key) {
        $meta[] = [$key, array_map('crossdock_plain', get_post_meta($id, $key))];
    }
    usort($meta, static function ($one, $other) { return strcmp($one[0], $other[0]); });
    return [
        'id' => $id, 'type' => $post->post_type, 'status' => $post->post_status, 'title' => $post->post_title,
        'content' => $post->post_content, 'excerpt' => $post->post_excerpt, 'author' => (int) $post->post_author,
        'date' => $post->post_date_gmt, 'slug' => $post->post_name, 'link' => get_permalink($post), 'meta' => $meta,
        'terms' => crossdock_terms($id),
    ];
}

function crossdock_terms($id)
{
    global $wpdb;
    return $wpdb->get_col($wpdb->prepare(
        "SELECT CONCAT(x.taxonomy, ':', t.slug) FROM $wpdb->term_relationships r JOIN $wpdb->term_taxonomy x USING (term_taxonomy_id)"
        . " JOIN $wpdb->terms t USING (term_id) WHERE r.object_id = %d ORDER BY 1",
        $id
    ));
}

function crossdock_user($id)
{
    $user = get_userdata($id);
    if (!$user) {
        return null;
    }
    $roles = array_values($user->roles);
    sort($roles);
    return ['id' => $id, 'login' => $user->user_login, 'email' => strtolower($user->user_email), 'name' => $user->display_name,
        'roles' => $roles, 'registered' => $user->user_registered];
}

function crossdock_product($id, $woocommerce)
{
    if ($woocommerce) {
        $product = wc_get_product($id);
        return $product ? ['id' => $id, 'type' => $product->get_type(), 'name' => $product->get_name(), 'sku' => $product->get_sku(),
            'price' => $product->get_price(), 'stock' => $product->get_stock_quantity(), 'status' => $product->get_stock_status(),
            'children' => $product->get_children(), 'link' => $product->get_permalink()] : null;
    }
    $keys = ['_sku', '_price', '_regular_price', '_stock', '_stock_status'];
    return ['id' => $id, 'name' => get_the_title($id)] + array_combine($keys, array_map(static function ($key) use ($id) {
        return get_post_meta($id, $key, true);
    }, $keys));
}

function crossdock_order($id, $woocommerce)
{
    global $wpdb;
    if ($woocommerce) {
        $order = wc_get_order($id);
        if (!$order) {
            return null;
        }
        $items = [];
        foreach ($order->get_items() as $item) {
            $items[] = [$item->get_name(), $item->get_quantity(), $item->get_total()];
        }
        return ['id' => $id, 'status' => $order->get_status(), 'total' => $order->get_total(), 'currency' => $order->get_currency(),
            'customer' => (int) $order->get_customer_id(), 'email' => $order->get_billing_email(), 'items' => $items];
    }
    $items = $wpdb->get_results($wpdb->prepare(
        "SELECT order_item_name, order_item_type FROM {$wpdb->prefix}woocommerce_order_items WHERE order_id = %d ORDER BY order_item_id",
        $id
    ), ARRAY_N);
    if (crossdock_has('wc_orders')) {
        $row = $wpdb->get_row($wpdb->prepare("SELECT * FROM {$wpdb->prefix}wc_orders WHERE id = %d", $id), ARRAY_A);
        if ($row) {
            return ['id' => $id, 'status' => $row['status'], 'total' => $row['total_amount'], 'currency' => $row['currency'],
                'customer' => (int) $row['customer_id'], 'email' => $row['billing_email'], 'items' => $items];
        }
    }
    $post = get_post($id);
    return $post ? ['id' => $id, 'status' => $post->post_status, 'total' => get_post_meta($id, '_order_total', true),
        'currency' => get_post_meta($id, '_order_currency', true), 'customer' => (int) get_post_meta($id, '_customer_user', true),
        'email' => get_post_meta($id, '_billing_email', true), 'items' => $items] : null;
}

function crossdock_has($table)
{
    global $wpdb;
    return (bool) $wpdb->get_var($wpdb->prepare('SHOW TABLES LIKE %s', $wpdb->esc_like($wpdb->prefix . $table)));
}

$wpdb->suppress_errors(true);
$woocommerce = function_exists('wc_get_order') && !empty($crossdock['woocommerce']);
$made = ['blog' => get_current_blog_id(), 'name' => get_option('blogname'), 'home' => home_url(), 'wordpress' => get_bloginfo('version'),
    'woocommerce' => defined('WC_VERSION') ? WC_VERSION : '', 'currency' => get_option('woocommerce_currency')];
if ($crossdock['mode'] === 'read') {
    $count = $crossdock['sample'];
    $orders = crossdock_has('wc_orders') && $wpdb->get_var("SELECT id FROM {$wpdb->prefix}wc_orders LIMIT 1");
    $ids = [
        'posts' => $crossdock['posts'] ?? crossdock_sample($wpdb->posts, 'ID', "post_type NOT IN ('shop_order_placehold')", $count),
        'products' => $crossdock['products'] ?? crossdock_sample($wpdb->posts, 'ID', "post_type IN ('product', 'product_variation')", $count),
        'orders' => $crossdock['orders'] ?? ($orders
            ? crossdock_sample("{$wpdb->prefix}wc_orders", 'id', "type = 'shop_order'", $count)
            : crossdock_sample($wpdb->posts, 'ID', "post_type = 'shop_order'", $count)),
        'users' => $crossdock['users'] ?? array_map('intval', get_users(['fields' => 'ID', 'number' => $count, 'orderby' => 'ID'])),
    ];
    $made['posts'] = array_map('crossdock_post', $ids['posts']);
    $made['users'] = array_map('crossdock_user', $ids['users']);
    $made['products'] = array_map(static function ($id) use ($woocommerce) { return crossdock_product($id, $woocommerce); }, $ids['products']);
    $made['orders'] = array_map(static function ($id) use ($woocommerce) { return crossdock_order($id, $woocommerce); }, $ids['orders']);
    $made['ids'] = $ids;
}
crossdock_end($made);
