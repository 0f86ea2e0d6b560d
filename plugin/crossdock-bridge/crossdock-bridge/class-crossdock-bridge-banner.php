<?php
/**
 * Nobody takes staging for production.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * A line at the foot of each page, in the admin and above WordPress's login.
 */
final class Crossdock_Bridge_Banner {

	/**
	 * The configuration.
	 *
	 * @var Crossdock_Bridge_Config
	 */
	private $config;

	/**
	 * Remembers the configuration.
	 *
	 * @param Crossdock_Bridge_Config $config The configuration.
	 */
	public function __construct( $config ) {
		$this->config = $config;
	}

	/**
	 * Fail-open: a theme that calls none of these shows no banner, and nothing depends on it.
	 */
	public function start() {
		add_action( 'wp_footer', array( $this, 'print_on_page' ), PHP_INT_MAX );
		add_action( 'admin_notices', array( $this, 'print_in_admin' ), PHP_INT_MIN );
		add_action( 'network_admin_notices', array( $this, 'print_in_admin' ), PHP_INT_MIN );
		add_filter( 'login_message', array( $this, 'above_login' ) );
	}

	/**
	 * What the banner says.
	 *
	 * @return string Plain text.
	 */
	private function text() {
		$mail = '' !== $this->config->get( 'mail_sink' ) ? 'mail goes to the sink' : 'no mail leaves';
		return "STAGING: orders here are not real; $mail, no webhook and no payment leaves, scheduled work rests.";
	}

	/**
	 * At the foot of the window. Fail-open.
	 */
	public function print_on_page() {
		echo '<div id="crossdock-staging" role="note" style="position:fixed;z-index:99999;left:0;right:0;bottom:0;padding:6px 12px;' .
			'background:#7a1f1f;color:#fff;font:14px/1.4 sans-serif;text-align:center;pointer-events:none">' . esc_html( $this->text() ) . '</div>';
	}

	/**
	 * Above the admin's pages. Fail-open.
	 */
	public function print_in_admin() {
		echo '<div class="notice notice-error"><p><strong>' . esc_html( $this->text() ) . '</strong></p></div>';
	}

	/**
	 * Above WordPress's login. Fail-open.
	 *
	 * @param string $message What stands there.
	 * @return string
	 */
	public function above_login( $message ) {
		return '<p class="message">' . esc_html( $this->text() ) . '</p>' . $message;
	}
}
