<?php
// Tells about files where find or sha256sum are missing. Arguments: "list" and folders, or "hash" and names on stdin, each
// followed by a NUL. Nothing is written. The answers are those of find -printf and sha256sum -z (edges/files.py).
error_reporting(0);
@set_time_limit(0);
ini_set('memory_limit', '-1');
$kinds = [0100000 => 'f', 0040000 => 'd', 0120000 => 'l', 0140000 => 's', 0010000 => 'p', 0020000 => 'c', 0060000 => 'b'];

function crossdock_list($root, $below, $kinds)
{
    $folder = opendir("$root/$below");
    if ($folder === false) {
        echo "U\0\0\0\0\0$below\0\0";
        return;
    }
    $folders = [];
    while (($name = readdir($folder)) !== false) {
        if ($name === '.' || $name === '..' || $name === '.crossdock-partial') {
            continue;
        }
        $facts = lstat("$root/$below$name");
        if ($facts === false) {
            continue;
        }
        $kind = isset($kinds[$facts['mode'] & 0170000]) ? $kinds[$facts['mode'] & 0170000] : 'o';
        $link = $kind === 'l' ? (string) readlink("$root/$below$name") : '';
        $mode = decoct($facts['mode'] & 07777);
        echo "$kind\0$mode\0{$facts['size']}\0{$facts['mtime']}\0{$facts['ctime']}\0$below$name\0$link\0";
        if ($kind === 'd') {
            $folders[] = "$below$name/";
        }
    }
    closedir($folder);
    foreach ($folders as $one) {
        crossdock_list($root, $one, $kinds);
    }
}

if ($argv[1] === 'list') {
    foreach (array_slice($argv, 2) as $root) {
        echo is_dir("$root/") ? 'R' : 'A', "\0\0\0\0\0$root\0\0";
        if (is_dir("$root/")) {
            crossdock_list($root, '', $kinds);
        }
    }
    echo "E\0\0\0\0\0\0\0";
    exit(0);
}
foreach (explode("\0", stream_get_contents(STDIN)) as $name) {
    $digest = $name === '' ? false : hash_file('sha256', $name);
    if ($digest !== false) {
        echo "$digest  $name\0";
        flush();
    }
}
