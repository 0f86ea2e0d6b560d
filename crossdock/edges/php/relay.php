<?php
// Carries bytes between stdin/stdout and a database socket, where the SSH server forbids forwarding.
// Arguments: "unix:///path" or "tcp://host:port". One connection a process; ends when either side closes.
@set_time_limit(0);
$database = @stream_socket_client($argv[1], $number, $text, 15);
if (!$database) {
    fwrite(STDERR, "crossdock-relay: {$argv[1]}: $text ($number)\n");
    exit(7);
}
$piece = 262144;
stream_set_chunk_size($database, $piece);
stream_set_chunk_size(STDIN, $piece);
foreach ([$database, STDIN, STDOUT] as $stream) {
    stream_set_blocking($stream, false);
}
stream_set_read_buffer($database, 0);
stream_set_read_buffer(STDIN, 0);
$to_database = $to_client = '';
$client_open = $database_open = true;
while (true) {
    // A side is read only when what it sent before has left: so memory stays at two pieces.
    $read = $write = [];
    if ($client_open && $to_database === '') {
        $read[] = STDIN;
    }
    if ($database_open && $to_client === '') {
        $read[] = $database;
    }
    if ($to_database !== '') {
        $write[] = $database;
    }
    if ($to_client !== '') {
        $write[] = STDOUT;
    }
    if (!$read && !$write) {
        exit(0);
    }
    $except = null;
    if (@stream_select($read, $write, $except, 3600) === false) {
        exit(0);
    }
    foreach ($read as $stream) {
        $bytes = @fread($stream, $piece);
        if ($bytes === false || $bytes === '') {
            if (!feof($stream)) {
                continue;
            }
            // The client has gone: its unsent bytes still go out, the server's answers have no reader.
            $client_open = $stream === STDIN ? false : $client_open;
            $database_open = false;
        } elseif ($stream === STDIN) {
            $to_database = $bytes;
        } else {
            $to_client = $bytes;
        }
    }
    foreach ($write as $stream) {
        $sent = @fwrite($stream, $stream === STDOUT ? $to_client : $to_database);
        if ($sent === false) {
            exit(0);
        }
        if ($stream === STDOUT) {
            $to_client = (string) substr($to_client, $sent);
        } else {
            $to_database = (string) substr($to_database, $sent);
        }
    }
    if (!$database_open && $to_client === '' && ($to_database === '' || $client_open)) {
        exit(0);
    }
}
