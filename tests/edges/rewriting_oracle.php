<?php
// PHP's own word on the rewriting. `generate SEED COUNT` prints values as WordPress would store them, each with what
// it must become: the texts are replaced by the code below before PHP encodes them, so that no length is ever mended
// here. `check` reads pairs (before, after) and says for each whether PHP reads them.

enum Kind: string { case Simple = 'simple'; case Other = 'http://south.example/'; }
class Plain { public $open; protected $guarded; private $hidden; public $typed;
    function __construct($a, $b, $c) { $this->open = $a; $this->guarded = $b; $this->hidden = $c; } }
class Legacy implements Serializable {  // C: with a serialized payload
    public $data; function __construct($data) { $this->data = $data; }
    function serialize() { return serialize($this->data); }
    function unserialize($text) { $this->data = unserialize($text); } }
class Odd implements Serializable {  // C: with a format of its own around serialized values
    public $a; public $b; function __construct($a, $b) { $this->a = $a; $this->b = $b; }
    function serialize() { return 'x:' . serialize($this->a) . ';m:' . serialize($this->b); }
    function unserialize($text) { $this->a = $text; } }
class Wordy implements Serializable {  // C: with plain text
    public $a; function __construct($a) { $this->a = $a; }
    function serialize() { return $this->a; }
    function unserialize($text) { $this->a = $text; } }
class Modern { public array $kept = []; function __construct($kept) { $this->kept = $kept; }
    function __serialize(): array { return $this->kept; } function __unserialize(array $kept): void { $this->kept = $kept; } }

function replaced(string $text): string {
    $host = '~(?<![a-z]:)(?:\b(https?):)?//(south\.example|www\.north\.example)(?::(?:80|443)\b)?(?![\w@:-]|\.\w)(/wp-content/uploads(?![\w-]|\.\w))?~i';
    $text = preg_replace_callback($host, function ($m) {
        $to = strtolower($m[2]) === 'south.example' ? ['sued.target-network.example/de', '/wp-content/uploads/sites/3'] : ['n.example', '/wp-content/uploads'];
        return ($m[1] !== '' ? 'https:' : '') . '//' . $to[0] . (isset($m[3]) ? $to[1] : '');
    }, $text);
    return preg_replace('~(?<![\w./-])/var/www/html(?![\w-]|\.\w)~', '/sites/lumen', $text);
}

const TEXTS = ['see http://south.example/a b', '<a href="https://SOUTH.example">x</a>', '//www.north.example/x', 'größe 😀 http://south.example',
    'HTTP://www.North.example/wp-content/uploads/2020/é.jpg', 'http://south.example/wp-content/uploads', 'a shop@south.example b', 'http://south.example.org/',
    'http://south.example:8080/', 'http://south.example:80/x', 'http://south.example. And', '/var/www/html/wp-content/x.php', '/var/www/html2/x', 'nothing',
    '', "two\nlines http://south.example/\nhttp://www.north.example?q=1#f", "quotes \" and \\ http://south.example/\"", 'O:8:"stdClass', 'a:1:{i:0;',
    's:4:"x";', '://south.example', 'ftp://south.example/', "http://south.example/wp-content/uploads-old http://notsouth.example http://a-north.example",
    "\tuser:pw http://me@south.example/ //south.example", '}";s:3:"a";', 'http://south.example”', 'u=//south.example,//south.example/wp-content/uploads/a.png 2x'];

class Maker {
    private bool $on;
    function __construct(bool $on) { $this->on = $on; }
    private function map(string $text): string { return $this->on ? replaced($text) : $text; }
    function text(): string {
        $text = '';
        for ($i = mt_rand(1, 3); $i > 0; $i--) { $text .= TEXTS[mt_rand(0, count(TEXTS) - 1)] . ' '; }
        if (mt_rand(0, 2)) { $text = rtrim($text); }
        $text = $this->map($text);
        return mt_rand(0, 9) ? $text : rawurlencode($text);
    }
    private function json($value): string {
        $flags = 0;
        foreach ([JSON_UNESCAPED_SLASHES, JSON_UNESCAPED_UNICODE, JSON_HEX_QUOT, JSON_PRETTY_PRINT, JSON_HEX_TAG] as $flag) { if (!mt_rand(0, 3)) { $flags |= $flag; } }
        $json = json_encode($value, $flags);
        if ($json === false) { throw new Exception(json_last_error_msg()); }
        return $json;
    }
    function value(int $depth) {
        $pick = $depth > 0 ? mt_rand(0, 21) : mt_rand(0, 6);
        switch ($pick) {
            case 0: return mt_rand(-5, 1 << 40);
            case 1: return [0.1, -1.5e30, 1e-7, INF, 3.0, -0.0][mt_rand(0, 5)];
            case 2: return [true, false, null][mt_rand(0, 2)];
            case 3: case 4: case 5: case 6: return $this->text();
            case 7: case 8: case 9: return $this->items($depth);
            case 10: case 11: return serialize($this->value($depth - 1));
            case 12: return (object) ['url' => $this->value($depth - 1), 'http-like' => $this->text()];
            case 13: return new Plain($this->value($depth - 1), $this->text(), $this->value($depth - 1));
            case 14: return new Legacy($this->value($depth - 1));
            case 15: return new Odd($this->value($depth - 1), $this->text());
            case 16: return new Modern([$this->text(), 'k' => $this->value($depth - 1)]);
            case 17: $shared = $this->value($depth - 1); $a = [$this->text()]; $a[1] = &$shared; $a[2] = &$shared; $a[3] = Kind::Other; return $a;
            case 18: $o = new ArrayObject([$this->text(), $this->value($depth - 1)]); return $o;
            case 19: $s = new SplObjectStorage(); $s[(object) ['a' => $this->text()]] = $this->value($depth - 1); return $s;
            case 20: return $this->json($this->jsonable($depth));
            default: return new Wordy($this->text() . '!');
        }
    }
    private function items(int $depth): array {
        $made = [];
        for ($i = mt_rand(0, 4); $i > 0; $i--) {
            switch (mt_rand(0, 4)) {
                case 0: $made[$this->map('http://south.example/key/' . mt_rand(0, 99))] = $this->value($depth - 1); break;
                case 1: $made['key' . mt_rand(0, 9)] = $this->value($depth - 1); break;
                default: $made[] = $this->value($depth - 1);
            }
        }
        return $made;
    }
    function jsonable(int $depth) {
        $made = ['url' => $this->text(), $this->map('http://south.example/k') => mt_rand(0, 9)];
        for ($i = mt_rand(0, 3); $i > 0 && $depth > 0; $i--) {
            switch (mt_rand(0, 3)) {
                case 0: $made['ser' . $i] = serialize($this->value($depth - 1)); break;
                case 1: $made['json' . $i] = $this->json($this->jsonable($depth - 1)); break;
                case 2: $made[] = $this->jsonable($depth - 1); break;
                default: $made['größe'] = [1.5, null, $this->text(), serialize([$this->text()])];
            }
        }
        return $made;
    }
    function whole(): string {
        switch (mt_rand(0, 9)) {
            case 0: return $this->text();
            case 1: case 2: case 3: return $this->json($this->jsonable(3));
            case 4: return " \n" . serialize($this->items(3)) . "\n ";
            case 5: return $this->json(serialize($this->value(3)));
            default: $value = $this->items(4); return serialize($value);
        }
    }
}

ini_set('serialize_precision', '-1');
error_reporting(E_ALL & ~E_DEPRECATED & ~E_NOTICE & ~E_WARNING);
if ($argv[1] === 'generate') {
    for ($i = 0; $i < (int) $argv[3]; $i++) {
        $pair = [];
        foreach ([false, true] as $on) { mt_srand((int) $argv[2] + $i); $pair[] = base64_encode((new Maker($on))->whole()); }
        echo implode(' ', $pair), "\n";
    }
    exit;
}
while (($line = fgets(STDIN)) !== false) {
    $said = [];
    foreach (explode(' ', rtrim($line, "\n")) as $value) {
        $value = trim(base64_decode($value));
        try { $said[] = $value === 'b:0;' || unserialize($value) !== false ? '1' : '0'; } catch (Throwable $e) { $said[] = '0'; }
    }
    echo implode(' ', $said), "\n";
}
