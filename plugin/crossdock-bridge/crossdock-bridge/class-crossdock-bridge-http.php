<?php
/**
 * No request leaves staging, but to hosts that are allowed.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Stands in WordPress's HTTP functions, which WooCommerce's webhooks, gateways and updates use. Code that speaks curl or
 * opens sockets by itself is out of reach of any plugin: the scan of code tells of it.
 */
final class Crossdock_Bridge_Http {

	/**
	 * The configuration.
	 *
	 * @var Crossdock_Bridge_Config
	 */
	private $config;

	/**
	 * The request, whose key signs what the site sends to itself.
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
	 * Fail-closed, asked first and last: a host that can't be read is not allowed. WordPress's own constants say the
	 * same again, for who removes our filters.
	 */
	public function start() {
		add_filter( 'pre_http_request', array( $this, 'stop_first' ), PHP_INT_MIN, 3 );
		add_filter( 'pre_http_request', array( $this, 'stop' ), PHP_INT_MAX, 3 );
		add_filter( 'http_request_args', array( $this, 'sign' ), PHP_INT_MAX, 2 );
		add_action( 'requests-requests.before_redirect', array( $this, 'stop_redirect' ), PHP_INT_MIN );
		if ( ! defined( 'WP_HTTP_BLOCK_EXTERNAL' ) ) {
			define( 'WP_HTTP_BLOCK_EXTERNAL', true );
		}
		if ( ! defined( 'WP_ACCESSIBLE_HOSTS' ) ) {
			define( 'WP_ACCESSIBLE_HOSTS', implode( ',', $this->config->get( 'allowed_hosts' ) ) );
		}
	}

	/**
	 * As stop(), and goes behind whoever hooked in at the last priority after us. Fail-closed.
	 *
	 * @param false|array|WP_Error $answer What nobody has answered yet.
	 * @param array                $args   The request.
	 * @param string               $url    Its address.
	 * @return false|array|WP_Error
	 */
	public function stop_first( $answer, $args, $url ) {
		remove_filter( 'pre_http_request', array( $this, 'stop' ), PHP_INT_MAX );
		add_filter( 'pre_http_request', array( $this, 'stop' ), PHP_INT_MAX, 3 );
		return $this->stop( $answer, $args, $url );
	}

	/**
	 * Answers instead of a host that is not allowed. Fail-closed.
	 *
	 * @param false|array|WP_Error $answer What an earlier filter answered.
	 * @param array                $args   The request.
	 * @param string               $url    Its address.
	 * @return false|array|WP_Error
	 */
	public function stop( $answer, $args, $url ) {
		if ( $this->is_allowed( (string) $url ) ) {
			return $answer;
		}
		if ( ! is_wp_error( $answer ) || 'crossdock_bridge' !== $answer->get_error_code() ) {
			Crossdock_Bridge::stopped( 'http', (string) wp_parse_url( (string) $url, PHP_URL_HOST ) );
		}
		return new WP_Error( 'crossdock_bridge', 'This is a staging: no request leaves it.' );
	}

	/**
	 * Ends a request that a host which is allowed sends on to one that is not: no filter is asked about the second.
	 * Fail-closed.
	 *
	 * @param string $url Where it would go, absolute.
	 * @throws Exception Which WordPress takes for a request that failed: WpOrg\Requests\Exception, before 6.2
	 *                   Requests_Exception.
	 */
	public function stop_redirect( $url ) {
		if ( ! $this->is_allowed( (string) $url ) ) {
			Crossdock_Bridge::stopped( 'http', (string) wp_parse_url( (string) $url, PHP_URL_HOST ) );
			$kind = class_exists( 'WpOrg\Requests\Exception' ) ? 'WpOrg\Requests\Exception' : 'Requests_Exception';
			throw new $kind( 'This is a staging: no request leaves it.', 'crossdock_bridge' );
		}
	}

	/**
	 * Signs what the site asks of itself (REST and site health look at it), or its own login would refuse it. Fail-open:
	 * an unsigned request meets the login.
	 *
	 * @param array  $args The request.
	 * @param string $url  Its address.
	 * @return array
	 */
	public function sign( $args, $url ) {
		$body = isset( $args['body'] ) ? $args['body'] : '';
		if ( '' === $this->config->problem && $this->is_own( (string) $url ) && ! is_array( $body ) ) {
			$method          = isset( $args['method'] ) ? strtoupper( $args['method'] ) : 'GET';
			$headers         = isset( $args['headers'] ) && is_array( $args['headers'] ) ? $args['headers'] : array();
			$args['headers'] = array_merge( $headers, $this->request->own_headers( $method, (string) $url, (string) $body ) );
		}
		return $args;
	}

	/**
	 * Whether a request may leave.
	 *
	 * @param string $url Its address.
	 * @return bool
	 */
	private function is_allowed( $url ) {
		$host = strtolower( (string) wp_parse_url( $url, PHP_URL_HOST ) );
		if ( '' === $host ) {
			return false;
		}
		if ( $this->is_own( $url ) ) {
			return false === strpos( $url, 'wp-cron.php' );
		}
		foreach ( $this->config->get( 'allowed_hosts' ) as $one ) {
			$one = strtolower( (string) $one );
			if ( $host === $one || ( 0 === strpos( $one, '*.' ) && substr( $host, -strlen( $one ) + 1 ) === substr( $one, 1 ) ) ) {
				return true;
			}
		}
		return false;
	}

	/**
	 * Whether an address is this site's.
	 *
	 * @param string $url An address.
	 * @return bool
	 */
	private function is_own( $url ) {
		$host = strtolower( (string) wp_parse_url( $url, PHP_URL_HOST ) );
		return '' !== $host && strtolower( (string) wp_parse_url( home_url(), PHP_URL_HOST ) ) === $host;
	}
}
