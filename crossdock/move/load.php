<?php
/**
 * Loads WordPress as one blog of one side; what follows it asks and ends with crossdock_end(). Unless told otherwise,
 * writes nothing: every statement that could is refused before it reaches the database; mail and HTTP are cut off.
 *
 * Argument: base64 of JSON {root, host, scheme, plugins: bool, writes: bool, constants: bool} and what the script wants.
 * path, theme: of a page that is to be rendered.
 * constants: leave DISABLE_WP_CRON as wp-config.php has it (no event runs all the same).
 */
error_reporting(0);
ini_set('display_errors', '0');
ini_set('memory_limit', '512M');
$crossdock = json_decode(base64_decode($argv[1]), true);
$_SERVER['HTTP_HOST'] = $_SERVER['SERVER_NAME'] = $crossdock['host'];
$_SERVER['REQUEST_URI'] = $crossdock['path'] ?? '/';
$_SERVER['PHP_SELF'] = $_SERVER['SCRIPT_NAME'] = '/index.php';
$_SERVER['QUERY_STRING'] = (string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_QUERY);
parse_str($_SERVER['QUERY_STRING'], $_GET);
$_REQUEST = $_GET;
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
if ($crossdock['scheme'] === 'https') {
    $_SERVER['HTTPS'] = 'on';
}
if (empty($crossdock['constants'])) {
    define('DISABLE_WP_CRON', true);
}
define('WP_USE_THEMES', !empty($crossdock['theme']));
define('DONOTCACHEPAGE', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
$refuse = static function ($sql) {
    return preg_match('/^[\s(]*(SELECT|SHOW|DESCRIBE|DESC|EXPLAIN|SET)\b/i', (string) $sql) ? $sql : '';
};
$nothing = static function () {
    return ['headers' => [], 'body' => '', 'response' => ['code' => 503, 'message' => 'cut off'], 'cookies' => [], 'filename' => null];
};
$none = static function () {
    return [];
};
$yes = static function () {
    return true;
};
// The form that WordPress takes over when it loads (WP_Hook::build_preinitialized_hooks).
$GLOBALS['wp_filter'] = [
    'pre_http_request' => [PHP_INT_MAX => [['function' => $nothing, 'accepted_args' => 1]]],
    'pre_get_ready_cron_jobs' => [PHP_INT_MAX => [['function' => $none, 'accepted_args' => 1]]],
    'pre_wp_mail' => [PHP_INT_MAX => [['function' => $yes, 'accepted_args' => 1]]],
    'doing_it_wrong_trigger_error' => [1 => [['function' => static function () { return false; }, 'accepted_args' => 1]]],
];
if (empty($crossdock['writes'])) {
    $GLOBALS['wp_filter']['query'] = [PHP_INT_MAX => [['function' => $refuse, 'accepted_args' => 1]]];
}
if (empty($crossdock['plugins'])) {
    // Plugins that only one side has would make the two readings differ: WordPress alone reads both.
    foreach (['pre_option_active_plugins', 'pre_site_option_active_sitewide_plugins'] as $name) {
        $GLOBALS['wp_filter'][$name] = [PHP_INT_MAX => [['function' => $none, 'accepted_args' => 1]]];
    }
}
ob_start();
register_shutdown_function(static function () {
    $error = error_get_last();
    if (empty($GLOBALS['crossdock_done'])) {
        while (ob_get_level()) {
            ob_end_clean();
        }
        $why = $error ? $error['message'] . ' in ' . $error['file'] . ':' . $error['line'] : 'WordPress ended the request (a redirect, or no such site)';
        echo "\nCROSSDOCK" . json_encode(['error' => substr($why, 0, 500)], JSON_INVALID_UTF8_SUBSTITUTE);
    }
});
chdir($crossdock['root']);
require $crossdock['root'] . '/wp-load.php';

/** Prints the answer, alone. */
function crossdock_end($made)
{
    while (ob_get_level()) {
        ob_end_clean();
    }
    $GLOBALS['crossdock_done'] = true;
    echo "\nCROSSDOCK" . json_encode($made, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
    exit(0);
}
