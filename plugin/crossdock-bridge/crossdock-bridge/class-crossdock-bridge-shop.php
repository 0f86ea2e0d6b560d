<?php
/**
 * No webhooks, no usage tracking, and no gateway that could take money.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Stands in WooCommerce's own decisions; without WooCommerce nobody asks.
 */
final class Crossdock_Bridge_Shop {

	const OFFLINE_GATEWAYS = array( 'bacs', 'cheque', 'cod' );

	/**
	 * Fail-closed, all of them: a webhook that was queued before the guard came is stopped at its request, and a gateway that
	 * does not say that it is in test mode is not offered.
	 */
	public function start() {
		add_filter( 'woocommerce_webhook_should_deliver', array( $this, 'stop_webhook' ), PHP_INT_MAX );
		// Its usage tracking speaks through the Requests library itself, past WordPress's functions and the guard in them.
		add_filter( 'woocommerce_apply_user_tracking', '__return_false', PHP_INT_MAX );
		add_filter( 'woocommerce_apply_tracking', '__return_false', PHP_INT_MAX );
		add_filter( 'woocommerce_available_payment_gateways', array( $this, 'without_live_gateways' ), PHP_INT_MAX );
	}

	/**
	 * Delivers no webhook. Fail-closed.
	 *
	 * @param bool $wanted Whether WooCommerce would deliver it.
	 * @return bool false.
	 */
	public function stop_webhook( $wanted ) {
		if ( $wanted ) {
			Crossdock_Bridge::stopped( 'webhook' );
		}
		return false;
	}

	/**
	 * Leaves the gateways that move no money, and those whose own test mode is on. Fail-closed.
	 *
	 * @param mixed $gateways By ID.
	 * @return array
	 */
	public function without_live_gateways( $gateways ) {
		$kept = array();
		foreach ( is_array( $gateways ) ? $gateways : array() as $id => $gateway ) {
			if ( in_array( $id, self::OFFLINE_GATEWAYS, true ) || self::is_test_mode( $gateway ) ) {
				$kept[ $id ] = $gateway;
			} else {
				Crossdock_Bridge::stopped( 'gateway', (string) $id );
			}
		}
		return $kept;
	}

	/**
	 * Whether a gateway says of itself that it is in test mode: a property or a setting of one of the usual names.
	 *
	 * @param object $gateway A WC_Payment_Gateway.
	 * @return bool
	 */
	public static function is_test_mode( $gateway ) {
		$yes      = array( 'yes', '1', 'true', 'on', 'test', 'sandbox' );
		$settings = isset( $gateway->settings ) && is_array( $gateway->settings ) ? $gateway->settings : array();
		foreach ( array( 'testmode', 'test_mode', 'sandbox', 'sandbox_mode', 'is_test_mode' ) as $name ) {
			$value = isset( $settings[ $name ] ) ? $settings[ $name ] : null;
			if ( null === $value && isset( $gateway->$name ) ) {
				$value = $gateway->$name;
			}
			if ( null !== $value ) {
				return true === $value || in_array( is_scalar( $value ) ? strtolower( (string) $value ) : '', $yes, true );
			}
		}
		return false;
	}
}
