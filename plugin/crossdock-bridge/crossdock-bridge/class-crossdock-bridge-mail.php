<?php
/**
 * No mail leaves staging, but to the sink or to who is allowed.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Stands in wp_mail three times: the recipients are replaced, then what is left is judged, and PHPMailer itself is
 * judged last, after every plugin. A plugin that replaces wp_mail, calls PHP's mail() or opens a socket of its own is
 * out of reach of any plugin: health and the scan of code tell of it.
 */
final class Crossdock_Bridge_Mail {

	/**
	 * Headers that a mail server takes recipients from: sendmail -t, which PHP's mail() calls, reads them all.
	 */
	const RECIPIENTS = '/^\s*((?:resent-)?(?:to|cc|bcc)|apparently-to)\s*:(.*)$/is';

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
	 * Fail-closed, all of them: an address that can't be read is not allowed, and without a usable configuration none
	 * is. pre_wp_mail is asked first and last, so that a plugin that sends from this filter comes too late.
	 */
	public function start() {
		add_filter( 'wp_mail', array( $this, 'replace_recipients' ), PHP_INT_MAX );
		add_filter( 'pre_wp_mail', array( $this, 'stop' ), PHP_INT_MIN, 2 );
		add_filter( 'pre_wp_mail', array( $this, 'stop' ), PHP_INT_MAX, 2 );
		add_action( 'phpmailer_init', array( $this, 'come_last' ), PHP_INT_MIN );
		add_action( 'phpmailer_init', array( $this, 'clear' ), PHP_INT_MAX );
	}

	/**
	 * Goes behind whoever hooked in at the last priority after us. Fail-closed.
	 */
	public function come_last() {
		remove_filter( 'pre_wp_mail', array( $this, 'stop' ), PHP_INT_MAX );
		add_filter( 'pre_wp_mail', array( $this, 'stop' ), PHP_INT_MAX, 2 );
		remove_action( 'phpmailer_init', array( $this, 'clear' ), PHP_INT_MAX );
		add_action( 'phpmailer_init', array( $this, 'clear' ), PHP_INT_MAX );
	}

	/**
	 * Leaves only the recipients that are allowed; where one had to go, the sink is added. Fail-closed.
	 *
	 * @param array $mail to, subject, message, headers, attachments.
	 * @return array
	 */
	public function replace_recipients( $mail ) {
		$this->come_last();
		$dropped = 0;
		$to      = $this->allowed_of( isset( $mail['to'] ) ? $mail['to'] : '', $dropped );
		$lines   = array();
		foreach ( $this->header_lines( isset( $mail['headers'] ) ? $mail['headers'] : '' ) as $line ) {
			if ( preg_match( self::RECIPIENTS, $line, $parts ) ) {
				$kept = $this->allowed_of( $parts[2], $dropped );
				$line = $kept ? $parts[1] . ': ' . implode( ', ', $kept ) : '';
			}
			if ( '' !== $line ) {
				$lines[] = $line;
			}
		}
		if ( $dropped > 0 ) {
			Crossdock_Bridge::stopped( 'mail', $dropped . ' recipients' );
			$mail['headers'] = $lines;
			$mail['to']      = $to;
			if ( '' !== $this->config->get( 'mail_sink' ) ) {
				$mail['to'][] = $this->config->get( 'mail_sink' );
			}
		}
		return $mail;
	}

	/**
	 * Ends a mail that has no recipient left, as if it had been sent. Fail-closed.
	 *
	 * @param null|bool $done What an earlier filter decided.
	 * @param array     $mail As above.
	 * @return null|bool
	 */
	public function stop( $done, $mail ) {
		$dropped = 0;
		$to      = $this->allowed_of( isset( $mail['to'] ) ? $mail['to'] : '', $dropped );
		foreach ( $this->header_lines( isset( $mail['headers'] ) ? $mail['headers'] : '' ) as $line ) {
			if ( preg_match( self::RECIPIENTS, $line, $parts ) ) {
				$this->allowed_of( $parts[2], $dropped );
			}
		}
		return $to && 0 === $dropped ? $done : true;
	}

	/**
	 * The last look, at what PHPMailer would send. Fail-closed: a recipient that came in on another way clears them
	 * all, and PHPMailer refuses to send to nobody.
	 *
	 * @param object $mailer PHPMailer.
	 */
	public function clear( $mailer ) {
		$dropped = 0;
		$this->allowed_of( array_keys( $mailer->getAllRecipientAddresses() ), $dropped );
		foreach ( $mailer->getCustomHeaders() as $header ) {
			if ( preg_match( self::RECIPIENTS, implode( ': ', (array) $header ), $parts ) ) {
				$this->allowed_of( $parts[2], $dropped );
			}
		}
		if ( $dropped > 0 ) {
			Crossdock_Bridge::stopped( 'mail', $dropped . ' recipients, added late' );
			$mailer->clearAllRecipients();
			$mailer->clearCustomHeaders();
			if ( '' !== $this->config->get( 'mail_sink' ) ) {
				$mailer->addAddress( $this->config->get( 'mail_sink' ) );
			}
		}
	}

	/**
	 * The recipients that are allowed.
	 *
	 * @param string|string[] $recipients As wp_mail takes them.
	 * @param int             $dropped    Counts those that are not.
	 * @return string[]
	 */
	private function allowed_of( $recipients, &$dropped ) {
		$kept = array();
		foreach ( is_array( $recipients ) ? $recipients : explode( ',', (string) $recipients ) as $one ) {
			$one = trim( (string) $one );
			if ( '' === $one ) {
				continue;
			}
			if ( $this->is_allowed( $one ) ) {
				$kept[] = $one;
			} else {
				++$dropped;
			}
		}
		return $kept;
	}

	/**
	 * Whether a recipient is the sink, or listed by address or by @domain.
	 *
	 * @param string $recipient An address, with or without a name.
	 * @return bool
	 */
	private function is_allowed( $recipient ) {
		$address = preg_match( '/<([^<>]*)>\s*$/D', $recipient, $parts ) ? $parts[1] : $recipient;
		$address = strtolower( trim( $address ) );
		// A list in one text, or a line break that would begin a header, is no address.
		if ( ! preg_match( '/^[^\s,;<>@"]+(@[^\s,;<>@"]+)$/D', $address, $parts ) || preg_match( '/[\r\n,;]/', $recipient ) ) {
			return false;
		}
		$allowed = array_map( 'strtolower', $this->config->get( 'mail_allow' ) );
		if ( '' !== $this->config->get( 'mail_sink' ) ) {
			$allowed[] = strtolower( $this->config->get( 'mail_sink' ) );
		}
		return in_array( $address, $allowed, true ) || in_array( $parts[1], $allowed, true );
	}

	/**
	 * Headers as lines: folded ones joined, and each fold by itself too, which wp_mail takes for a header of its own.
	 *
	 * @param string|string[] $headers As wp_mail takes them.
	 * @return string[]
	 */
	private function header_lines( $headers ) {
		$made = array();
		if ( is_array( $headers ) ) {
			foreach ( $headers as $name => $line ) {
				$made[] = is_string( $name ) ? $name . ': ' . $line : (string) $line;
			}
			$headers = implode( "\n", $made );
		}
		$headers = (string) $headers;
		$joined  = preg_split( '/\r\n|\r|\n/', (string) preg_replace( '/\r?\n[ \t]+/', ' ', $headers ) );
		preg_match_all( '/\n[ \t]+([\w-]+[ \t]*:[^\r\n]*)/', $headers, $folds );
		return array_values( array_filter( array_map( 'trim', array_merge( $joined, $folds[1] ) ), 'strlen' ) );
	}
}
