<?php
/**
 * The signed account of what runs here.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Answers /?crossdock-health=NONCE to who can sign, and 404 to everybody else. It tells versions, switches, names of
 * plugins and counts: no personal data and no secret. The answer is signed over its body and the request's nonce, so
 * that neither a cache nor somebody on the way can pass another off as it.
 */
final class Crossdock_Bridge_Health {

	const ASKED = 'crossdock-health';

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
	 * The bridge's own folder.
	 *
	 * @var string
	 */
	private $folder;

	/**
	 * What became of the nonce: new or unkept.
	 *
	 * @var string
	 */
	private $nonce = '';

	/**
	 * Remembers all three.
	 *
	 * @param Crossdock_Bridge_Config  $config  The configuration.
	 * @param Crossdock_Bridge_Request $request The request.
	 * @param string                   $folder  The bridge's own folder.
	 */
	public function __construct( $config, $request, $folder ) {
		$this->config  = $config;
		$this->request = $request;
		$this->folder  = $folder;
	}

	/**
	 * Whether health is what this request asks for.
	 *
	 * @return bool
	 */
	public function is_asked() {
		return 'cli' !== PHP_SAPI && isset( $_GET[ self::ASKED ] );
	}

	/**
	 * Fail-closed: what is not signed, or was asked before, gets the 404 of a page that is not there. The answer itself
	 * waits until plugins are loaded, because it tells of them; ahead of everything that answers requests.
	 */
	public function start() {
		if ( ! $this->is_asked() ) {
			return;
		}
		header( 'Cache-Control: no-store, private, max-age=0' );
		header( 'X-Accel-Expires: 0' );
		$signed = $this->request->is_signed() && $_GET[ self::ASKED ] === $this->request->nonce();
		if ( $signed && isset( $_GET['forget'] ) ) {
			$this->request->forget_nonces();
			$this->answer( array( 'forgotten' => true ) );
		}
		if ( $signed ) {
			$this->nonce = $this->request->use_nonce();
		}
		if ( ! $signed || 'seen' === $this->nonce ) {
			status_header( 404 );
			header( 'Content-Type: text/plain; charset=utf-8' );
			echo "Not Found\n";
			exit;
		}
		$this->refresh_code();
		add_action( 'wp_loaded', array( $this, 'tell' ), PHP_INT_MIN );
	}

	/**
	 * Answers with everything. Fail-closed: what can't be found out is told as null, never as fine.
	 */
	public function tell() {
		global $wp_version, $wp_db_version;
		$this->answer(
			array(
				'bridge'    => $this->bridge(),
				'versions'  => array(
					'php'         => PHP_VERSION,
					'wordpress'   => $wp_version,
					'database'    => (int) $wp_db_version,
					'woocommerce' => defined( 'WC_VERSION' ) ? WC_VERSION : '',
				),
				'blog'      => array(
					'id'          => get_current_blog_id(),
					'home'        => (string) get_option( 'home' ),
					'siteurl'     => (string) get_option( 'siteurl' ),
					'blog_public' => (string) $this->stored( 'blog_public' ),
					'public'      => (string) get_option( 'blog_public' ),
				),
				'guard'     => $this->guard(),
				'mail'      => $this->mail(),
				'cron'      => $this->cron(),
				'active'    => $this->active(),
				'redirects' => $this->redirects(),
				'unguarded' => isset( $_GET['scan'] ) ? $this->scan() : null,
			)
		);
	}

	/**
	 * Signs and sends the answer.
	 *
	 * @param array $facts The answer.
	 */
	private function answer( $facts ) {
		$facts['time'] = time();
		$body          = (string) json_encode( $facts, JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE );
		$message       = "crossdock-bridge-answer-1\n" . $this->request->nonce() . "\n" . hash( 'sha256', $body );
		while ( ob_get_level() ) {
			ob_end_clean();
		}
		status_header( 200 );
		header( 'Content-Type: application/json' );
		header( 'X-Robots-Tag: noindex, nofollow' );
		header( 'X-Crossdock-Signature: ' . hash_hmac( 'sha256', $message, $this->config->get( 'key' ) ) );
		echo $body;
		exit;
	}

	/**
	 * Hosts that never look whether a file has changed run what they compiled first: the next request reads ours anew.
	 */
	private function refresh_code() {
		if ( ! function_exists( 'opcache_invalidate' ) ) {
			return;
		}
		foreach ( array_keys( $this->own_files() ) as $name ) {
			@opcache_invalidate( dirname( $this->folder ) . '/' . $name, true );
		}
	}

	/**
	 * The digests of the bridge's files as they lie there.
	 *
	 * @return string[] Name (relative to mu-plugins) -> SHA-256.
	 */
	private function own_files() {
		$found = array();
		$names = array( 'crossdock-bridge.php' );
		foreach ( (array) @scandir( $this->folder ) as $name ) {
			if ( is_file( $this->folder . '/' . $name ) ) {
				$names[] = 'crossdock-bridge/' . $name;
			}
		}
		foreach ( $names as $name ) {
			$path           = dirname( $this->folder ) . '/' . $name;
			$found[ $name ] = is_readable( $path ) ? (string) hash_file( 'sha256', $path ) : '';
		}
		return $found;
	}

	/**
	 * The bridge itself: a file that was altered by hand is named.
	 *
	 * @return array
	 */
	private function bridge() {
		$here     = $this->own_files();
		$expected = $this->config->get( 'files' );
		$altered  = array();
		foreach ( $expected as $name => $digest ) {
			if ( isset( $here[ $name ] ) && ! hash_equals( (string) $digest, $here[ $name ] ) ) {
				$altered[] = $name;
			}
		}
		$own = array( 'crossdock-bridge/config.php', 'crossdock-bridge/redirects.php' );
		return array(
			'version'     => CROSSDOCK_BRIDGE_VERSION,
			'environment' => $this->config->environment,
			'type'        => function_exists( 'wp_get_environment_type' ) ? wp_get_environment_type() : '',
			'digest'      => hash( 'sha256', (string) json_encode( $here ) ),
			'config'      => isset( $here['crossdock-bridge/config.php'] ) ? $here['crossdock-bridge/config.php'] : '',
			'altered'     => $altered,
			'missing'     => array_values( array_diff( array_keys( $expected ), array_keys( $here ) ) ),
			'unknown'     => array_values( array_diff( array_keys( $here ), array_keys( $expected ), $own ) ),
			'sunrise'     => defined( 'SUNRISE' ) && is_readable( WP_CONTENT_DIR . '/sunrise.php' ) ? (string) hash_file( 'sha256', WP_CONTENT_DIR . '/sunrise.php' ) : '',
			'nonces'      => $this->nonce,
		);
	}

	/**
	 * An option as its row holds it, past every filter.
	 *
	 * @param string $name The option.
	 * @return string|null
	 */
	private function stored( $name ) {
		global $wpdb;
		return $wpdb->get_var( $wpdb->prepare( "SELECT option_value FROM $wpdb->options WHERE option_name = %s", $name ) );
	}

	/**
	 * Each switch of the guard, as WordPress itself has it hooked: not as we meant it.
	 *
	 * @return array
	 */
	private function guard() {
		$hooked = array(
			'mail'     => array( 'pre_wp_mail', 'Crossdock_Bridge_Mail' ),
			'http'     => array( 'pre_http_request', 'Crossdock_Bridge_Http' ),
			'webhooks' => array( 'woocommerce_webhook_should_deliver', 'Crossdock_Bridge_Shop' ),
			'gateways' => array( 'woocommerce_available_payment_gateways', 'Crossdock_Bridge_Shop' ),
			'cron'     => array( 'pre_get_ready_cron_jobs', 'Crossdock_Bridge_Cron' ),
			'indexing' => array( 'pre_option_blog_public', 'Crossdock_Bridge_Indexing' ),
			'banner'   => array( 'wp_footer', 'Crossdock_Bridge_Banner' ),
		);
		$made   = array( 'on' => $this->config->is_guarded() );
		foreach ( $hooked as $switch => $where ) {
			$made[ $switch ] = $this->is_hooked( $where[0], $where[1] );
		}
		$made['login'] = $made['on'] && class_exists( 'Crossdock_Bridge_Login', false ) && '' !== $this->config->get( 'login_hash' );
		return $made;
	}

	/**
	 * Whether a method of a class is the last to speak on a hook. Mail and HTTP go behind latecomers by themselves, when
	 * they are first asked: there it is enough to be among the last.
	 *
	 * @param string $hook  The hook.
	 * @param string $owner The class.
	 * @return bool
	 */
	private function is_hooked( $hook, $owner ) {
		global $wp_filter;
		if ( empty( $wp_filter[ $hook ]->callbacks[ PHP_INT_MAX ] ) ) {
			return false;
		}
		$ours = array();
		foreach ( $wp_filter[ $hook ]->callbacks[ PHP_INT_MAX ] as $one ) {
			$ours[] = is_array( $one['function'] ) && is_object( $one['function'][0] ) && get_class( $one['function'][0] ) === $owner;
		}
		return method_exists( $owner, 'come_last' ) || method_exists( $owner, 'stop_first' ) ? in_array( true, $ours, true ) : end( $ours );
	}

	/**
	 * Who sends mail, and by which way. `replaced_by` names a plugin's own wp_mail, which our filters may not reach.
	 *
	 * @return array
	 */
	private function mail() {
		$file = '';
		try {
			$file = (string) ( new ReflectionFunction( 'wp_mail' ) )->getFileName();
		} catch ( ReflectionException $error ) {
			$file = 'nowhere';
		}
		$own = wp_normalize_path( ABSPATH . WPINC . '/pluggable.php' ) === wp_normalize_path( $file );
		return array(
			'guarded'     => $this->is_hooked( 'pre_wp_mail', 'Crossdock_Bridge_Mail' ),
			'sink'        => '' !== $this->config->get( 'mail_sink' ),
			'allowed'     => count( $this->config->get( 'mail_allow' ) ),
			'replaced_by' => $own ? '' : str_replace( wp_normalize_path( ABSPATH ), '', wp_normalize_path( $file ) ),
			'sendmail'    => '' !== (string) ini_get( 'sendmail_path' ),
		);
	}

	/**
	 * What is scheduled and who would run it.
	 *
	 * @return array
	 */
	private function cron() {
		$events  = 0;
		$overdue = 0;
		$next    = 0;
		foreach ( (array) _get_cron_array() as $time => $hooks ) {
			foreach ( (array) $hooks as $some ) {
				$events  += count( (array) $some );
				$overdue += $time < time() - 60 ? count( (array) $some ) : 0;
			}
			$next = 0 === $next ? (int) $time : min( $next, (int) $time );
		}
		$blocked = $this->is_hooked( 'pre_get_ready_cron_jobs', 'Crossdock_Bridge_Cron' );
		$outside = defined( 'DISABLE_WP_CRON' ) && DISABLE_WP_CRON;
		return array(
			'runner'           => $blocked ? 'blocked' : ( $outside ? 'outside' : 'visitors' ),
			'disabled'         => $outside,
			'events'           => $events,
			'overdue'          => $overdue,
			'next'             => $next,
			'held'             => null !== $this->stored( 'crossdock_held_cron' ),
			'action_scheduler' => class_exists( 'ActionScheduler', false ),
			'batches'          => (int) apply_filters( 'action_scheduler_queue_runner_concurrent_batches', 1 ),
		);
	}

	/**
	 * What is active.
	 *
	 * @return array
	 */
	private function active() {
		$must_use = function_exists( 'wp_get_mu_plugins' ) ? array_map( 'basename', wp_get_mu_plugins() ) : array();
		return array(
			'plugins'         => array_values( (array) get_option( 'active_plugins', array() ) ),
			'network_plugins' => array_keys( (array) get_site_option( 'active_sitewide_plugins', array() ) ),
			'mu_plugins'      => array_values( $must_use ),
			'theme'           => (string) get_stylesheet(),
			'template'        => (string) get_template(),
		);
	}

	/**
	 * The table of redirects, counted.
	 *
	 * @return array
	 */
	private function redirects() {
		$file   = $this->folder . '/redirects.php';
		$table  = Crossdock_Bridge_Redirects::table( $file );
		$broken = 0;
		foreach ( $table['patterns'] as $rules ) {
			foreach ( is_array( $rules ) ? $rules : array() as $rule ) {
				$broken += is_array( $rule ) && isset( $rule[0] ) && is_string( $rule[0] ) && false !== @preg_match( $rule[0], '' ) ? 0 : 1;
			}
		}
		return array(
			'present'  => is_file( $file ),
			'valid'    => isset( $table['version'] ),
			'digest'   => isset( $table['digest'] ) && is_string( $table['digest'] ) ? $table['digest'] : '',
			'file'     => is_readable( $file ) ? (string) hash_file( 'sha256', $file ) : '',
			'exact'    => array_sum( array_map( 'count', array_filter( $table['exact'], 'is_array' ) ) ),
			'patterns' => array_sum( array_map( 'count', array_filter( $table['patterns'], 'is_array' ) ) ),
			'hosts'    => count( $table['hosts'] ),
			'broken'   => $broken,
			'sample'   => $this->sample( $table ),
		);
	}

	/**
	 * A few of this host's own redirects, for who wants to see that they answer.
	 *
	 * @param array $table The table.
	 * @return array[] uri, status and target.
	 */
	private function sample( $table ) {
		$host  = Crossdock_Bridge_Request::host();
		$rules = isset( $table['exact'][ $host ] ) && is_array( $table['exact'][ $host ] ) ? $table['exact'][ $host ] : array();
		$made  = array();
		foreach ( array_keys( array_slice( $rules, 0, 50, true ) ) as $uri ) {
			$found = Crossdock_Bridge_Redirects::find( $table, $host, (string) $uri );
			if ( null !== $found && 0 === $found['post'] && count( $made ) < 3 ) {
				$made[] = array( (string) $uri, $found['status'], $found['target'] );
			}
		}
		return $made;
	}

	/**
	 * Code that no hook reaches.
	 *
	 * @return array[]
	 */
	private function scan() {
		require_once __DIR__ . '/class-crossdock-bridge-scan.php';
		return Crossdock_Bridge_Scan::calls();
	}
}
