<?php
/**
 * The pages that attachments have of their own.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Since 6.4 WordPress leads from an attachment's page to its file, except in stores that are older: there its own
 * upgrade of the database keeps the pages. Between the copy and that upgrade they would be gone, and old addresses of
 * them two hops away.
 */
final class Crossdock_Bridge_Attachments {

	/**
	 * The database version of upgrade_640(), which writes the option.
	 */
	const KEPT_SINCE = 56657;

	/**
	 * Fail-open: without it the pages lead to their files until the upgrade.
	 */
	public function start() {
		add_filter( 'default_option_wp_attachment_pages_enabled', array( $this, 'until_the_upgrade' ) );
	}

	/**
	 * What the upgrade will write, where it has not run yet. Fail-open.
	 *
	 * @param mixed $value What is taken where the blog has no such option.
	 * @return mixed
	 */
	public function until_the_upgrade( $value ) {
		return (int) get_option( 'db_version' ) < self::KEPT_SINCE ? '1' : $value;
	}

	/**
	 * Where a post is shown: an attachment without a page of its own is its file.
	 *
	 * @param WP_Post $post Any post.
	 * @return string
	 */
	public static function address( $post ) {
		if ( 'attachment' === $post->post_type && ! get_option( 'wp_attachment_pages_enabled' ) ) {
			return (string) wp_get_attachment_url( $post->ID );
		}
		return (string) get_permalink( $post );
	}
}
