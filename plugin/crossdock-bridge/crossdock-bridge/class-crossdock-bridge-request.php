<?php
/**
 * The request, and whether Crossdock signed it.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * A signature is HMAC-SHA256 over method, host, request URI, time, nonce and the body's SHA-256. It holds for 300
 * seconds either way. Within that time a nonce is good for one health request only: the nonces are kept as empty files
 * in the server's folder for temporary files (no row is ever written). Where that folder can't be written, health says
 * so, and the time alone bounds a replay. Any other signed request only spares the login, so a replay of it gains
 * nothing that its first sending has not shown.
 */
final class Crossdock_Bridge_Request {

	const WINDOW_SECONDS = 300;

	/**
	 * The configuration.
	 *
	 * @var Crossdock_Bridge_Config
	 */
	private $config;

	/**
	 * Whether the signature holds; null before it was looked at.
	 *
	 * @var bool|null
	 */
	private $signed = null;

	/**
	 * Use current().
	 *
	 * @param Crossdock_Bridge_Config $config The configuration.
	 */
	private function __construct( $config ) {
		$this->config = $config;
	}

	/**
	 * The request that PHP works on.
	 *
	 * @param Crossdock_Bridge_Config $config The configuration.
	 * @return self
	 */
	public static function current( $config ) {
		return new self( $config );
	}

	/**
	 * The host asked for: lower case, without port and final dot.
	 *
	 * @return string
	 */
	public static function host() {
		$host = isset( $_SERVER['HTTP_HOST'] ) ? strtolower( (string) $_SERVER['HTTP_HOST'] ) : '';
		return rtrim( (string) preg_replace( '/:\d+$/', '', $host ), '.' );
	}

	/**
	 * A request header.
	 *
	 * @param string $name As in HTTP_X_CROSSDOCK_NONCE.
	 * @return string
	 */
	private static function header( $name ) {
		return isset( $_SERVER[ $name ] ) && is_string( $_SERVER[ $name ] ) ? $_SERVER[ $name ] : '';
	}

	/**
	 * The nonce that the request names.
	 *
	 * @return string
	 */
	public function nonce() {
		return self::header( 'HTTP_X_CROSSDOCK_NONCE' );
	}

	/**
	 * The signature of a request.
	 *
	 * @param string $key    The secret.
	 * @param string $method GET and so on.
	 * @param string $host   Lower case, without port.
	 * @param string $uri    Path and query.
	 * @param string $time   Seconds since 1970.
	 * @param string $nonce  Hexadecimal.
	 * @param string $body   The body.
	 * @return string Hexadecimal.
	 */
	public static function signature( $key, $method, $host, $uri, $time, $nonce, $body ) {
		$parts = array( 'crossdock-bridge-1', $method, $host, $uri, $time, $nonce, hash( 'sha256', $body ) );
		return hash_hmac( 'sha256', implode( "\n", $parts ), $key );
	}

	/**
	 * Whether Crossdock signed this request with our key, now. Fail-closed: anything that is missing or odd is no.
	 *
	 * @return bool
	 */
	public function is_signed() {
		if ( null === $this->signed ) {
			$this->signed = $this->verify();
		}
		return $this->signed;
	}

	/**
	 * Looks at the signature.
	 *
	 * @return bool
	 */
	private function verify() {
		$time  = self::header( 'HTTP_X_CROSSDOCK_TIME' );
		$given = self::header( 'HTTP_X_CROSSDOCK_SIGNATURE' );
		if ( '' !== $this->config->problem || '' === $given || ! preg_match( '/^[0-9a-f]{16,64}$/D', $this->nonce() ) ) {
			return false;
		}
		if ( ! preg_match( '/^\d{1,12}$/D', $time ) || abs( time() - (int) $time ) > self::WINDOW_SECONDS ) {
			return false;
		}
		if ( ! hash_equals( $this->config->get( 'key_id' ), self::header( 'HTTP_X_CROSSDOCK_KEY' ) ) ) {
			return false;
		}
		$body   = (string) file_get_contents( 'php://input' );
		$method = self::header( 'REQUEST_METHOD' );
		$own    = self::signature( $this->config->get( 'key' ), $method, self::host(), self::header( 'REQUEST_URI' ), $time, $this->nonce(), $body );
		return hash_equals( $own, $given );
	}

	/**
	 * The signed headers of a request that this site sends to itself, so that its own login lets it in.
	 *
	 * @param string $method GET and so on.
	 * @param string $url    Absolute.
	 * @param string $body   The body.
	 * @return string[] By name.
	 */
	public function own_headers( $method, $url, $body ) {
		$path  = (string) wp_parse_url( $url, PHP_URL_PATH );
		$query = wp_parse_url( $url, PHP_URL_QUERY );
		$uri   = ( '' === $path ? '/' : $path ) . ( null === $query ? '' : '?' . $query );
		$host  = strtolower( (string) wp_parse_url( $url, PHP_URL_HOST ) );
		$time  = (string) time();
		$nonce = bin2hex( random_bytes( 16 ) );
		return array(
			'X-Crossdock-Key'       => $this->config->get( 'key_id' ),
			'X-Crossdock-Time'      => $time,
			'X-Crossdock-Nonce'     => $nonce,
			'X-Crossdock-Signature' => self::signature( $this->config->get( 'key' ), $method, $host, $uri, $time, $nonce, $body ),
		);
	}

	/**
	 * The folder that holds used nonces.
	 *
	 * @return string
	 */
	private function nonce_folder() {
		return sys_get_temp_dir() . '/crossdock-bridge-' . substr( hash( 'sha256', ABSPATH . $this->config->get( 'key' ) ), 0, 16 );
	}

	/**
	 * Uses the nonce up. Fail-closed for one that was seen before.
	 *
	 * @return string new, seen, or unkept where nothing can be kept.
	 */
	public function use_nonce() {
		$folder = $this->nonce_folder();
		if ( ! is_dir( $folder ) && ! @mkdir( $folder, 0700 ) && ! is_dir( $folder ) ) {
			return 'unkept';
		}
		foreach ( (array) @scandir( $folder ) as $name ) {
			$path = $folder . '/' . $name;
			if ( is_file( $path ) && filemtime( $path ) < time() - 2 * self::WINDOW_SECONDS - 60 ) {
				@unlink( $path );
			}
		}
		$handle = @fopen( $folder . '/' . $this->nonce(), 'x' );
		if ( false === $handle ) {
			return file_exists( $folder . '/' . $this->nonce() ) ? 'seen' : 'unkept';
		}
		fclose( $handle );
		return 'new';
	}

	/**
	 * Takes the folder of nonces away, before the bridge is removed.
	 */
	public function forget_nonces() {
		$folder = $this->nonce_folder();
		foreach ( (array) @scandir( $folder ) as $name ) {
			if ( is_file( $folder . '/' . $name ) ) {
				@unlink( $folder . '/' . $name );
			}
		}
		@rmdir( $folder );
	}
}
