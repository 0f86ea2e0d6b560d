<?php
/**
 * Provokes what a staging must never let out, through WordPress itself, and prints what became of each as JSON.
 *
 * All rows are written in one transaction that is rolled back; statements that would end it are refused. Only a due cron
 * event is really scheduled (mode begin), because another process must find it, and taken away again (mode end).
 * Recipients are below .invalid, which nobody can own.
 *
 * Argument: base64 of JSON {root, host, scheme, mode: begin|provoke|end, nonce, call_url, hook_url}.
 */
error_reporting(0);
ini_set('display_errors', '0');
ini_set('memory_limit', '512M');
$crossdock = json_decode(base64_decode($argv[1]), true);
$_SERVER['HTTP_HOST'] = $_SERVER['SERVER_NAME'] = $crossdock['host'];
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
if ($crossdock['scheme'] === 'https') {
    $_SERVER['HTTPS'] = 'on';
}
define('WP_USE_THEMES', false);
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
const CROSSDOCK_EVENT = 'crossdock_bridge_probe';

/** How often the guard has stopped something of a kind so far. */
function crossdock_stopped($kind)
{
    $all = class_exists('Crossdock_Bridge', false) ? Crossdock_Bridge::$stopped : [];
    return count(array_filter($all, static function ($one) use ($kind) { return $one[0] === $kind; }));
}

/** What one provocation came to: it left when it was tried and the guard did not see it. */
function crossdock_result($kind, $tried, $left, $told)
{
    return ['kind' => $kind, 'tried' => (bool) $tried, 'left' => $tried && $left, 'told' => $told];
}

/** Whether the bridge's configuration lets mail to an address through. */
function crossdock_may_receive($address)
{
    if (!class_exists('Crossdock_Bridge', false)) {
        return false;
    }
    $allowed = array_map('strtolower', array_merge([Crossdock_Bridge::$config->get('mail_sink')], Crossdock_Bridge::$config->get('mail_allow')));
    return in_array(strtolower($address), $allowed, true) || in_array(strtolower((string) strrchr($address, '@')), $allowed, true);
}

/** Runs something and tells how many mails were begun, and how many went to somebody they may not go to. */
function crossdock_mails($kind, $act)
{
    $begun = $out = 0;
    $before = crossdock_stopped('mail');
    $count = static function ($mail) use (&$begun) {
        $begun++;
        return $mail;
    };
    $look = static function ($mailer) use (&$out) {
        $strangers = array_filter(array_keys($mailer->getAllRecipientAddresses()), static function ($one) { return !crossdock_may_receive($one); });
        $out += $strangers ? 1 : 0;
    };
    add_filter('wp_mail', $count, PHP_INT_MIN);
    add_action('phpmailer_init', $look, PHP_INT_MAX);
    $act();
    remove_filter('wp_mail', $count, PHP_INT_MIN);
    remove_action('phpmailer_init', $look, PHP_INT_MAX);
    $stopped = crossdock_stopped('mail') - $before;
    // A wp_mail that is not WordPress's own asks no filter: then nothing was begun and nothing stopped.
    $unseen = $kind === 'mail' && $begun === 0 && $stopped === 0;
    return crossdock_result($kind, $begun > 0 || $unseen, $out > 0 || $unseen || $stopped < $begun, "$begun begun, $stopped stopped, $out to strangers");
}

function crossdock_mail()
{
    return crossdock_mails('mail', static function () {
        $nonce = $GLOBALS['crossdock']['nonce'];
        wp_mail('customer@crossdock-probe.invalid', "Crossdock probe $nonce", "Probe $nonce", "Cc: cc@crossdock-probe.invalid\nBcc: bcc@crossdock-probe.invalid");
    });
}

/** An order as a shopper's, and its mails. Returns the result and the order. */
function crossdock_order()
{
    $order = null;
    $result = crossdock_mails('order-mail', static function () use (&$order) {
        WC()->mailer();
        $order = wc_create_order(['status' => 'pending']);
        $order->set_billing_email('customer@crossdock-probe.invalid');
        $order->set_billing_first_name('Crossdock');
        $order->set_payment_method('cod');
        $order->save();
        $order->update_status('processing', $GLOBALS['crossdock']['nonce']);
    });
    return [$result, $order];
}

/** A webhook that WooCommerce would deliver: once by its own way, which queues it, and once delivered by force. */
function crossdock_webhook($order)
{
    $hook = new WC_Webhook();
    $hook->set_props(['name' => 'Crossdock probe', 'user_id' => 1, 'topic' => 'order.updated', 'secret' => 'probe', 'status' => 'active', 'delivery_url' => $GLOBALS['crossdock']['hook_url']]);
    $hook->save();
    $GLOBALS['wc_queued_webhooks'] = [];
    $wished = crossdock_stopped('webhook');
    $hook->process($order->get_id());
    $queued = count((array) $GLOBALS['wc_queued_webhooks']);
    $wished = crossdock_stopped('webhook') - $wished;
    $asked = crossdock_stopped('http');
    $hook->deliver($order->get_id());
    $asked = crossdock_stopped('http') - $asked;
    return crossdock_result('webhook', true, $queued > 0 || $asked === 0, "$queued queued, $wished not queued, $asked requests stopped");
}

/** The payment gateways that are offered, and those of them that could take money. */
function crossdock_gateways()
{
    $offered = array_keys(WC()->payment_gateways()->get_available_payment_gateways());
    $all = WC()->payment_gateways()->payment_gateways();
    $live = array_filter($offered, static function ($id) use ($all) {
        $tested = isset($all[$id]) && class_exists('Crossdock_Bridge_Shop', false) && Crossdock_Bridge_Shop::is_test_mode($all[$id]);
        return !in_array($id, ['bacs', 'cheque', 'cod'], true) && !$tested;
    });
    return crossdock_result('gateway', true, (bool) $live, count($offered) . ' offered, live: ' . (implode(', ', $live) ?: 'none'));
}

/** A request as a gateway's code makes it, with WordPress's own functions. */
function crossdock_call()
{
    $before = crossdock_stopped('http');
    $answer = wp_remote_post($GLOBALS['crossdock']['call_url'], ['timeout' => 5, 'body' => ['amount' => 1, 'probe' => $GLOBALS['crossdock']['nonce']]]);
    $stopped = crossdock_stopped('http') - $before;
    $told = is_wp_error($answer) ? $answer->get_error_code() : 'answered ' . wp_remote_retrieve_response_code($answer);
    return crossdock_result('gateway-call', true, $stopped === 0, $told);
}

/** A due action of Action Scheduler, and its runner asked to run. */
function crossdock_action()
{
    $ran = false;
    add_action(CROSSDOCK_EVENT, static function () use (&$ran) {
        $ran = true;
    }, 1);
    as_enqueue_async_action(CROSSDOCK_EVENT, [], 'crossdock');
    $done = (int) ActionScheduler::runner()->run('Crossdock');
    return crossdock_result('action', true, $ran || $done > 0, "$done actions ran");
}

/** Everything that this WordPress can be provoked to, in a transaction. */
function crossdock_provoke()
{
    global $wpdb;
    $made = [crossdock_mail(), crossdock_call()];
    if (function_exists('wc_create_order')) {
        list($made[], $order) = crossdock_order();
        $made[] = crossdock_webhook($order);
        $made[] = crossdock_gateways();
    }
    if (function_exists('as_enqueue_async_action') && class_exists('ActionScheduler', false)) {
        $made[] = crossdock_action();
    }
    return $made;
}

$made = ['blog' => get_current_blog_id(), 'bridge' => class_exists('Crossdock_Bridge', false), 'woocommerce' => defined('WC_VERSION') ? WC_VERSION : ''];
if ($crossdock['mode'] === 'begin') {
    $made['existed'] = get_option('cron') !== false;
    wp_schedule_single_event(time() - 60, CROSSDOCK_EVENT, [$crossdock['nonce']]);
    $made['due'] = (bool) wp_next_scheduled(CROSSDOCK_EVENT, [$crossdock['nonce']]);
} elseif ($crossdock['mode'] === 'end') {
    // The runner answers before it works: it gets a moment.
    for ($left = 15; $left > 0 && wp_next_scheduled(CROSSDOCK_EVENT, [$crossdock['nonce']]); $left--) {
        usleep(100000);
        wp_cache_delete('alloptions', 'options');
        wp_cache_delete('cron', 'options');
    }
    $made['due'] = (bool) wp_next_scheduled(CROSSDOCK_EVENT, [$crossdock['nonce']]);
    wp_clear_scheduled_hook(CROSSDOCK_EVENT, [$crossdock['nonce']]);
    if (empty($crossdock['existed'])) {
        delete_option('cron');
    }
} else {
    $keep = static function ($sql) {
        // A statement that would commit what is only provoked is answered with nothing.
        return preg_match('/^[\s(]*(START\s+TRANSACTION|BEGIN|COMMIT|ROLLBACK|SET\s+autocommit|CREATE|ALTER|DROP|TRUNCATE|RENAME|LOCK|UNLOCK|GRANT)\b/i', (string) $sql) ? 'DO 0' : $sql;
    };
    $wpdb->query('START TRANSACTION');
    add_filter('query', $keep, PHP_INT_MAX);
    $made['provoked'] = crossdock_provoke();
    remove_filter('query', $keep, PHP_INT_MAX);
    $wpdb->query('ROLLBACK');
    if (wp_using_ext_object_cache()) {
        wp_cache_flush();
    }
}
// What plugins would do at the end of this request (queue webhooks, start runners) is part of the provocation.
remove_all_actions('shutdown');
while (ob_get_level()) {
    ob_end_clean();
}
$GLOBALS['crossdock_done'] = true;
echo "\nCROSSDOCK" . json_encode($made, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES);
exit(0);
