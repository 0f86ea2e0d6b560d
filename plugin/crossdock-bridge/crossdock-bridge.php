<?php
/**
 * Plugin Name: Crossdock Bridge
 * Description: Redirects of the moved stores, the guard of staging, and a signed account of both. Written by Crossdock: crossdock bridge install.
 * Version: 0.1.0
 * Requires at least: 6.1
 * Requires PHP: 7.4
 * License: GPL-2.0-or-later
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

const CROSSDOCK_BRIDGE_VERSION = '0.1.0';

// Crossdock writes the environment's name here. It must not depend on config.php: a staging whose configuration is
// lost stays closed, and a production whose configuration is lost stays open.
const CROSSDOCK_BRIDGE_ENVIRONMENT = 'staging';

try {
	if ( ! is_readable( __DIR__ . '/crossdock-bridge/class-crossdock-bridge.php' ) ) {
		throw new RuntimeException( 'its folder is missing' );
	}
	require_once __DIR__ . '/crossdock-bridge/class-crossdock-bridge.php';
	Crossdock_Bridge::start( CROSSDOCK_BRIDGE_ENVIRONMENT );
} catch ( Throwable $crossdock_bridge_error ) {
	error_log( 'crossdock-bridge: ' . $crossdock_bridge_error->getMessage() );
	if ( 'production' !== CROSSDOCK_BRIDGE_ENVIRONMENT ) {
		// Fail-closed: whatever is broken here, nothing leaves staging and nobody comes in.
		define( 'CROSSDOCK_BRIDGE_BROKEN', true );
		add_filter( 'pre_wp_mail', '__return_true', PHP_INT_MAX );
		add_filter( 'pre_get_ready_cron_jobs', '__return_empty_array', PHP_INT_MAX );
		add_filter( 'action_scheduler_queue_runner_concurrent_batches', '__return_zero', PHP_INT_MAX );
		add_filter(
			'pre_http_request',
			static function () {
				return new WP_Error( 'crossdock_bridge_broken', 'The bridge of this staging is broken: no request leaves it.' );
			},
			PHP_INT_MAX
		);
		if ( 'cli' !== PHP_SAPI ) {
			status_header( 503 );
			header( 'Content-Type: text/plain; charset=utf-8' );
			header( 'Cache-Control: no-store' );
			header( 'X-Robots-Tag: noindex, nofollow' );
			echo "This staging is closed: its bridge is broken. Way out: crossdock bridge install staging\n";
			exit;
		}
	}
}
