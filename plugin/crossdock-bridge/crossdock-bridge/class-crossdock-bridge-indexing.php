<?php
/**
 * No search engine takes staging for the shop.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Says so in a header, in robots.txt and as WordPress's own setting.
 */
final class Crossdock_Bridge_Indexing {

	/**
	 * Fail-closed: the header goes out before anything else can happen, and the setting does not depend on the row that
	 * was copied from production.
	 */
	public function start() {
		if ( 'cli' !== PHP_SAPI && ! headers_sent() ) {
			header( 'X-Robots-Tag: noindex, nofollow' );
		}
		add_filter( 'robots_txt', array( $this, 'robots_txt' ), PHP_INT_MAX );
		add_filter( 'pre_option_blog_public', array( $this, 'not_public' ), PHP_INT_MAX );
	}

	/**
	 * A robots.txt that lets nobody in. Fail-closed.
	 *
	 * @return string
	 */
	public function robots_txt() {
		return "User-agent: *\nDisallow: /\n";
	}

	/**
	 * The site is not public. Fail-closed.
	 *
	 * @return string
	 */
	public function not_public() {
		return '0';
	}
}
