<?php
// Tells what a WordPress installation is, from its files alone: no plugin is loaded, no database is asked.
// Argument: the WordPress folder. wp-config.php is evaluated without the line that starts WordPress, as WP-CLI does.
error_reporting(0);
ini_set('display_errors', '0');
$root = rtrim($argv[1], '/');
function crossdock_end($facts)
{
    echo "\nCROSSDOCK" . json_encode($facts, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES);
    exit(0);
}
if (!is_readable("$root/wp-includes/version.php")) {
    crossdock_end(['error' => "no WordPress in $root (wp-includes/version.php can't be read)"]);
}
$config = is_readable("$root/wp-config.php") ? "$root/wp-config.php" : dirname($root) . '/wp-config.php';
if (!is_readable($config)) {
    crossdock_end(['error' => "wp-config.php can't be read in $root or above"]);
}
$_SERVER += ['HTTP_HOST' => 'localhost', 'REQUEST_URI' => '/', 'SERVER_NAME' => 'localhost', 'REMOTE_ADDR' => '127.0.0.1'];
$code = preg_replace('/^\s*(?:require|include)(?:_once)?\b[^;]*wp-settings\.php[^;]*;/m', '', file_get_contents($config));
$code = str_replace('__FILE__', var_export($config, true), str_replace('__DIR__', var_export(dirname($config), true), $code));
ob_start();
try {
    eval('?>' . $code);
} catch (Throwable $error) {
    ob_end_clean();
    crossdock_end(['error' => 'wp-config.php can\'t be evaluated: ' . $error->getMessage()]);
}
ob_end_clean();
require "$root/wp-includes/version.php";
$constant = static function ($name, $default = '') {
    return defined($name) ? constant($name) : $default;
};
$content = $constant('WP_CONTENT_DIR', "$root/wp-content");
$header = static function ($file, $field) {
    $head = (string) @file_get_contents($file, false, null, 0, 8192);
    return preg_match('/^[ \t\/*#@]*' . $field . ':(.*)$/mi', $head, $found) ? trim($found[1]) : '';
};
$themes = $plugins = [];
foreach (glob("$content/themes/*/style.css") ?: [] as $file) {
    $themes[basename(dirname($file))] = $header($file, 'Version');
}
foreach (array_merge(glob("$content/plugins/*.php") ?: [], glob("$content/plugins/*/*.php") ?: []) as $file) {
    if ($header($file, 'Plugin Name') !== '') {
        $plugins[substr($file, strlen("$content/plugins/"))] = $header($file, 'Version');
    }
}
$dropins = ['advanced-cache.php', 'db.php', 'db-error.php', 'install.php', 'maintenance.php', 'object-cache.php', 'php-error.php',
    'fatal-error-handler.php', 'sunrise.php', 'blog-deleted.php', 'blog-inactive.php', 'blog-suspended.php'];
crossdock_end([
    'root' => realpath($root) ?: $root, 'wp_version' => $wp_version, 'db_version' => (int) $wp_db_version, 'php_version' => PHP_VERSION,
    'table_prefix' => isset($table_prefix) ? $table_prefix : 'wp_', 'db_name' => $constant('DB_NAME'), 'db_user' => $constant('DB_USER'),
    'db_password' => $constant('DB_PASSWORD'), 'db_host' => $constant('DB_HOST', 'localhost'), 'db_charset' => $constant('DB_CHARSET', 'utf8'),
    'multisite' => (bool) $constant('MULTISITE', false), 'subdomain_install' => (bool) $constant('SUBDOMAIN_INSTALL', false),
    'domain_current_site' => (string) $constant('DOMAIN_CURRENT_SITE'), 'path_current_site' => (string) $constant('PATH_CURRENT_SITE', '/'),
    'content_dir' => $content, 'content_url' => (string) $constant('WP_CONTENT_URL'), 'uploads' => (string) $constant('UPLOADS'),
    'wp_home' => (string) $constant('WP_HOME'), 'wp_siteurl' => (string) $constant('WP_SITEURL'),
    'themes' => (object) $themes, 'plugins' => (object) $plugins,
    'mu_plugins' => array_map('basename', glob($constant('WPMU_PLUGIN_DIR', "$content/mu-plugins") . '/*.php') ?: []),
    'drop_ins' => array_values(array_filter($dropins, static function ($name) use ($content) { return is_file("$content/$name"); })),
]);
