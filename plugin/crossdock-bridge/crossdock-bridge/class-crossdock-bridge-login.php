<?php
/**
 * The login in front of staging.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Lets in who knows the staging's own login (HTTP Basic, then a signed cookie) and what Crossdock signed; every other
 * request that reaches PHP ends here. Files that the web server sends by itself (uploads, scripts) are not covered. No
 * row and no session is written: the cookie carries its own proof.
 */
final class Crossdock_Bridge_Login {

	const COOKIE      = 'crossdock_staging';
	const DAY_SECONDS = 86400;
	const DUMMY_HASH  = '$2y$10$PEO/m7oavdnVZ63nxwwhk.8UsI1vHeE6N2XHRFld5Uuu1ocbMl5zS';

	/**
	 * The configuration.
	 *
	 * @var Crossdock_Bridge_Config
	 */
	private $config;

	/**
	 * The request.
	 *
	 * @var Crossdock_Bridge_Request
	 */
	private $request;

	/**
	 * Remembers both.
	 *
	 * @param Crossdock_Bridge_Config  $config  The configuration.
	 * @param Crossdock_Bridge_Request $request The request.
	 */
	public function __construct( $config, $request ) {
		$this->config  = $config;
		$this->request = $request;
	}

	/**
	 * Ends the request of a stranger. Fail-closed: without a usable configuration nobody enters. The command line is
	 * let through: who has it has the files too.
	 */
	public function start() {
		if ( 'cli' === PHP_SAPI ) {
			return;
		}
		$this->keep_out_of_caches();
		if ( '' !== $this->config->problem || '' === $this->config->get( 'login_hash' ) ) {
			$why = '' !== $this->config->problem ? $this->config->problem : 'it has no login';
			$this->refuse( 503, "This staging is closed: config.php of its bridge can't be used: $why.\nWay out: crossdock bridge install\n" );
		}
		list( $user, $password ) = $this->basic();
		if ( $this->request->is_signed() || $this->has_cookie() ) {
			// The browser goes on sending the staging's login, which WordPress would take for one of its own.
			if ( '' !== $user && $this->equal( $this->config->get( 'login_user' ), $user ) ) {
				$this->hide_login();
			}
			return;
		}
		if ( $this->knows( $user, $password ) ) {
			$this->hide_login();
			$this->set_cookie();
			return;
		}
		header( 'WWW-Authenticate: Basic realm="Staging", charset="UTF-8"' );
		$this->refuse( 401, "This is a staging of a shop. It asks for a login.\n" );
	}

	/**
	 * What one visitor with the login sees, no cache may show to the next. Fail-closed: said in every language that
	 * caches listen to, before any page is made.
	 */
	private function keep_out_of_caches() {
		if ( ! defined( 'DONOTCACHEPAGE' ) ) {
			define( 'DONOTCACHEPAGE', true );
		}
		header( 'Cache-Control: no-store, private, max-age=0' );
		header( 'X-Accel-Expires: 0' );
		header( 'Vary: Authorization, Cookie', false );
	}

	/**
	 * User name and password of HTTP Basic.
	 *
	 * @return string[] Two texts, empty where there are none.
	 */
	private function basic() {
		if ( isset( $_SERVER['PHP_AUTH_USER'], $_SERVER['PHP_AUTH_PW'] ) ) {
			return array( (string) $_SERVER['PHP_AUTH_USER'], (string) $_SERVER['PHP_AUTH_PW'] );
		}
		foreach ( array( 'HTTP_AUTHORIZATION', 'REDIRECT_HTTP_AUTHORIZATION' ) as $name ) {
			if ( isset( $_SERVER[ $name ] ) && preg_match( '/^Basic\s+([A-Za-z0-9+\/=]+)$/iD', (string) $_SERVER[ $name ], $found ) ) {
				$parts = explode( ':', (string) base64_decode( $found[1] ), 2 );
				return array( $parts[0], isset( $parts[1] ) ? $parts[1] : '' );
			}
		}
		return array( '', '' );
	}

	/**
	 * Whether a login is the staging's. Takes as long for a wrong name as for a wrong password.
	 *
	 * @param string $user     The name.
	 * @param string $password The password.
	 * @return bool
	 */
	private function knows( $user, $password ) {
		if ( '' === $user && '' === $password ) {
			return false;
		}
		$is_user = $this->equal( $this->config->get( 'login_user' ), $user );
		$fits    = password_verify( $password, $is_user ? $this->config->get( 'login_hash' ) : self::DUMMY_HASH );
		return $is_user && $fits;
	}

	/**
	 * Compares in constant time, also texts of different length.
	 *
	 * @param string $one   A text.
	 * @param string $other Another.
	 * @return bool
	 */
	private function equal( $one, $other ) {
		return hash_equals( hash( 'sha256', $one ), hash( 'sha256', $other ) );
	}

	/**
	 * The cookie's proof. A new key or a new login ends every cookie.
	 *
	 * @param string $until Seconds since 1970.
	 * @return string
	 */
	private function proof( $until ) {
		$parts = array( 'crossdock-staging-1', Crossdock_Bridge_Request::host(), $until, $this->config->get( 'login_user' ), $this->config->get( 'login_hash' ) );
		return hash_hmac( 'sha256', implode( "\n", $parts ), $this->config->get( 'key' ) );
	}

	/**
	 * Whether the request carries our cookie, unexpired.
	 *
	 * @return bool
	 */
	private function has_cookie() {
		$given = isset( $_COOKIE[ self::COOKIE ] ) && is_string( $_COOKIE[ self::COOKIE ] ) ? $_COOKIE[ self::COOKIE ] : '';
		if ( ! preg_match( '/^(\d{1,12})\.([0-9a-f]{64})$/D', $given, $parts ) || (int) $parts[1] < time() ) {
			return false;
		}
		return hash_equals( $this->proof( $parts[1] ), $parts[2] );
	}

	/**
	 * Gives the cookie, so that requests which need the Authorization header for themselves pass too.
	 */
	private function set_cookie() {
		$until = time() + self::DAY_SECONDS;
		setcookie(
			self::COOKIE,
			$until . '.' . $this->proof( (string) $until ),
			array(
				'expires'  => $until,
				'path'     => '/',
				'secure'   => is_ssl(),
				'httponly' => true,
				'samesite' => 'Lax',
			)
		);
	}

	/**
	 * Hides the staging's login from WordPress, which would try it as an application password.
	 */
	private function hide_login() {
		unset( $_SERVER['PHP_AUTH_USER'], $_SERVER['PHP_AUTH_PW'], $_SERVER['HTTP_AUTHORIZATION'], $_SERVER['REDIRECT_HTTP_AUTHORIZATION'] );
	}

	/**
	 * Ends the request.
	 *
	 * @param int    $status 401 or 503.
	 * @param string $text   What to tell.
	 */
	private function refuse( $status, $text ) {
		status_header( $status );
		header( 'Content-Type: text/plain; charset=utf-8' );
		header( 'X-Robots-Tag: noindex, nofollow' );
		echo $text;
		exit;
	}
}
