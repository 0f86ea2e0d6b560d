<?php
/**
 * The addresses that moved, and those that are gone.
 *
 * @package Crossdock_Bridge
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Answers by the table in redirects.php. Fail-open everywhere: a table that is missing, broken or odd is as none, so
 * that it can never take a shop down.
 */
final class Crossdock_Bridge_Redirects {

	const MOVES = array( 301, 302, 303, 307, 308 );
	const KEPT  = 200;

	/**
	 * Answers what needs no plugin at once, and the rest when WordPress knows its post types.
	 *
	 * @param string $file Path of redirects.php.
	 */
	public static function start( $file ) {
		try {
			$found = self::is_ours() ? self::find( self::table( $file ), Crossdock_Bridge_Request::host(), (string) $_SERVER['REQUEST_URI'] ) : null;
		} catch ( Throwable $error ) {
			error_log( 'crossdock-bridge: ' . $error->getMessage() );
			return;
		}
		if ( null === $found ) {
			return;
		}
		if ( 0 === $found['post'] ) {
			self::answer( $found );
			return;
		}
		/*
		 * Fail-open: without a published post of that number the table's own target is taken. Before the main query, so
		 * before WordPress's own canonical redirect, and after init, when products have their addresses.
		 */
		add_action(
			'wp_loaded',
			static function () use ( $found ) {
				Crossdock_Bridge_Redirects::answer( Crossdock_Bridge_Redirects::with_permalink( $found ) );
			},
			0
		);
	}

	/**
	 * Sends a store's other host to its own; called from sunrise.php, before WordPress looks the host up. Fail-open:
	 * hosts that are not in the table, and any trouble, leave the request to WordPress.
	 *
	 * @param string $file Path of redirects.php.
	 */
	public static function answer_alias( $file ) {
		$host = isset( $_SERVER['HTTP_HOST'] ) ? strtolower( (string) $_SERVER['HTTP_HOST'] ) : '';
		$host = rtrim( (string) preg_replace( '/:\d+$/', '', $host ), '.' );
		$uri  = isset( $_SERVER['REQUEST_URI'] ) ? (string) $_SERVER['REQUEST_URI'] : '/';
		$to   = 'cli' === PHP_SAPI ? null : self::alias( self::table( $file ), $host, $uri );
		if ( null !== $to ) {
			header( 'Location: ' . $to['target'], true, $to['status'] );
			header( 'X-Redirect-By: Crossdock' );
			exit;
		}
	}

	/**
	 * The table, checked no further than that its parts are arrays.
	 *
	 * @param string $file Path of redirects.php.
	 * @return array With exact, patterns and hosts.
	 */
	public static function table( $file ) {
		$table = array();
		try {
			$table = is_readable( $file ) ? include $file : array();
		} catch ( Throwable $error ) {
			error_log( 'crossdock-bridge: redirects.php: ' . $error->getMessage() );
		}
		if ( ! is_array( $table ) || ! isset( $table['version'] ) || 1 !== $table['version'] ) {
			$table = array();
		}
		foreach ( array( 'exact', 'patterns', 'hosts' ) as $part ) {
			$table[ $part ] = isset( $table[ $part ] ) && is_array( $table[ $part ] ) ? $table[ $part ] : array();
		}
		return $table;
	}

	/**
	 * Where another host of a store goes. Its old addresses are looked up on the store's own host first, so that they
	 * stay one hop.
	 *
	 * @param array  $table The table.
	 * @param string $host  The host asked for.
	 * @param string $uri   Path and query.
	 * @return array|null status and target.
	 */
	public static function alias( $table, $host, $uri ) {
		if ( ! isset( $table['hosts'][ $host ] ) || ! is_string( $table['hosts'][ $host ] ) ) {
			return null;
		}
		$base  = rtrim( $table['hosts'][ $host ], '/' );
		$parts = parse_url( $base );
		if ( ! isset( $parts['host'] ) || strtolower( $parts['host'] ) === $host ) {
			return null;
		}
		$found = self::find( $table, strtolower( $parts['host'] ), $uri );
		if ( null !== $found && 410 !== $found['status'] && 0 === $found['post'] ) {
			return $found;
		}
		return array(
			'status' => 301,
			'target' => $base . '/' . ltrim( self::normalised( $uri ), '/' ),
		);
	}

	/**
	 * What the table says about an address.
	 *
	 * @param array  $table The table.
	 * @param string $host  Lower case, without port.
	 * @param string $uri   Path and query as the browser sent them.
	 * @return array|null status, target (410: the name of the reason) and post (its ID where the target is /?p=ID).
	 */
	public static function find( $table, $host, $uri ) {
		$uri   = self::normalised( $uri );
		$at    = strpos( $uri, '?' );
		$path  = false === $at ? $uri : substr( $uri, 0, $at );
		$query = false === $at ? '' : substr( $uri, $at + 1 );
		$exact = isset( $table['exact'][ $host ] ) && is_array( $table['exact'][ $host ] ) ? $table['exact'][ $host ] : array();
		if ( '' !== $query && isset( $exact[ $path . '?' . $query ] ) ) {
			return self::checked( $exact[ $path . '?' . $query ], $host, $uri );
		}
		$is_kept = isset( $exact[ $path ][0] ) && self::KEPT === $exact[ $path ][0];
		if ( isset( $exact[ $path ] ) && ! $is_kept ) {
			return self::checked( $exact[ $path ], $host, $uri, $query );
		}
		$patterns = isset( $table['patterns'][ $host ] ) && is_array( $table['patterns'][ $host ] ) ? $table['patterns'][ $host ] : array();
		return self::by_pattern( $patterns, $host, $uri, $path, $is_kept );
	}

	/**
	 * The first pattern that fits the whole address, or its path alone.
	 *
	 * @param array  $patterns Lists of pattern, status, target and perhaps the text that all it fits begins with.
	 * @param string $host     Lower case, without port.
	 * @param string $uri      Path and query, normalised.
	 * @param string $path     The path alone.
	 * @param bool   $is_kept  Whether the path is kept where it is: only a pattern that needs the query takes it.
	 * @return array|null As find().
	 */
	private static function by_pattern( $patterns, $host, $uri, $path, $is_kept ) {
		foreach ( $patterns as $rule ) {
			if ( ! is_array( $rule ) || ! isset( $rule[0], $rule[1], $rule[2] ) || ! is_string( $rule[0] ) || ! is_string( $rule[2] ) ) {
				continue;
			}
			// Thousands of expressions cost every page their compiling: most are told apart by how they begin.
			if ( isset( $rule[3] ) && is_string( $rule[3] ) && 0 !== strncmp( $uri, $rule[3], strlen( $rule[3] ) ) ) {
				continue;
			}
			// A pattern that is none, or that takes too long, does not fit.
			if ( 1 !== @preg_match( $rule[0], $uri, $groups ) && ( $uri === $path || 1 !== @preg_match( $rule[0], $path, $groups ) ) ) {
				continue;
			}
			if ( $is_kept && 1 === @preg_match( $rule[0], $path ) ) {
				continue;
			}
			$rule[2] = 410 === $rule[1] ? $rule[2] : self::filled( $rule[2], $groups );
			$found   = self::checked( array( $rule[1], $rule[2] ), $host, $uri );
			if ( null !== $found ) {
				return $found;
			}
		}
		return null;
	}

	/**
	 * A target with its groups. What a visitor wrote can fill path and query, never the host: no open redirect.
	 *
	 * @param string   $target As in https://host.example/?p=$1.
	 * @param string[] $groups As preg_match gives them.
	 * @return string '' for a target whose host would be the visitor's.
	 */
	private static function filled( $target, $groups ) {
		if ( ! preg_match( '~^https?://[^/?#$\\\\@]+~iD', $target, $base ) ) {
			return '';
		}
		$made = (string) preg_replace_callback(
			'/\$(?:(\d{1,2})|\{(\d{1,2})\})/',
			static function ( $mark ) use ( $groups ) {
				$number = (int) end( $mark );
				return isset( $groups[ $number ] ) ? $groups[ $number ] : '';
			},
			$target
		);
		$next = substr( $made, strlen( $base[0] ), 1 );
		return '' === (string) $next || false !== strpos( '/?#', $next ) ? $made : '';
	}

	/**
	 * An entry that can be answered: a known status, an absolute target, and not the address itself.
	 *
	 * @param mixed  $entry array( status, target ).
	 * @param string $host  Lower case, without port.
	 * @param string $uri   Path and query, normalised.
	 * @param string $query What the target without a query takes over.
	 * @return array|null As find().
	 */
	private static function checked( $entry, $host, $uri, $query = '' ) {
		if ( ! is_array( $entry ) || ! isset( $entry[0], $entry[1] ) || ! is_string( $entry[1] ) ) {
			return null;
		}
		list( $status, $target ) = $entry;
		if ( 410 === $status ) {
			return array(
				'status' => 410,
				'target' => $target,
				'post'   => 0,
			);
		}
		if ( ! in_array( $status, self::MOVES, true ) || ! preg_match( '~^https?://[^/?#\s]+~i', $target ) ) {
			return null;
		}
		if ( '' !== $query && false === strpos( $target, '?' ) ) {
			$at     = strpos( $target, '#' );
			$target = false === $at ? $target . '?' . $query : substr( $target, 0, $at ) . '?' . $query . substr( $target, $at );
		}
		if ( self::is_same( $target, $host, $uri ) ) {
			return null;
		}
		$own = preg_match( '~^https?://([^/?#:]+)(?::\d+)?/\?p=(\d{1,18})$~iD', $target, $parts ) && strtolower( $parts[1] ) === $host;
		return array(
			'status' => $status,
			'target' => $target,
			'post'   => $own ? (int) $parts[2] : 0,
		);
	}

	/**
	 * Whether a target is the address itself: a loop.
	 *
	 * @param string $target Absolute.
	 * @param string $host   Lower case, without port.
	 * @param string $uri    Path and query, normalised.
	 * @return bool
	 */
	private static function is_same( $target, $host, $uri ) {
		$rest = (string) preg_replace( '~^https?://[^/?#]*|#.*$~i', '', $target );
		$rest = self::normalised( '' === $rest || '/' !== $rest[0] ? '/' . $rest : $rest );
		return strtolower( (string) parse_url( $target, PHP_URL_HOST ) ) === $host && $rest === $uri;
	}

	/**
	 * An address as the table's keys are written (core/redirects.py, normal): unreserved characters plain, hexadecimal
	 * digits in upper case, and what may not stand there encoded, as browsers don't do with [ ] and a lone %.
	 *
	 * @param string $uri Path and query.
	 * @return string
	 */
	public static function normalised( $uri ) {
		$uri = (string) preg_replace( '~^https?://[^/?#]*~i', '', $uri );
		$uri = (string) preg_replace_callback(
			'/%(?![0-9a-fA-F]{2})|[^A-Za-z0-9\-._\~:\/?@!$&\'()*+,;=%]/',
			static function ( $found ) {
				return rawurlencode( $found[0] );
			},
			$uri
		);
		return (string) preg_replace_callback(
			'/%([0-9a-fA-F]{2})/',
			static function ( $found ) {
				$letter = chr( (int) hexdec( $found[1] ) );
				return preg_match( '/[A-Za-z0-9\-._~]/', $letter ) ? $letter : strtoupper( $found[0] );
			},
			$uri
		);
	}

	/**
	 * Whether this request may be redirected: a page that is asked for, and nothing of WordPress's own.
	 *
	 * @return bool
	 */
	private static function is_ours() {
		$method = isset( $_SERVER['REQUEST_METHOD'] ) ? $_SERVER['REQUEST_METHOD'] : '';
		if ( 'cli' === PHP_SAPI || ! in_array( $method, array( 'GET', 'HEAD' ), true ) || empty( $_SERVER['REQUEST_URI'] ) ) {
			return false;
		}
		foreach ( array( 'DOING_CRON', 'DOING_AJAX', 'XMLRPC_REQUEST', 'WP_ADMIN', 'REST_REQUEST' ) as $constant ) {
			if ( defined( $constant ) && constant( $constant ) ) {
				return false;
			}
		}
		$path = (string) strtok( (string) $_SERVER['REQUEST_URI'], '?' );
		if ( preg_match( '~/(?:wp-admin|wp-login\.php|wp-json|wp-cron\.php|xmlrpc\.php|wp-signup\.php|wp-activate\.php)(?:/|$)~i', $path ) ) {
			return false;
		}
		if ( isset( $_GET['rest_route'] ) || isset( $_GET['wc-ajax'] ) || isset( $_GET['wc-api'] ) ) {
			return false;
		}
		return ! self::is_preview();
	}

	/**
	 * Whether somebody who is logged in looks at a preview.
	 *
	 * @return bool
	 */
	private static function is_preview() {
		if ( ! isset( $_GET['preview'] ) && ! isset( $_GET['customize_changeset_uuid'] ) ) {
			return false;
		}
		foreach ( array_keys( $_COOKIE ) as $name ) {
			if ( 0 === strpos( (string) $name, 'wordpress_logged_in_' ) ) {
				return true;
			}
		}
		return false;
	}

	/**
	 * The address of the post itself instead of /?p=ID, which would be a second hop.
	 *
	 * @param array $found As find().
	 * @return array
	 */
	public static function with_permalink( $found ) {
		try {
			$post = get_post( $found['post'] );
			if ( $post && in_array( get_post_status( $post ), array( 'publish', 'inherit' ), true ) ) {
				$link = Crossdock_Bridge_Attachments::address( $post );
				$same = strtolower( (string) wp_parse_url( $link, PHP_URL_HOST ) ) === Crossdock_Bridge_Request::host();
				if ( $same && ! self::is_same( $link, Crossdock_Bridge_Request::host(), self::normalised( (string) $_SERVER['REQUEST_URI'] ) ) ) {
					$found['target'] = $link;
				}
			}
		} catch ( Throwable $error ) {
			error_log( 'crossdock-bridge: ' . $error->getMessage() );
		}
		return $found;
	}

	/**
	 * Answers and ends the request.
	 *
	 * @param array $found As find().
	 */
	public static function answer( $found ) {
		header( 'X-Redirect-By: Crossdock' );
		if ( 410 !== $found['status'] ) {
			header( 'Location: ' . $found['target'], true, $found['status'] );
			exit;
		}
		status_header( 410 );
		header( 'Content-Type: text/html; charset=utf-8' );
		header( 'X-Robots-Tag: noindex' );
		$name = htmlspecialchars( $found['target'], ENT_QUOTES, 'UTF-8' );
		if ( 'HEAD' !== $_SERVER['REQUEST_METHOD'] ) {
			echo '<!doctype html><html><head><meta charset="utf-8"><meta name="robots" content="noindex">' .
				'<meta name="viewport" content="width=device-width"><title>Gone</title></head>' .
				"<body><h1>This page is gone</h1><p>$name</p><p><a href=\"/\">To the start page</a></p></body></html>\n";
		}
		exit;
	}
}
