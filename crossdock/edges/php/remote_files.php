<?php
// Reads, writes and removes small files. JSON on stdin: {do: read|digests|write|remove, paths: [...], folder, files: [...]}.
// A file is written beside its place and renamed into it, so that nobody ever sees half of one.
error_reporting(0);
ini_set('display_errors', '0');
ini_set('memory_limit', '256M');
$ask = json_decode(stream_get_contents(STDIN), true);
function crossdock_end($facts)
{
    echo "\nCROSSDOCK" . json_encode($facts, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES);
    exit(0);
}
function crossdock_why($what)
{
    $error = error_get_last();
    return $what . ($error ? ': ' . preg_replace('/^.*: /', '', $error['message']) : '');
}
function crossdock_write($file)
{
    list($path, $content) = [$file['path'], base64_decode($file['content'], true)];
    $edited = $file['like'] === $path;
    if ($edited && is_link($path) && ($real = realpath($path)) !== false) {
        $path = $real; // where a release links to a file that all releases share, the link stays
    }
    $folder = dirname($path);
    if ($edited && function_exists('posix_geteuid') && is_file($path) && fileowner($path) !== posix_geteuid()) {
        return 'it belongs to another account, and would be ours afterwards';
    }
    if (!is_dir($folder) && !mkdir($folder, 0755, true) && !is_dir($folder)) {
        return crossdock_why('its folder can\'t be made');
    }
    $scratch = "$folder/.crossdock-" . bin2hex(random_bytes(8));
    $handle = fopen($scratch, 'xb');
    if (!$handle) {
        return crossdock_why('its folder can\'t be written');
    }
    $whole = fwrite($handle, $content) === strlen($content) && fflush($handle) && (!function_exists('fsync') || fsync($handle));
    $whole = fclose($handle) && $whole;
    $mode = $file['mode'];
    if ($file['like'] !== '' && file_exists($file['like'])) {
        $mode = fileperms($file['like']) & 0777;
        chgrp($scratch, filegroup($file['like']));
    }
    $done = $whole && chmod($scratch, $mode) && hash_file('sha256', $scratch) === hash('sha256', $content) && rename($scratch, $path);
    $why = $done ? '' : crossdock_why($whole ? 'it can\'t be put into its place' : 'it can\'t be written whole (is the disk full?)');
    if (!$done) {
        unlink($scratch);
    }
    clearstatcache();
    return $why;
}
function crossdock_digests($folder, $below, array $found = [])
{
    foreach (is_dir($folder) ? scandir($folder) : [] as $name) {
        $path = "$folder/$name";
        if ($name !== '.' && $name !== '..' && is_dir($path) && !is_link($path)) {
            $found = crossdock_digests($path, "$below$name/", $found);
        } elseif (is_file($path)) {
            $found[$below . $name] = (string) hash_file('sha256', $path);
        }
    }
    return $found;
}
$found = [];
switch ($ask['do']) {
    case 'read':
        foreach ($ask['paths'] as $path) {
            if (is_dir($path)) {
                $found[$path] = ['content' => '', 'mode' => fileperms($path)];
            } elseif (is_file($path)) {
                $content = file_get_contents($path);
                if ($content === false) {
                    crossdock_end(['path' => $path, 'error' => crossdock_why('it can\'t be read')]);
                }
                $found[$path] = ['content' => base64_encode($content), 'mode' => fileperms($path) & 07777];
            }
        }
        break;
    case 'digests':
        $found = crossdock_digests(rtrim($ask['folder'], '/'), '');
        break;
    case 'write':
        foreach ($ask['files'] as $file) {
            if (($why = crossdock_write($file)) !== '') {
                crossdock_end(['path' => $file['path'], 'error' => $why]);
            }
        }
        break;
    case 'remove':
        foreach ($ask['paths'] as $path) {
            if (is_dir($path) && !is_link($path)) {
                rmdir($path);
            } elseif ((file_exists($path) || is_link($path)) && !unlink($path)) {
                crossdock_end(['path' => $path, 'error' => crossdock_why('it can\'t be removed')]);
            }
        }
}
crossdock_end(['found' => (object) $found]);
