<?php
/**
 * What Crossdock wrote into config.php.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * The configuration, checked. There are no settings in the database: what a copy of a database brings along can't
 * switch the guard off.
 */
final class Crossdock_Bridge_Config {

	/**
	 * The environment: staging or production.
	 *
	 * @var string
	 */
	public $environment;

	/**
	 * Why config.php can't be used; '' where it can.
	 *
	 * @var string
	 */
	public $problem = '';

	/**
	 * The values, with a default for each.
	 *
	 * @var array
	 */
	private $values = array(
		'version'       => 0,
		'environment'   => '',
		'key_id'        => '',
		'key'           => '',
		'login_user'    => '',
		'login_hash'    => '',
		'mail_sink'     => '',
		'mail_allow'    => array(),
		'allowed_hosts' => array(),
		'staging_hosts' => array(),
		'files'         => array(),
	);

	/**
	 * Use read().
	 *
	 * @param string $environment As the loader says.
	 */
	private function __construct( $environment ) {
		$this->environment = $environment;
	}

	/**
	 * Reads and checks config.php. Fail-closed on staging: with a problem there is no key and no login, so that
	 * nobody may enter. Fail-open in production, where only the health endpoint is missing then.
	 *
	 * @param string $file        Path of config.php.
	 * @param string $environment As the loader says.
	 * @return self
	 */
	public static function read( $file, $environment ) {
		$config = new self( $environment );
		$values = null;
		try {
			$values = is_readable( $file ) ? include $file : null;
		} catch ( Throwable $error ) {
			$config->problem = 'it is no PHP';
		}
		if ( '' === $config->problem ) {
			$config->problem = $config->fault( $values );
		}
		if ( '' === $config->problem ) {
			$config->values = array_intersect_key( array_merge( $config->values, $values ), $config->values );
		}
		return $config;
	}

	/**
	 * Why values can't be used.
	 *
	 * @param mixed $values What config.php returned.
	 * @return string '' where they can.
	 */
	private function fault( $values ) {
		if ( ! is_array( $values ) ) {
			return null === $values ? 'it is missing' : 'it returns no array';
		}
		foreach ( $this->values as $name => $default ) {
			if ( array_key_exists( $name, $values ) && gettype( $values[ $name ] ) !== gettype( $default ) ) {
				return $name . ' is of the wrong type';
			}
		}
		$values = array_merge( $this->values, $values );
		if ( 1 !== $values['version'] ) {
			return 'it is of another version';
		}
		if ( $values['environment'] !== $this->environment ) {
			return 'it belongs to another environment';
		}
		if ( strlen( $values['key'] ) < 32 || '' === $values['key_id'] ) {
			return 'it has no key';
		}
		if ( 'production' !== $this->environment && ( '' === $values['login_user'] || strlen( $values['login_hash'] ) < 20 ) ) {
			return 'it has no login';
		}
		return '';
	}

	/**
	 * One value.
	 *
	 * @param string $name A key of config.php.
	 * @return mixed
	 */
	public function get( $name ) {
		return $this->values[ $name ];
	}

	/**
	 * Whether the guard is on. Fail-closed: it is off only where everything says production. A production that was
	 * pulled to staging by the host's own tools brings this file along, so the host's environment type and the
	 * staging's own domains count too.
	 *
	 * @return bool
	 */
	public function is_guarded() {
		if ( 'production' !== $this->environment ) {
			return true;
		}
		if ( function_exists( 'wp_get_environment_type' ) && 'production' !== wp_get_environment_type() ) {
			return true;
		}
		return in_array( Crossdock_Bridge_Request::host(), $this->values['staging_hosts'], true );
	}
}
