<?php
/**
 * Tells what code lives in a WordPress installation: headers, ages, sizes, which tables and servers it speaks of, and MD5s
 * of WordPress's own files and of the plugins asked for. Reads files alone; no code of theirs is run, no database asked.
 *
 * $crossdock: {root, content, mu, hash: [plugin folders], drop_ins: [names], marks: [texts], seconds}
 */
error_reporting(0);
ini_set('display_errors', '0');
ini_set('memory_limit', '512M');
@set_time_limit(0);
if (function_exists('proc_nice')) {
    @proc_nice(10);
}
$end = microtime(true) + $crossdock['seconds'];
const CROSSDOCK_HEADERS = ['title' => '(?:Plugin|Theme) Name', 'version' => 'Version', 'author' => 'Author', 'update_uri' => 'Update URI',
    'network' => 'Network', 'requires' => 'Requires Plugins', 'template' => 'Template', 'woocommerce' => 'WC (?:requires at least|tested up to)'];

/** A file's first 8 KiB, as WordPress reads headers from (get_file_data); '' for what is no readable file. */
function crossdock_head($file)
{
    return is_file($file) ? str_replace("\r", "\n", (string) @file_get_contents($file, false, null, 0, 8192)) : '';
}

function crossdock_headers($head)
{
    $found = [];
    foreach (CROSSDOCK_HEADERS as $key => $name) {
        $found[$key] = preg_match('/^(?:[ \t]*<\?php)?[ \t\/*#@]*' . $name . ':(.*)$/mi', $head, $match)
            ? substr(trim(preg_replace('/\s*(?:\*\/|\?>).*/', '', $match[1])), 0, 300) : '';
    }
    return $found;
}

/** All names in a folder; empty where it can't be read. */
function crossdock_names($folder)
{
    return array_values(array_diff(@scandir($folder) ?: [], ['.', '..']));
}

/** Every file below a folder (or the file itself), links not followed: calls $tell with its path, and with that of a
 * folder that can't be read. False: time is up. */
function crossdock_walk($path, $tell, $end)
{
    if (is_link($path) || !is_dir($path)) {
        if (is_file($path)) {
            $tell($path);
        }
        return microtime(true) < $end;
    }
    if (!is_readable($path)) {
        $tell($path);
    }
    foreach (crossdock_names($path) as $name) {
        if (!crossdock_walk("$path/$name", $tell, $end)) {
            return false;
        }
    }
    return true;
}

/** Size, age, and what the code speaks of. */
function crossdock_contents($path, $end)
{
    $found = ['bytes' => 0, 'count' => 0, 'unreadable' => 0, 'changed' => 0, 'tables' => [], 'hosts' => []];
    $whole = crossdock_walk($path, static function ($file) use (&$found) {
        if (!is_readable($file)) {
            $found['unreadable']++;
            return;
        }
        $size = (int) filesize($file);
        $found['bytes'] += $size;
        $found['count']++;
        $found['changed'] = max($found['changed'], (int) filemtime($file));
        if (substr($file, -4) !== '.php' || $size > 1 << 20) {
            return;
        }
        $code = (string) file_get_contents($file);
        if (strpos($code, 'prefix') !== false
            && preg_match_all('/prefix\s*(?:\}|\.\s*["\'])([A-Za-z0-9_]{2,60})/', $code, $names)) {
            $found['tables'] += array_slice(array_flip($names[1]), 0, 500);
        }
        if (preg_match('/wp_(?:safe_)?remote_|curl_init/', $code)
            && preg_match_all('~["\']https?://([a-z0-9.-]+\.[a-z]{2,})~i', $code, $hosts)) {
            $found['hosts'] += array_slice(array_flip(array_map('strtolower', $hosts[1])), 0, 50);
        }
    }, $end);
    $found['tables'] = array_map('strval', array_keys($found['tables']));
    $found['hosts'] = array_map('strval', array_slice(array_keys($found['hosts']), 0, 50));
    return $found + ['whole' => $whole];
}

function crossdock_tested($folder)
{
    foreach (['readme.txt', 'README.txt', 'readme.md', 'README.md'] as $name) {
        if (preg_match('/^[ \t*]*Tested up to:[ \t*]*([0-9.]{1,12})/mi', crossdock_head("$folder/$name"), $found)) {
            return $found[1];
        }
    }
    return '';
}

/** A plugin: what its header says, in whichever file it stands; the file that is named like the folder first. */
function crossdock_plugin($plugins, $name, $end)
{
    $path = "$plugins/$name";
    $files = is_dir($path) ? array_filter(crossdock_names($path), static function ($one) { return substr($one, -4) === '.php'; }) : [''];
    usort($files, static function ($one, $other) use ($name) {
        return [$one !== "$name.php", $one] <=> [$other !== "$name.php", $other];
    });
    $made = null;
    $there = [];
    foreach ($files as $file) {
        $head = crossdock_headers(crossdock_head($file === '' ? $path : "$path/$file"));
        if ($head['title'] !== '') {
            $there[$file === '' ? $name : "$name/$file"] = $head['version'];
            $made = $made ?: $head;
        }
    }
    if ($made === null && !is_dir($path)) {
        return null;
    }
    return ['kind' => 'plugin', 'name' => $name, 'files' => (object) $there, 'tested' => is_dir($path) ? crossdock_tested($path) : '',
        'has_header' => $made !== null] + (array) $made + crossdock_contents($path, $end);
}

function crossdock_must_use($folder, $name, $end)
{
    $path = "$folder/$name";
    $is_file = !is_dir($path);
    if ($is_file && substr($name, -4) !== '.php') {
        return null;
    }
    if ($is_file && filesize($path) <= 80 && $name === 'index.php') {
        return null;
    }
    return ['kind' => 'must-use', 'name' => $name, 'is_run' => $is_file, 'has_header' => true]
        + crossdock_headers($is_file ? crossdock_head($path) : '') + crossdock_contents($path, $end);
}

function crossdock_drop_in($content, $name, $crossdock, $end)
{
    $head = crossdock_head("$content/$name");
    $marks = array_values(array_filter($crossdock['marks'], static function ($mark) use ($head) { return strpos($head, $mark) !== false; }));
    return ['kind' => 'drop-in', 'name' => $name, 'is_run' => in_array($name, $crossdock['drop_ins'], true), 'marks' => $marks]
        + crossdock_headers($head) + crossdock_contents("$content/$name", $end);
}

function crossdock_theme($themes, $name, $end)
{
    $head = crossdock_headers(crossdock_head("$themes/$name/style.css"));
    return $head['title'] === '' ? null : ['kind' => 'theme', 'name' => $name] + $head + crossdock_contents("$themes/$name", $end);
}

/** MD5 of every file below a folder, by its path relative to $root. */
function crossdock_sums($root, $path, $end)
{
    $sums = [];
    $whole = crossdock_walk($path, static function ($file) use (&$sums, $root) {
        $sums[substr($file, strlen($root) + 1)] = (string) @md5_file($file) ?: 'unreadable';
    }, $end);
    return $whole ? $sums : null;
}

$root = $crossdock['root'];
$content = $crossdock['content'];
$pieces = [];
foreach (crossdock_names("$content/plugins") as $name) {
    if (is_dir("$content/plugins/$name") || substr($name, -4) === '.php') {
        $pieces[] = crossdock_plugin("$content/plugins", $name, $end);
    }
}
foreach (crossdock_names("$content/themes") as $name) {
    $pieces[] = crossdock_theme("$content/themes", $name, $end);
}
foreach (crossdock_names($crossdock['mu']) as $name) {
    $pieces[] = crossdock_must_use($crossdock['mu'], $name, $end);
}
foreach (crossdock_names($content) as $name) {
    if (substr($name, -4) === '.php' && $name !== 'index.php' && is_file("$content/$name")) {
        $pieces[] = crossdock_drop_in($content, $name, $crossdock, $end);
    }
}
$plugins = [];
foreach ($crossdock['hash'] as $name) {
    $plugins[$name] = crossdock_sums("$content/plugins" . (is_dir("$content/plugins/$name") ? "/$name" : ''), "$content/plugins/$name", $end);
}
$core = $crossdock['core'] ? [crossdock_sums($root, "$root/wp-admin", $end), crossdock_sums($root, "$root/wp-includes", $end)] : [null];
foreach ($crossdock['core'] ? crossdock_names($root) : [] as $name) {
    if (is_file("$root/$name") && (substr($name, -4) === '.php' || in_array($name, ['license.txt', 'readme.html'], true)) && $name !== 'wp-config.php') {
        $core[] = [$name => (string) @md5_file("$root/$name")];
    }
}
$version = crossdock_head("$root/wp-includes/version.php");
echo "\nCROSSDOCK" . json_encode([
    'pieces' => array_values(array_filter($pieces)),
    'core' => in_array(null, $core, true) ? null : (object) array_merge(...$core),
    'plugins' => (object) $plugins,
    'locale' => preg_match('/\$wp_local_package\s*=\s*[\'"]([\w-]+)/', $version, $found) ? $found[1] : 'en_US',
    'whole' => microtime(true) < $end,
], JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
exit(0);
