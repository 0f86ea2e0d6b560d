<?php
/**
 * No scheduled work on staging.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Stands before WordPress's cron and before Action Scheduler's runner. Events stay scheduled, so that they can be looked
 * at. A person can still run one on purpose: `wp cron event run NAME`, or "Run" in the list of scheduled actions.
 */
final class Crossdock_Bridge_Cron {

	/**
	 * Fail-closed, all of them: whoever asks for due work is told that there is none, whichever way they came.
	 */
	public function start() {
		if ( ! defined( 'DISABLE_WP_CRON' ) ) {
			define( 'DISABLE_WP_CRON', true );
		}
		$this->end_runner();
		add_filter( 'pre_get_ready_cron_jobs', array( $this, 'none_due' ), PHP_INT_MAX );
		// As many claims as are allowed are always taken: the runner then takes none, also when it is called by hand.
		add_filter( 'action_scheduler_queue_runner_concurrent_batches', '__return_zero', PHP_INT_MAX );
		add_filter( 'action_scheduler_allow_async_request_runner', '__return_false', PHP_INT_MAX );
		add_action( 'init', array( $this, 'unhook_spawn' ), PHP_INT_MIN );
		if ( defined( 'WP_CLI' ) && WP_CLI && class_exists( 'WP_CLI' ) ) {
			WP_CLI::add_hook( 'before_invoke:cron event run', array( $this, 'end_crontab' ) );
		}
	}

	/**
	 * Ends `wp cron event run --due-now` (or --all), which managed hosts have in their crontabs and which asks none of the
	 * filters above. Fail-closed.
	 */
	public function end_crontab() {
		$asked = WP_CLI::get_runner()->assoc_args;
		if ( ! empty( $asked['due-now'] ) || ! empty( $asked['all'] ) ) {
			WP_CLI::error( 'This is a staging: nothing is due here. A person can run an event by its name.' );
		}
	}

	/**
	 * Ends wp-cron.php itself, called by a crontab or by a visitor. Fail-closed. WP-CLI runs what it was told to.
	 */
	private function end_runner() {
		if ( defined( 'DOING_CRON' ) && DOING_CRON && ! defined( 'WP_CLI' ) ) {
			if ( ! headers_sent() ) {
				status_header( 200 );
				header( 'Cache-Control: no-store' );
				header( 'X-Robots-Tag: noindex, nofollow' );
			}
			exit;
		}
	}

	/**
	 * Nothing is due. Fail-closed.
	 *
	 * @return array
	 */
	public function none_due() {
		Crossdock_Bridge::stopped( 'cron' );
		return array();
	}

	/**
	 * Page views start no cron, also where wp-config.php sets DISABLE_WP_CRON to false. Fail-closed.
	 */
	public function unhook_spawn() {
		remove_action( 'init', 'wp_cron' );
	}
}
