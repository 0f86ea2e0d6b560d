"""Old redirect rules as servers and plugins write them: what they mean, in which order, and what can't be read."""

from __future__ import annotations

import pytest

from crossdock.core.redirects import Address, Rule, Slot, address_of, normal, python_pattern
from crossdock.formats.htaccess import parse_htaccess
from crossdock.formats.nginx_rules import parse_nginx
from crossdock.lab.sources import EAST_RULES, NORTH_RULES, SOUTH_HTACCESS, SOUTH_RULES
from crossdock.move.rulebook import RuleBook, literal_start
from crossdock.wordpress.redirect_plugins import plugin_rules


def asked(url: str) -> Address:
    found = address_of(url if "://" in url else f"http://a.example{url}")
    assert found
    return found


def nginx(text: str, *urls: str) -> list[str | None]:
    settings = parse_nginx(f"server {{ server_name a.example www.a.example;\n{text}\n}}", "nginx.conf")
    assert settings.problems == ()
    book = RuleBook(settings.rules)
    return [found[1] if (found := book.first(asked(url))) else None for url in urls]


def apache(text: str, *urls: str) -> list[str | None]:
    rules, problems = parse_htaccess(text, ".htaccess")
    assert problems == []
    book = RuleBook(rules)
    return [found[1] if (found := book.first(asked(url))) else None for url in urls]


# -- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "one"),
    [
        ("/a%7eb", "/a~b"),
        ("/gr%c3%b6%C3%9Fe", "/gr%C3%B6%C3%9Fe"),
        ("/größe", "/gr%C3%B6%C3%9Fe"),
        ("/100%", "/100%25"),
        ("/a b\n", "/a%20b%0A"),
        ("/%2F%2f", "/%2F%2F"),
        ("/\udcff", "/%FF"),
        ("/a?b", "/a%3Fb"),
        ("/plain-path_1/", "/plain-path_1/"),
    ],
)
def test_an_address_has_one_spelling(written: str, one: str) -> None:
    assert normal(written) == one
    assert normal(one) == one


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//a.example/", "http://", "http://user@a.example/", "http://a.example/\n", "/x", ""]
)
def test_what_is_no_address(url: str) -> None:
    if url.endswith("\n"):
        url = "http://a.example/\nSet-Cookie: x"
    assert address_of(url) is None


def test_an_address_forgets_scheme_usual_port_and_fragment() -> None:
    assert address_of("HTTPS://A.Example:443/x?y=1#z") == Address("a.example", "/x", "y=1")
    assert address_of("http://a.example:443") == Address("a.example:443", "/")


# -- nginx -----------------------------------------------------------------------------------------------------------


def test_the_labs_own_rules_mean_what_nginx_makes_of_them() -> None:
    assert nginx(NORTH_RULES, "/alte-jacken", "/shop/artikel-17.html", "/kontakt.html", "/else") == [
        "/produkt-kategorie/jacken/", "/?p=17", "/kontakt/", None,
    ]  # fmt: skip
    assert nginx(
        SOUTH_RULES, "/catalog/product/view/id/12", "/tents.html", "/?x=1&product_id=12", "/old-blog/hello-world/"
    ) == ["/?p=12", "/product-category/tents/", "/?p=12", "/hello-world/"]
    assert nginx(EAST_RULES, "/impressum.html", "/b2b/terms/?lang=de") == [
        "http://east.example/legal/", "/trade/terms/",
    ]  # fmt: skip


def test_a_rewrite_takes_the_query_along_and_a_return_does_not() -> None:
    assert nginx("rewrite ^/a$ /b permanent;", "/a?x=1") == ["/b?x=1"]
    assert nginx("rewrite ^/a$ /b? permanent;", "/a?x=1") == ["/b"]
    assert nginx("location = /a { return 301 /b; }", "/a?x=1") == ["/b"]
    assert nginx("location = /a { return 301 /b$is_args$args; }", "/a?x=1", "/a") == ["/b?x=1", "/b"]


def test_nginx_asks_its_locations_in_its_own_order() -> None:
    text = """
      location /a { return 301 /prefix; }
      location ~ ^/a/(.+)\\.html$ { return 301 /expression/$1; }
      location ^~ /a/b { return 301 /first; }
      location = /a/b/c.html { return 301 /exact; }
      rewrite ^/a/server$ /server permanent;
    """
    assert nginx(text, "/a/b/c.html", "/a/b/d.html", "/a/c.html", "/a/x", "/ab", "/a/server") == [
        "/exact", "/first", "/expression/c", "/prefix", "/prefix", "/server",
    ]  # fmt: skip


def test_conditions_and_maps() -> None:
    assert nginx("if ($arg_id = 7) { return 301 /seven; }", "/x?id=7&y=1", "/x?id=77") == ["/seven", None]
    assert nginx("if ($args ~ ^cat=(\\d+)$) { return 301 /cat/; }", "/?cat=3", "/?dog=3") == ["/cat/", None]
    text = """map $uri $to { default ''; /a /b; ~^/c/(.*)$ /d/$1; }
      server { server_name a.example; if ($to) { return 301 $to; } }"""
    book = RuleBook(parse_nginx(text, "x").rules)
    assert [book.first(asked(path))[1] for path in ("/a", "/c/x")] == ["/b", "/d/x"]  # type: ignore[index]


def test_hosts_and_aliases() -> None:
    text = """server { server_name www.a.example; return 301 https://a.example$request_uri; }
      server { listen 80; server_name a.example; return 301 https://$host$request_uri; }
      server { server_name "~^(.+)$"; location = /x { return 410; } }"""
    alias, gone = parse_nginx(text, "x").rules
    assert (alias.hosts, alias.alias_of) == (("www.a.example",), "https://a.example")
    assert (gone.status, gone.hosts, gone.match) == (410, (), "/x")


def test_what_nginx_prints_of_all_its_files_is_read_with_their_names() -> None:
    text = (
        "# configuration file /etc/nginx/nginx.conf:\nhttp {\n  access_log /var/log/a.log combined;\n}\n"
        "# configuration file /etc/nginx/sites/a:\nserver {\n\n  rewrite ^/x$ /y redirect;\n access_log off; }\n"
    )
    settings = parse_nginx(text, "north")
    assert settings.rules[0].origin == "north /etc/nginx/sites/a:3"
    assert settings.rules[0].status == 302
    assert settings.access_logs == ("/var/log/a.log",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rewrite ^/([a /b permanent;", "no regular expression"),
        ("rewrite ^/(a+)+$ /b permanent;", "may take for ever"),
        ("if ($http_cookie ~ x) { return 301 /y; }", "not understood"),
        ("location = /a { return 301 /$cookie_x; }", "only the running server knows"),
        ("rewrite ^/a;", "without a pattern and a target"),
        ('rewrite "^/a /b permanent;', "not closed"),
    ],
)
def test_what_nginx_rules_can_not_be_read_is_told_with_its_line(text: str, why: str) -> None:
    settings = parse_nginx(f"server {{\n{text}\nlocation = /good {{ return 301 /b; }}\n}}", "n")
    assert why in settings.problems[0].what
    assert settings.problems[0].place == "n:2"
    if "closed" not in why:
        assert [rule.match for rule in settings.rules] == ["/good"]


def test_directives_without_words_end_no_reading() -> None:
    told = parse_nginx("server { return; rewrite; location; if; location = {} map; server_name; return 301 /x; }", "n")
    assert [rule.target for rule in told.rules] == [("/x",)]


def test_hostile_nesting_ends() -> None:
    settings = parse_nginx("server {" * 100_000, "n")
    assert settings.rules == ()
    assert settings.problems


# -- Apache ----------------------------------------------------------------------------------------------------------


def test_the_labs_htaccess() -> None:
    assert apache(
        SOUTH_HTACCESS, "/catalog/product/view/id/12", "/?product_id=12", "/?a=1&product_id=3", "/tents.html",
        "/old-blog/hello-world/", "/anything/",
    ) == ["/?p=12", "/?p=12", "/?p=3", "/product-category/tents/", "/hello-world/", None]  # fmt: skip


def test_redirect_takes_what_follows_and_the_query_along() -> None:
    text = "Redirect permanent /old http://a.example/new\nRedirect gone /bad\n"
    assert apache(text, "/old", "/old/x/?y=1", "/older", "/bad/x") == [
        "http://a.example/new", "http://a.example/new/x/?y=1", None, "",
    ]  # fmt: skip


def test_rewrite_rules_come_before_redirects_and_mind_their_conditions() -> None:
    text = r"""
Redirect 301 /a /alias
RewriteEngine On
RewriteCond %{HTTP_HOST} ^(www\.)?b\.example$ [NC]
RewriteRule (.*) https://a.example/$1 [R=301,L]
RewriteCond %{QUERY_STRING} x=1
RewriteCond %{QUERY_STRING} ^b=([0-9]+)
RewriteRule ^q$ /c/%1? [R=301]
RewriteRule ^A$ /rewritten [NC,R=301,L]
RewriteRule ^hidden$ /index.php [L]
RewriteRule ^keep$ /k?z=1 [R=301,QSA]
RewriteRule ^gone$ - [G]
RewriteCond %{HTTPS} off
RewriteRule ^(.*)$ https://%{HTTP_HOST}/$1 [R=301,L]
"""
    assert apache(text, "/a", "/q?b=7&x=1", "/q?b=7", "/hidden", "/keep?y=2", "/gone") == [
        "/rewritten", "/c/7", None, None, "/k?z=1&y=2", "",
    ]  # fmt: skip
    alias = parse_htaccess(text, "h")[0][0]
    assert (alias.alias_of, alias.hosts) == ("https://a.example/", ("www.b.example", "b.example"))


def test_a_virtual_host_narrows_its_rules() -> None:
    text = """<VirtualHost *:80>
      ServerName a.example
      ServerAlias www.a.example
      Redirect 301 /x /y
      </VirtualHost>
      Redirect 301 /z /y"""
    rules, _ = parse_htaccess(text, "h")
    assert [rule.hosts for rule in rules] == [("a.example", "www.a.example"), ()]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("RewriteRule ^broken([ /x [R=301]", "no regular expression"),
        ("Redirect 301 relative /x", "must begin with /"),
        ("Redirect 301 /x", "without a path or a target"),
        ("Redirect 500 /x", "no redirect"),
        ("RewriteCond %{HTTP_COOKIE} a\nRewriteRule ^x$ /y [R]", "only the running server knows"),
        ("RewriteRule !^x /y [R=301]", "must not fit"),
        ("RewriteRule ^x$ /%{ENV:HOME} [R=301]", "only the running server knows"),
    ],
)
def test_what_apache_rules_can_not_be_read_is_told_with_its_line(line: str, why: str) -> None:
    rules, problems = parse_htaccess(f"\n{line}\nRedirect 301 /good /b", "h")
    assert why in problems[0][1]
    assert problems[0][0] == f"h:{3 if line.startswith('RewriteCond') else 2}"
    assert [rule.match for rule in rules] == ["/good"]


@pytest.mark.parametrize("line", ['"', '" "', "''", '\\"', '"RewriteRule', "<", "\x00"])
def test_a_line_that_is_nothing_does_not_end_the_reading(line: str) -> None:
    rules, _ = parse_htaccess(f"{line}\nRedirect 301 /a /b", "h")
    assert [rule.match for rule in rules] == ["/a"]


@pytest.mark.parametrize(
    "condition",
    [r"%{HTTP_HOST} ^(.+)\.old\.example$", "%{QUERY_STRING} (open", "%{HTTP_HOST}", "%{QUERY_STRING} (a+)+"],
)
def test_a_rule_whose_condition_can_not_be_read_is_none(condition: str) -> None:
    rules, problems = parse_htaccess(
        f"RewriteCond {condition}\nRewriteCond %{{HTTPS}} off\nRewriteRule ^ https://new.example/ [R=301]\n"
        "RewriteRule ^a$ /b [R]", "h"
    )  # fmt: skip
    assert [rule.origin for rule in rules] == ["h:4"]
    assert [place for place, _ in problems] == ["h:1", "h:3"]


def test_what_counts_for_some_requests_only_is_told_and_no_rule() -> None:
    text = """<If "%{HTTP_HOST} == 'x'">
        Redirect 301 / https://x.example/
        </If>
        <FilesMatch "\\.pdf$">
        <IfModule mod_rewrite.c>
        RewriteRule ^(.*)$ /pdf [R]
        </IfModule>
        </FilesMatch>
        RewriteCond %{REQUEST_METHOD} POST
        RewriteRule ^post$ /p [R]
        RewriteCond %{REQUEST_METHOD} !^POST$
        RewriteRule ^get$ /g [R]
        Redirect 301 /a /b"""
    rules, problems = parse_htaccess(text, "h")
    assert [rule.origin for rule in rules] == ["h:12", "h:13"]
    assert [place for place, _ in problems] == ["h:2", "h:6", "h:10"]


def test_lines_may_go_on() -> None:
    rules, _ = parse_htaccess("Redirect 301 \\\n  /a \\\n /b\nRedirect 301 /c /d", "h")
    assert [(rule.origin, rule.match) for rule in rules] == [("h:1", "/a"), ("h:4", "/c")]


# -- plugins ---------------------------------------------------------------------------------------------------------


def plugin(**row: object) -> dict[str, object]:
    usual = {
        "by": "redirection",
        "id": "1",
        "active": True,
        "compare": "exact",
        "match": "/a",
        "target": "/b",
        "status": 301,
    }
    return usual | row


def test_plugins_rules() -> None:
    rows = [
        plugin(match="old/page", target="new"),
        plugin(compare="regex", match="^/r/(\\d+)", target="/post-$1/"),
        plugin(compare="start", match="shop", target="/store/"),
        plugin(match="http://a.example/full?x=1", target="http://b.example/"),
        plugin(match="/off", active=False),
        plugin(match="/gone", status=410, target=""),
        plugin(compare="regex", match="^/(", target="/x"),
        plugin(status=404),
    ]
    active, idle, problems = plugin_rules(rows, "north", "a.example")
    book = RuleBook(active)
    urls = ("/old/page", "/old/page/", "/r/12", "/shop/x", "/full?x=1", "/full", "/gone/", "/off")
    assert [found[1] if (found := book.first(asked(url))) else None for url in urls] == [
        "/new", "/new", "/post-12/", "/store/", "http://b.example/", None, "", None,
    ]  # fmt: skip
    assert {rule.match for rule in idle} == {"/off", "/off/"}
    assert len(problems) == 1


# -- many rules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "start"),
    [
        (r"^/shop/artikel-([0-9]+)\.html$", "/shop/artikel-"),
        (r"^/tents\.html$", "/tents.html"),
        (r"^/old/?$", "/old"),
        (r"^/a|^/b", ""),
        (r"^/(a|b)/", "/"),
        (r"^/a+b", "/a"),
        (r"^/x[|]y", "/x"),
        (r"^/\d+", "/"),
        (r"old", ""),
    ],
)
def test_the_plain_beginning_of_an_expression(pattern: str, start: str) -> None:
    assert literal_start(Rule("o", "pattern", pattern, ("/x",), 301)) == start


def test_ten_thousand_rules_that_overlap_are_asked_in_order_and_quickly() -> None:
    rules = []
    for number in range(3_000):
        rules.append(Rule(f"e{number}", "exact", f"/p/{number % 1_500}", (f"/t/{number}",), 301))
        rules.append(Rule(f"f{number}", "prefix", f"/p/{number}", (f"/u/{number}",), 301))
        rules.append(Rule(f"r{number}", "pattern", f"^/p/{number}-(\\d+)", ("/v/", Slot("path", "1")), 301))
    rules += [Rule(f"any{number}", "pattern", f"{number}$", ("/w",), 301) for number in range(1_000)]
    book = RuleBook(rules)
    tried = 0
    original = Rule.applied

    def counted(self: Rule, address: Address) -> str | None:
        nonlocal tried
        tried += 1
        return original(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "applied", counted)
        for number in range(3_000):
            first = book.first(asked(f"/p/{number}"))
            assert first
            assert first[0].origin == (f"e{number}" if number < 1_500 else f"f{number}")
    # Each address tries the few rules that could fit, not ten thousand.
    assert tried < 3_000 * 20


def test_the_first_of_two_rules_decides() -> None:
    rules = [Rule("1", "exact", "/a", ("/x",), 301), Rule("2", "exact", "/a", ("/y",), 301)]
    assert [rule.origin for rule, _ in RuleBook(rules).matches(asked("/a"))] == ["1", "2"]


@pytest.mark.parametrize(
    "pattern", ["(a+)+", "(?:x*)*", "(a|b+)*c", "((a)+b)+", "(a|aa)+", "((?:.|/)x?)*", "(?:[^/]+/?){2,}"]
)
def test_expressions_that_may_take_for_ever_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="for ever"):
        python_pattern(pattern)


def test_pcre_becomes_python() -> None:
    assert python_pattern(r"^\/a(?<id>[[:digit:]]+)\z") == r"^/a(?P<id>[0-9]+)\Z"
