<?php
/**
 * Written by Crossdock (crossdock bridge install); crossdock bridge remove takes it away again.
 *
 * WordPress looks a host up before any must-use plugin is loaded, so that a store's other names (with or without www)
 * must be sent on from here. Fail-open: whatever goes wrong, WordPress answers as it would without this file.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * @package Crossdock_Bridge
 */

if ( defined( 'ABSPATH' ) && is_readable( WP_CONTENT_DIR . '/mu-plugins/crossdock-bridge/aliases.php' ) ) {
	try {
		require WP_CONTENT_DIR . '/mu-plugins/crossdock-bridge/aliases.php';
	} catch ( Throwable $crossdock_bridge_error ) {
		error_log( 'crossdock-bridge: ' . $crossdock_bridge_error->getMessage() );
	}
}
