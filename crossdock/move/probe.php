<?php
/**
 * Puts the probes of a validation into a target and takes them out again (load.php, with writes). They are found by their
 * names, so that those of a killed validation go with the next one.
 *
 * Wants {act, user: ID, blogs: [blog IDs], folders: [uploads folders], name, text}. act:
 *   begin   takes out old probes, makes the user, who may see the dashboard of each blog and nothing else
 *   upload  writes a file through WordPress into this blog's uploads
 *   end     takes all probes out
 *
 * The user is written by plain statements, with numbers that WordPress would never give out: no plugin hears of it, and it
 * lies in no server's range, so the comparison of rows never meets it. WordPress finds the rows that it keeps for somebody
 * who signs in (session_tokens, primary_blog), and updates them, so that no counter moves; a plugin that adds rows of its
 * own to the account moves usermeta's, which lies above all ranges.
 */
const CROSSDOCK_PROBE = 'crossdock-probe-';

function crossdock_is_probe($id)
{
    global $wpdb;
    return strpos((string) $wpdb->get_var($wpdb->prepare("SELECT user_login FROM $wpdb->users WHERE ID = %d", $id)), CROSSDOCK_PROBE) === 0;
}

function crossdock_remove_user($id)
{
    global $wpdb;
    if (!crossdock_is_probe($id)) {
        return;
    }
    $user = get_userdata($id);
    $wpdb->delete($wpdb->usermeta, ['user_id' => $id]);
    $wpdb->delete($wpdb->users, ['ID' => $id]);
    if ($user) {
        clean_user_cache($user);
    }
}

/** A file's name that says how many folders above it WordPress is going to make: removing takes away those alone. */
function crossdock_name($name)
{
    $made = 0;
    for ($above = wp_upload_dir(null, false)['path']; !is_dir($above) && $made < 9; $above = dirname($above)) {
        $made++;
    }
    return CROSSDOCK_PROBE . $made . '-' . $name;
}

/** Removes our files below an uploads folder, and the folders that were made for them. */
function crossdock_remove_files($folder)
{
    foreach (['', '/*/*'] as $depth) {
        foreach (glob(addcslashes($folder, '*?[]{}\\') . "$depth/" . CROSSDOCK_PROBE . '*') ?: [] as $file) {
            unlink($file);
            $made = (int) substr(basename($file), strlen(CROSSDOCK_PROBE), 1);
            for ($above = dirname($file); $made > 0 && strpos($above, "$folder/") === 0 && @rmdir($above); $made--) {
                $above = dirname($above);
            }
        }
    }
}

function crossdock_remove($crossdock)
{
    crossdock_remove_user($crossdock['user']);
    array_map('crossdock_remove_files', $crossdock['folders']);
}

function crossdock_make_user($id, $blogs)
{
    global $wpdb;
    if ($wpdb->get_var($wpdb->prepare("SELECT ID FROM $wpdb->users WHERE ID = %d", $id))) {
        return null;
    }
    $login = CROSSDOCK_PROBE . bin2hex(random_bytes(6));
    $password = bin2hex(random_bytes(20));
    $made = $wpdb->insert($wpdb->users, ['ID' => $id, 'user_login' => $login, 'user_pass' => wp_hash_password($password),
        'user_nicename' => $login, 'user_email' => "$login@example.invalid", 'user_registered' => gmdate('Y-m-d H:i:s'),
        'display_name' => $login]);
    $meta = ['session_tokens' => [], 'wc_last_active' => (string) strtotime('today midnight'), 'primary_blog' => (string) reset($blogs)];
    foreach ($blogs as $blog) {
        $meta[$wpdb->get_blog_prefix($blog) . 'capabilities'] = ['read' => true, 'view_admin_dashboard' => true];
    }
    $number = $id * 1000;
    foreach ($meta as $key => $value) {
        $made = $wpdb->insert($wpdb->usermeta, ['umeta_id' => ++$number, 'user_id' => $id, 'meta_key' => $key,
            'meta_value' => maybe_serialize($value)]) && $made;
    }
    clean_user_cache($id);
    return $made ? ['login' => $login, 'password' => $password] : ['error' => $wpdb->last_error];
}

$wpdb->suppress_errors(true);
if ($crossdock['act'] === 'begin') {
    crossdock_remove($crossdock);
    crossdock_end(['user' => crossdock_make_user($crossdock['user'], $crossdock['blogs'])]);
} elseif ($crossdock['act'] === 'upload') {
    // Like an upload in the editor: WordPress finds the folder, its name and the address.
    crossdock_end(wp_upload_bits(crossdock_name($crossdock['name']), null, $crossdock['text']));
} else {
    crossdock_remove($crossdock);
    crossdock_end(['left' => (bool) crossdock_is_probe($crossdock['user'])]);
}
