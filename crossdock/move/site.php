<?php
/**
 * Tells what one blog is set to, with its plugins loaded (load.php, no writes): constants, what plugins and themes run,
 * where it sends mail from, and the addresses of its key pages. Salts leave the server only as keyed hashes.
 *
 * Wants {key: the hashes' key, made anew for each validation}.
 */
function crossdock_constant($name)
{
    return defined($name) ? constant($name) : null;
}

/** Equal values have equal hashes within one validation, and nowhere else; null: not set, or the sample's placeholder. */
function crossdock_hash($value)
{
    $kept = is_string($value) && $value !== '' && $value !== 'put your unique phrase here';
    return $kept ? hash_hmac('sha256', $value, $GLOBALS['crossdock']['key']) : null;
}

function crossdock_mail_domain($address)
{
    return is_string($address) && strpos($address, '@') !== false ? strtolower(substr(strrchr(trim($address, " \t>"), '@'), 1)) : '';
}

/** What PHPMailer would be told, as wp_mail() finds it. */
function crossdock_mail_from()
{
    $host = preg_replace('/^www\./', '', strtolower((string) parse_url(network_home_url(), PHP_URL_HOST)));
    return apply_filters('wp_mail_from', "wordpress@$host");
}

/** The newest published one of a type that anybody may see; its address, or ''. */
function crossdock_newest($type, $except = [])
{
    if (!post_type_exists($type)) {
        return '';
    }
    $found = get_posts(['post_type' => $type, 'post_status' => 'publish', 'has_password' => false, 'numberposts' => 1,
        'orderby' => ['date' => 'DESC', 'ID' => 'DESC'], 'exclude' => array_filter($except)]);
    return $found ? (string) get_permalink($found[0]) : '';
}

/** The fullest term's address, or ''. */
function crossdock_fullest($taxonomy)
{
    if (!taxonomy_exists($taxonomy)) {
        return '';
    }
    $found = get_terms(['taxonomy' => $taxonomy, 'hide_empty' => true, 'number' => 1, 'orderby' => 'count', 'order' => 'DESC']);
    $link = is_array($found) && $found ? get_term_link(reset($found)) : '';
    return is_string($link) ? $link : '';
}

function crossdock_pages()
{
    $special = [(int) get_option('page_on_front'), (int) get_option('page_for_posts')];
    $pages = [];
    foreach (function_exists('wc_get_page_id') ? ['cart', 'checkout', 'myaccount'] : [] as $name) {
        $id = (int) wc_get_page_id($name);
        $special[] = max($id, 0);
        $pages[$name] = $id > 0 && get_post_status($id) === 'publish' ? (string) get_permalink($id) : '';
    }
    $store = function_exists('wc_get_page_id');
    return array_filter([
        'home' => home_url('/'), 'post' => crossdock_newest('post'), 'page' => crossdock_newest('page', $special),
        'product' => $store ? crossdock_newest('product') : '', 'category' => crossdock_fullest($store ? 'product_cat' : 'category'),
    ] + $pages);
}

/** Plugin files below the plugins' folder. */
function crossdock_plugin_names($files)
{
    return array_values(array_map('plugin_basename', $files));
}

$wpdb->suppress_errors(true);
$salts = [];
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $scheme) {
    foreach (['KEY', 'SALT'] as $kind) {
        $salts["{$scheme}_$kind"] = crossdock_hash(crossdock_constant("{$scheme}_$kind"));
    }
}
$overdue = 0;
foreach (is_array($events = get_option('cron')) ? $events : [] as $time => $hooks) {
    $overdue += is_int($time) && $time < time() - 3600 && is_array($hooks) ? count($hooks) : 0;
}
$admins = [];
foreach (is_multisite() ? get_super_admins() : [] as $login) {
    $user = get_user_by('login', $login);
    $admins[] = $user ? (int) $user->ID : 0;
}
$theme = wp_get_theme();
$uploads = wp_upload_dir(null, false);
crossdock_end([
    'home' => home_url(), 'siteurl' => site_url(),
    'upgrade_due' => (int) get_option('db_version') !== (int) $wp_db_version,
    'woocommerce' => defined('WC_VERSION') ? WC_VERSION : '',
    'public' => (string) get_option('blog_public'),
    'wp_home' => defined('WP_HOME'), 'wp_siteurl' => defined('WP_SITEURL'),
    'cookie_domain' => (string) crossdock_constant('COOKIE_DOMAIN'),
    'sunrise' => (bool) crossdock_constant('SUNRISE'), 'sunrise_file' => is_file(WP_CONTENT_DIR . '/sunrise.php'),
    'cron_by_visits' => !crossdock_constant('DISABLE_WP_CRON'), 'cron_overdue' => $overdue,
    'salts' => $salts,
    'object_cache' => is_file(WP_CONTENT_DIR . '/object-cache.php'),
    'cache_prefix' => crossdock_hash(crossdock_constant('WP_REDIS_PREFIX') ?: crossdock_constant('WP_CACHE_KEY_SALT')),
    'mail_from' => crossdock_mail_domain(crossdock_mail_from()),
    'store_mail_from' => crossdock_mail_domain(get_option('woocommerce_email_from_address')),
    'plugins_set' => array_values(array_unique(array_merge((array) get_option('active_plugins', []),
        array_keys(is_multisite() ? (array) get_site_option('active_sitewide_plugins', []) : [])))),
    'plugins' => crossdock_plugin_names(array_merge(wp_get_active_and_valid_plugins(),
        is_multisite() ? wp_get_active_network_plugins() : [])),
    'theme' => get_stylesheet(), 'theme_there' => $theme->exists(),
    'theme_allowed' => !is_multisite() || $theme->is_allowed(),
    'super_admins' => $admins,
    'uploads' => $uploads['basedir'],
    'pages' => (object) crossdock_pages(),
]);
