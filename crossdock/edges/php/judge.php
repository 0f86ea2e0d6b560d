<?php
// Judges pairs of values, before and after a rewriting. Frames: 4 bytes big-endian length of before, of after, then both;
// the answer to each: 4 bytes length and a text, empty when the pair is in order.
// No class is ever loaded: objects become __PHP_Incomplete_Class.
error_reporting(0);
ini_set('memory_limit', '-1');
ini_set('unserialize_max_depth', '0');

/** The value behind serialized text, or null with $ok = false. As maybe_unserialize: surrounding space does not count. */
function crossdock_open($text, &$ok)
{
    $text = trim($text);
    $value = @unserialize($text, ['allowed_classes' => false]);
    $ok = $value !== false || $text === 'b:0;';
    return $value;
}

/** What is wrong with $after against $before at $place; '' when nothing is. */
function crossdock_compare($before, $after, $place, $depth)
{
    if ($depth > 400) {
        return '';
    }
    if (gettype($before) !== gettype($after)) {
        return "$place: " . gettype($before) . ' became ' . gettype($after);
    }
    if (is_object($before)) {
        $before = (array) $before;
        $after = (array) $after;
    }
    if (is_array($before)) {
        if (count($before) !== count($after)) {
            return "$place: " . count($before) . ' entries became ' . count($after);
        }
        $keys = array_keys($after);
        $number = 0;
        foreach ($before as $key => $one) {
            $wrong = crossdock_compare($one, $after[$keys[$number++]], "$place." . substr(preg_replace('/[^\w-]/', '?', (string) $key), 0, 30), $depth + 1);
            if ($wrong !== '') {
                return $wrong;
            }
        }
        return '';
    }
    if (is_string($before)) {
        return $before === $after ? '' : crossdock_text($before, $after, $place, $depth + 1);
    }
    return $before === $after || (is_float($before) && is_nan($before) && is_nan($after)) ? '' : "$place: a " . gettype($before) . ' changed';
}

/** Texts that differ: what they hold in serialized or JSON form must have kept its shape. */
function crossdock_text($before, $after, $place, $depth)
{
    if (preg_match('/^\s*(?:[aOsC]:\d+:|E:\d+:|[bid]:|N;)/', $before)) {
        $was = crossdock_open($before, $ok);
        if ($ok) {
            $is = crossdock_open($after, $still);
            return $still ? crossdock_compare($was, $is, $place, $depth + 1) : "$place: no longer unserializes";
        }
    }
    if (preg_match('/^\s*[\[{"]/', $before)) {
        $was = json_decode($before, true, 512, JSON_BIGINT_AS_STRING);
        if (json_last_error() === JSON_ERROR_NONE) {
            $is = json_decode($after, true, 512, JSON_BIGINT_AS_STRING);
            return json_last_error() === JSON_ERROR_NONE ? crossdock_compare($was, $is, $place, $depth + 1) : "$place: no longer JSON";
        }
    }
    return '';
}

function crossdock_read($length)
{
    $bytes = '';
    while (strlen($bytes) < $length) {
        $piece = fread(STDIN, min($length - strlen($bytes), 1 << 20));
        if ($piece === false || ($piece === '' && feof(STDIN))) {
            exit(0);
        }
        $bytes .= $piece;
    }
    return $bytes;
}

while (true) {
    $lengths = unpack('Nbefore/Nafter', crossdock_read(8));
    $before = crossdock_read($lengths['before']);
    $after = crossdock_read($lengths['after']);
    $wrong = crossdock_text($before, $after, 'value', 0);
    fwrite(STDOUT, pack('N', strlen($wrong)) . $wrong);
    fflush(STDOUT);
}
