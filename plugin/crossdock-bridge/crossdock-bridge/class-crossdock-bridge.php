<?php
/**
 * The bridge's beginning: reads the configuration and starts what this environment needs.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Starts each subject. The order matters: health answers before the login asks, and the login before a redirect tells
 * a stranger where things are.
 */
final class Crossdock_Bridge {

	/**
	 * The configuration of this request.
	 *
	 * @var Crossdock_Bridge_Config
	 */
	public static $config;

	/**
	 * What the guard has stopped in this request, as array( kind, note ). Never personal data.
	 *
	 * @var array[]
	 */
	public static $stopped = array();

	/**
	 * Loads the bridge's files and starts them.
	 *
	 * @param string $environment The environment that Crossdock wrote into the loader.
	 * @throws RuntimeException Where a file of the bridge is missing.
	 */
	public static function start( $environment ) {
		$subjects = array( 'config', 'request', 'attachments', 'redirects', 'login', 'mail', 'http', 'shop', 'cron', 'indexing', 'banner', 'health' );
		foreach ( $subjects as $subject ) {
			// Before PHP 8 nobody can catch what require says of a missing file: it would end every page of a shop.
			if ( ! is_readable( __DIR__ . '/class-crossdock-bridge-' . $subject . '.php' ) ) {
				throw new RuntimeException( 'its file for ' . $subject . ' is missing' );
			}
			require_once __DIR__ . '/class-crossdock-bridge-' . $subject . '.php';
		}
		self::$config = Crossdock_Bridge_Config::read( __DIR__ . '/config.php', $environment );

		$request = Crossdock_Bridge_Request::current( self::$config );
		$health  = new Crossdock_Bridge_Health( self::$config, $request, __DIR__ );
		$health->start();
		if ( self::$config->is_guarded() ) {
			( new Crossdock_Bridge_Mail( self::$config ) )->start();
			( new Crossdock_Bridge_Http( self::$config, $request ) )->start();
			( new Crossdock_Bridge_Shop() )->start();
			( new Crossdock_Bridge_Cron() )->start();
			( new Crossdock_Bridge_Indexing() )->start();
			( new Crossdock_Bridge_Banner( self::$config ) )->start();
			( new Crossdock_Bridge_Login( self::$config, $request ) )->start();
		}
		( new Crossdock_Bridge_Attachments() )->start();
		if ( ! $health->is_asked() ) {
			Crossdock_Bridge_Redirects::start( __DIR__ . '/redirects.php' );
		}
	}

	/**
	 * Remembers that something was stopped, for whoever provokes it in the same process.
	 *
	 * @param string $kind Such as mail, http, webhook.
	 * @param string $note Why or how many; no personal data.
	 */
	public static function stopped( $kind, $note = '' ) {
		self::$stopped[] = array( $kind, $note );
	}
}
