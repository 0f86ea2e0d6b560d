<?php
/**
 * Tells every public address of one site as its own WordPress and its plugins make them, and the redirects that plugins
 * keep. Runs behind load.php, writes nothing.
 *
 * Wants {part: posts|rest, after: ID, most: posts}. Answers {addresses: [[URL, what]], posts: [[ID, URL]],
 * former: [[earlier URL, URL]], next: ID|null} and, for rest, {rules: [...], authors: [[ID, URL]]}.
 * At the target it wants {part: authors, ids, server, base, table}: users' IDs at their source, and where the copy has
 * kept whom it merged. Answers {authors: [[ID at the source, URL]]}.
 */
$wpdb->suppress_errors(true);
$made = ['addresses' => [], 'posts' => [], 'former' => [], 'rules' => [], 'authors' => [], 'next' => null];

function crossdock_types()
{
    return array_values(array_filter(get_post_types(), static function ($type) {
        return $type !== 'attachment' && is_post_type_viewable($type);
    }));
}

/** Files of an attachment: the original, what it was scaled from, and every size. */
function crossdock_files($id)
{
    $url = wp_get_attachment_url($id);
    if (!$url) {
        return [];
    }
    $facts = wp_get_attachment_metadata($id, true);
    $files = [];
    foreach (is_array($facts) && is_array($facts['sizes'] ?? null) ? $facts['sizes'] : [] as $size) {
        if (is_array($size) && is_string($size['file'] ?? null)) {
            $files[] = $size['file'];
        }
    }
    if (is_array($facts) && is_string($facts['original_image'] ?? null)) {
        $files[] = $facts['original_image'];
    }
    $folder = substr($url, 0, strrpos($url, '/') + 1);
    return array_merge([$url], array_map(static function ($file) use ($folder) { return $folder . rawurlencode($file); }, array_unique($files)));
}

/** Addresses that a post had before its slug or date was changed, as wp_old_slug_redirect() knows them. */
function crossdock_former($post, $url)
{
    $found = [];
    foreach (['_wp_old_slug' => 'post_name', '_wp_old_date' => 'post_date'] as $key => $field) {
        foreach (get_post_meta($post->ID, $key) as $value) {
            $before = clone $post;
            $before->$field = $field === 'post_date' ? $value . substr($post->post_date, 10) : $value;
            $was = get_permalink($before);
            if ($was && $was !== $url) {
                $found[] = [$was, $url];
            }
        }
    }
    return $found;
}

/** Whether attachments have pages: since 6.4 WordPress leads to their files unless the blog's option keeps them. */
function crossdock_attachment_pages()
{
    global $wp_db_version;
    return (bool) get_option('wp_attachment_pages_enabled', $wp_db_version < 56657);
}

function crossdock_posts(&$made, $after, $most)
{
    global $wpdb;
    $pages = crossdock_attachment_pages();
    $types = "'" . implode("','", array_map('esc_sql', crossdock_types())) . "'";
    $ids = array_map('intval', $wpdb->get_col($wpdb->prepare(
        "SELECT ID FROM $wpdb->posts WHERE ID > %d AND ((post_status = 'publish' AND post_type IN ($types))"
        . " OR post_type = 'attachment') ORDER BY ID LIMIT %d",
        $after,
        $most
    )));
    _prime_post_caches($ids, false, true);
    foreach ($ids as $id) {
        $post = get_post($id);
        if (!$post) {
            continue;
        }
        $url = get_permalink($post);
        if ($post->post_type === 'attachment') {
            foreach (crossdock_files($id) as $file) {
                $made['addresses'][] = [$file, 'file'];
            }
            if ($pages && $url && get_post_status($post) === 'publish') {
                $made['addresses'][] = [$url, 'attachment'];
                $made['posts'][] = [$id, $url];
            }
            continue;
        }
        if ($url) {
            $made['addresses'][] = [$url, $post->post_type];
            $made['posts'][] = [$id, $url];
            $made['former'] = array_merge($made['former'], crossdock_former($post, $url));
        }
    }
    $made['next'] = count($ids) === $most ? end($ids) : null;
}

function crossdock_rest(&$made)
{
    global $wpdb;
    $add = static function ($url, $what) use (&$made) {
        if (is_string($url) && $url !== '') {
            $made['addresses'][] = [$url, $what];
        }
    };
    $add(home_url('/'), 'home');
    $add(get_feed_link(), 'feed');
    $add(get_feed_link('comments_rss2'), 'feed');
    foreach (crossdock_types() as $type) {
        $link = get_post_type_archive_link($type);
        $add($link, 'archive');
    }
    foreach (get_taxonomies() as $taxonomy) {
        if (!is_taxonomy_viewable($taxonomy)) {
            continue;
        }
        $terms = get_terms(['taxonomy' => $taxonomy, 'hide_empty' => true, 'update_term_meta_cache' => false]);
        foreach (is_array($terms) ? $terms : [] as $term) {
            $link = get_term_link($term);
            $add(is_wp_error($link) ? '' : $link, $taxonomy);
        }
    }
    $authors = $wpdb->get_col("SELECT DISTINCT post_author FROM $wpdb->posts WHERE post_type = 'post' AND post_status = 'publish'");
    foreach ($authors as $author) {
        $user = get_userdata((int) $author);
        // WordPress looks authors up by a slug that it cleans first: some nicenames it never finds.
        if ($user && get_user_by('slug', sanitize_title_for_query($user->user_nicename))) {
            $add(get_author_posts_url((int) $author), 'author');
            $made['authors'][] = [(int) $author, get_author_posts_url((int) $author)];
        }
    }
    $months = $wpdb->get_results(
        "SELECT DISTINCT YEAR(post_date) AS y, MONTH(post_date) AS m FROM $wpdb->posts WHERE post_type = 'post' AND post_status = 'publish'"
    );
    foreach ($months as $one) {
        $add(get_year_link((int) $one->y), 'date');
        $add(get_month_link((int) $one->y, (int) $one->m), 'date');
    }
}

/** Authors' addresses at the target, by the users' IDs at their source. */
function crossdock_authors(&$made, $asked)
{
    global $wpdb;
    $merged = [];
    $table = preg_replace('/\W/', '', $asked['table']);
    foreach ($wpdb->get_results($wpdb->prepare("SELECT source_id, target_id FROM `$table` WHERE server = %s", $asked['server'])) ?: [] as $row) {
        $merged[(int) $row->source_id] = (int) $row->target_id;
    }
    foreach ($asked['ids'] as $id) {
        $there = $merged[$id] ?? $asked['base'] + $id;
        if (get_userdata($there)) {
            $made['authors'][] = [$id, get_author_posts_url($there)];
        }
    }
}

function crossdock_runs($folder)
{
    $active = array_merge((array) get_option('active_plugins', []), array_keys((array) get_site_option('active_sitewide_plugins', [])));
    foreach ($active as $file) {
        if (strpos((string) $file, $folder) === 0) {
            return true;
        }
    }
    return false;
}

/** The redirects of plugins that many stores have: each with its plugin's own words for how it compares. */
function crossdock_rules(&$made)
{
    global $wpdb;
    $add = static function ($by, $id, $active, $compare, $match, $target, $status) use (&$made) {
        if (is_string($match) && count($made['rules']) < 200000) {
            $made['rules'][] = ['by' => $by, 'id' => (string) $id, 'active' => $active, 'compare' => $compare, 'match' => $match,
                'target' => is_string($target) ? $target : '', 'status' => (int) $status];
        }
    };
    $rows = $wpdb->get_results("SELECT id, url, regex, match_type, action_type, action_code, action_data FROM {$wpdb->prefix}redirection_items"
        . " WHERE status = 'enabled' ORDER BY position, id");
    foreach ($rows ?: [] as $row) {
        if ($row->match_type === 'url' && in_array($row->action_type, ['url', 'error'], true)) {
            $add('redirection', $row->id, crossdock_runs('redirection/'), $row->regex ? 'regex' : 'exact', $row->url,
                $row->action_type === 'url' ? $row->action_data : '', $row->action_code);
        }
    }
    foreach ((array) get_option('wpseo-premium-redirects-base', []) as $id => $row) {
        if (is_array($row) && isset($row['origin'])) {
            $regex = ($row['format'] ?? '') === 'regex';
            $add('yoast', $id, crossdock_runs('wordpress-seo-premium/'), $regex ? 'regex' : 'exact', $row['origin'], $row['url'] ?? '', $row['type'] ?? 301);
        }
    }
    $rows = $wpdb->get_results("SELECT id, sources, url_to, header_code FROM {$wpdb->prefix}rank_math_redirections WHERE status = 'active' ORDER BY id");
    foreach ($rows ?: [] as $row) {
        foreach ((array) @unserialize($row->sources, ['allowed_classes' => false]) as $source) {
            if (is_array($source) && isset($source['pattern'])) {
                $add('rank-math', $row->id, crossdock_runs('seo-by-rank-math'), $source['comparison'] ?? 'exact', $source['pattern'], $row->url_to, $row->header_code);
            }
        }
    }
    foreach ((array) get_option('301_redirects', []) as $match => $target) {
        $add('simple-301', $match, crossdock_runs('simple-301-redirects'), 'exact', (string) $match, $target, 301);
    }
}

if ($crossdock['part'] === 'posts') {
    crossdock_posts($made, (int) $crossdock['after'], (int) $crossdock['most']);
} elseif ($crossdock['part'] === 'authors') {
    crossdock_authors($made, $crossdock);
} else {
    crossdock_rest($made);
    crossdock_rules($made);
}
crossdock_end($made);
