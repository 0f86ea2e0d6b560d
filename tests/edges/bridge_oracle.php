<?php
// Answers for tests with the bridge's own classes, without WordPress. JSON on stdin: {do, ...}.
define('ABSPATH', '/nowhere/');
$folder = $argv[1];
require "$folder/class-crossdock-bridge-redirects.php";
require "$folder/class-crossdock-bridge-scan.php";
require "$folder/class-crossdock-bridge-request.php";
$ask = json_decode(stream_get_contents(STDIN), true);
switch ($ask['do']) {
    case 'find':
        $table = Crossdock_Bridge_Redirects::table($ask['file']);
        $made = array_map(static function ($one) use ($table) {
            return Crossdock_Bridge_Redirects::find($table, $one[0], $one[1]);
        }, $ask['requests']);
        break;
    case 'time':
        $table = Crossdock_Bridge_Redirects::table($ask['file']);
        foreach ($ask['requests'] as $one) {
            $began = microtime(true);
            $made[] = Crossdock_Bridge_Redirects::find($table, $one[0], $one[1]);
        }
        $made[] = microtime(true) - $began;
        break;
    case 'normal':
        $made = array_map(['Crossdock_Bridge_Redirects', 'normalised'], $ask['paths']);
        break;
    case 'alias':
        $made = Crossdock_Bridge_Redirects::alias(Crossdock_Bridge_Redirects::table($ask['file']), $ask['host'], $ask['uri']);
        break;
    case 'scan':
        $made = Crossdock_Bridge_Scan::calls_in($ask['code']);
        break;
    case 'sign':
        $made = Crossdock_Bridge_Request::signature(...$ask['parts']);
        break;
    case 'value':
        $made = array_map(static function ($code) {
            return eval("return $code;");
        }, $ask['codes']);
}
echo json_encode($made, JSON_UNESCAPED_SLASHES);
