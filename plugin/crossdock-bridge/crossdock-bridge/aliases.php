<?php
/**
 * Sends a store's other host names to its own, from sunrise.php.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

// Fail-open: before PHP 8 nobody can catch what require says of a missing file.
if ( is_readable( __DIR__ . '/class-crossdock-bridge-redirects.php' ) ) {
	require_once __DIR__ . '/class-crossdock-bridge-redirects.php';
	Crossdock_Bridge_Redirects::answer_alias( __DIR__ . '/redirects.php' );
}
