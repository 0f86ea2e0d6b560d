<?php
/**
 * Finds code that can speak to the outside past every hook.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Reads the code of active plugins, must-use plugins and the theme, and names each call that no filter of WordPress can
 * stop: PHP's mail(), sockets, curl, a PHPMailer of its own, a program. It finds what is written there, not what runs:
 * a name that is put together at run time is not seen.
 */
final class Crossdock_Bridge_Scan {

	const MAIL     = array( 'mail', 'mb_send_mail', 'imap_mail', 'fsockopen', 'pfsockopen', 'stream_socket_client', 'socket_connect' );
	const HTTP     = array( 'curl_exec', 'curl_multi_exec' );
	const PROGRAM  = array( 'proc_open', 'popen', 'shell_exec', 'passthru', 'exec', 'system', 'pcntl_exec' );
	const STREAMS  = array( 'file_get_contents', 'fopen', 'copy', 'file', 'get_headers', 'readfile', 'simplexml_load_file' );
	const MAILERS  = array( 'phpmailer', 'swift_smtptransport', 'esmtptransport' );
	const MOST     = 20;
	const MAX_SIZE = 4194304;

	/**
	 * The calls, by the code they belong to.
	 *
	 * @return array[] plugin (as in plugins/name), file (relative to wp-content), line, call and kind (mail, http, program).
	 */
	public static function calls() {
		$found = array();
		foreach ( self::roots() as $name => $path ) {
			$told = array();
			foreach ( self::files( $path ) as $file ) {
				foreach ( self::calls_in( (string) @file_get_contents( $file ) ) as $call ) {
					// So many of each kind: a library full of curl must not hide the one mail() behind it.
					$told[ $call['kind'] ] = isset( $told[ $call['kind'] ] ) ? $told[ $call['kind'] ] + 1 : 1;
					if ( $told[ $call['kind'] ] <= self::MOST ) {
						$found[] = array(
							'plugin' => $name,
							'file'   => ltrim( str_replace( '\\', '/', substr( $file, strlen( WP_CONTENT_DIR ) ) ), '/' ),
						) + $call;
					}
				}
			}
		}
		return $found;
	}

	/**
	 * The code that runs on this site.
	 *
	 * @return string[] Name -> file or folder.
	 */
	private static function roots() {
		$roots   = array();
		$plugins = array_merge( (array) get_option( 'active_plugins', array() ), array_keys( (array) get_site_option( 'active_sitewide_plugins', array() ) ) );
		foreach ( $plugins as $plugin ) {
			$folder           = dirname( (string) $plugin );
			$own              = '.' === $folder ? (string) $plugin : $folder;
			$roots[ 'plugins/' . $own ] = WP_PLUGIN_DIR . '/' . $own;
		}
		foreach ( array( get_template(), get_stylesheet() ) as $theme ) {
			$roots[ 'themes/' . $theme ] = get_theme_root( $theme ) . '/' . $theme;
		}
		foreach ( (array) @scandir( WPMU_PLUGIN_DIR ) as $name ) {
			if ( '.' !== substr( (string) $name, 0, 1 ) && 0 !== strpos( (string) $name, 'crossdock-bridge' ) ) {
				$roots[ 'mu-plugins/' . $name ] = WPMU_PLUGIN_DIR . '/' . $name;
			}
		}
		return $roots;
	}

	/**
	 * The PHP files of a folder; links are not followed out of it.
	 *
	 * @param string $path A file or a folder.
	 * @return string[]
	 */
	private static function files( $path ) {
		if ( is_file( $path ) ) {
			return '.php' === substr( $path, -4 ) ? array( $path ) : array();
		}
		if ( ! is_dir( $path ) ) {
			return array();
		}
		$found = array();
		$tree  = new RecursiveIteratorIterator( new RecursiveDirectoryIterator( $path, FilesystemIterator::SKIP_DOTS ), RecursiveIteratorIterator::LEAVES_ONLY, RecursiveIteratorIterator::CATCH_GET_CHILD );
		foreach ( $tree as $file ) {
			if ( $file->isFile() && $file->getSize() < self::MAX_SIZE && preg_match( '/\.(?:php|inc)$/i', $file->getFilename() ) ) {
				$found[] = $file->getPathname();
			}
		}
		sort( $found );
		return $found;
	}

	/**
	 * The calls of one file. PHP's own tokens tell a call from a comment, a text, a method and a definition.
	 *
	 * @param string $code PHP.
	 * @return array[] line, call and kind.
	 */
	public static function calls_in( $code ) {
		$names = array_merge( self::MAIL, self::HTTP, self::PROGRAM );
		if ( ! preg_match( '/\b(?:' . implode( '|', $names ) . ')\s*\(|\bnew\b[^;]*(?:' . implode( '|', self::MAILERS ) . ')|\bextends\b|`|SoapClient|\bRequests\s*::|[\'"](?:https?|ftps?):|\berror_log\s*\(/i', $code ) ) {
			return array();
		}
		$found    = array();
		$in_shell = false;
		$tokens   = function_exists( 'token_get_all' ) ? self::plain_tokens( $code ) : array();
		foreach ( $tokens as $at => $token ) {
			$name   = strtolower( ltrim( (string) strrchr( '\\' . $token[1], '\\' ), '\\' ) );
			$before = isset( $tokens[ $at - 1 ] ) ? $tokens[ $at - 1 ][0] : 0;
			$after  = isset( $tokens[ $at + 1 ] ) ? $tokens[ $at + 1 ][1] : '';
			$kind   = '';
			if ( in_array( $before, array( T_NEW, T_EXTENDS ), true ) && in_array( $name, self::MAILERS, true ) ) {
				$kind = 'mail';
			} elseif ( 0 === $token[0] && '`' === $name && ! $in_shell ) {
				$kind = 'program';
			} elseif ( self::asks_by_itself( $tokens, $at, $name ) ) {
				$kind = 'http';
			} elseif ( 'error_log' === $name && '(' === $after && self::mails_its_error( $tokens, $at + 1 ) ) {
				$kind = 'mail';
			} elseif ( '(' === $after && ! in_array( $before, array( T_OBJECT_OPERATOR, T_DOUBLE_COLON, T_FUNCTION, T_NEW ), true ) ) {
				$kind = self::kind_of( $name );
			}
			$in_shell = 0 === $token[0] && '`' === $name ? ! $in_shell : $in_shell;
			if ( '' !== $kind && T_INLINE_HTML !== $token[0] && T_CONSTANT_ENCAPSED_STRING !== $token[0] ) {
				$found[] = array(
					'line' => $token[2],
					'call' => $name,
					'kind' => $kind,
				);
			}
		}
		return $found;
	}

	/**
	 * Whether code asks another host past WordPress's functions: SOAP, the Requests library itself, or a function for
	 * files that is given an address.
	 *
	 * @param array[] $tokens Plain tokens.
	 * @param int     $at     Where the name stands.
	 * @param string  $name   The name, lower case.
	 * @return bool
	 */
	private static function asks_by_itself( $tokens, $at, $name ) {
		$before = isset( $tokens[ $at - 1 ] ) ? $tokens[ $at - 1 ][0] : 0;
		$after  = isset( $tokens[ $at + 1 ] ) ? $tokens[ $at + 1 ][1] : '';
		$then   = isset( $tokens[ $at + 2 ] ) ? $tokens[ $at + 2 ][1] : '';
		if ( 'soapclient' === $name ) {
			return in_array( $before, array( T_NEW, T_EXTENDS ), true );
		}
		if ( 'requests' === $name ) {
			return '::' === $after && in_array( strtolower( $then ), array( 'request', 'request_multiple', 'get', 'head', 'post', 'put', 'delete', 'patch' ), true );
		}
		$is_call = '(' === $after && ! in_array( $before, array( T_OBJECT_OPERATOR, T_DOUBLE_COLON, T_FUNCTION, T_NEW ), true );
		return $is_call && in_array( $name, self::STREAMS, true ) && 1 === preg_match( '/^[\'"](?:https?|ftps?):/i', $then );
	}

	/**
	 * Whether error_log() is told to send a mail: its second argument is 1.
	 *
	 * @param array[] $tokens Plain tokens.
	 * @param int     $at     Its opening parenthesis.
	 * @return bool
	 */
	private static function mails_its_error( $tokens, $at ) {
		$depth = 0;
		for ( $count = count( $tokens ); $at < $count; $at++ ) {
			$text   = $tokens[ $at ][1];
			$depth += in_array( $text, array( '(', '[', '{' ), true ) ? 1 : ( in_array( $text, array( ')', ']', '}' ), true ) ? -1 : 0 );
			if ( 1 === $depth && ',' === $text ) {
				return isset( $tokens[ $at + 1 ] ) && '1' === $tokens[ $at + 1 ][1];
			}
			if ( 0 === $depth ) {
				return false;
			}
		}
		return false;
	}

	/**
	 * What a function can do.
	 *
	 * @param string $name Lower case.
	 * @return string mail, http, program or ''.
	 */
	private static function kind_of( $name ) {
		if ( in_array( $name, self::MAIL, true ) ) {
			return 'mail';
		}
		if ( in_array( $name, self::HTTP, true ) ) {
			return 'http';
		}
		return in_array( $name, self::PROGRAM, true ) ? 'program' : '';
	}

	/**
	 * Tokens without blanks and comments, each as kind, text and line. PHP 7 splits \mail and A\B into pieces: the last
	 * piece is the name, and a separator before it is left out.
	 *
	 * @param string $code PHP.
	 * @return array[]
	 */
	private static function plain_tokens( $code ) {
		$made = array();
		$line = 1;
		foreach ( @token_get_all( $code ) as $token ) {
			$token = is_array( $token ) ? $token : array( 0, $token, $line );
			$line  = $token[2];
			if ( in_array( $token[0], array( T_WHITESPACE, T_COMMENT, T_DOC_COMMENT, T_NS_SEPARATOR ), true ) ) {
				continue;
			}
			if ( defined( 'T_NULLSAFE_OBJECT_OPERATOR' ) && T_NULLSAFE_OBJECT_OPERATOR === $token[0] ) {
				$token[0] = T_OBJECT_OPERATOR;
			}
			$made[] = $token;
		}
		return $made;
	}
}
