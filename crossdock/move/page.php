<?php
/**
 * Renders one page as a visitor would be sent it (load.php with its theme, no writes): a real visit would leave transients
 * and other caches in the database, and nothing is written at a source.
 *
 * Wants {path: with its query, theme: true}.
 */
$made = ['status' => 200, 'location' => '', 'robots' => '', 'body' => ''];
if (strtok($crossdock['path'], '?') === '/robots.txt' && is_file(ABSPATH . 'robots.txt')) {
    crossdock_end(['body' => file_get_contents(ABSPATH . 'robots.txt')] + $made);
}
add_filter('status_header', static function ($line, $code) use (&$made) {
    $made['status'] = (int) $code;
    return $line;
}, PHP_INT_MAX, 2);
add_filter('wp_headers', static function ($headers) use (&$made) {
    $made['robots'] = (string) ($headers['X-Robots-Tag'] ?? '');
    return $headers;
}, PHP_INT_MAX);
add_filter('wp_redirect', static function ($location, $status) use (&$made) {
    crossdock_end(['status' => (int) $status, 'location' => (string) $location] + $made);
}, PHP_INT_MAX, 2);
$level = ob_get_level();
ob_start();
wp();
require ABSPATH . WPINC . '/template-loader.php';
while (ob_get_level() > $level + 1) {
    ob_end_flush();
}
$made['body'] = (string) ob_get_clean();
crossdock_end($made);
