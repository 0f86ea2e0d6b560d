"""The redirect map as settings of nginx and Apache, for hosts where the web server shall answer before PHP runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from crossdock.core.redirects import (
    GONE,
    QUERY_TAIL,
    REDIRECTS,
    Address,
    MapRow,
    address_of,
    compiled,
    decoded,
    escaped,
    from_start,
    python_pattern,
    shielded,
)

_SERVER_PART = """# Crossdock, map {digest}. For each server block; needs the other file at the http level.
if ($crossdock_to ~ "^410 ") {{ return 410; }}
{returns}if ($crossdock_alias) {{ return 301 $crossdock_alias$request_uri; }}
"""


def render_nginx(rows: Sequence[MapRow], digest: str) -> tuple[str, str]:
    """Two texts: maps for the http block, and the lines for each server block. nginx answers in one hop, aliases too.

    nginx compares a map's keys without regard to case: where that would mix addresses up, they become expressions.
    """
    exact = [(row, asked) for row in rows if row.match == "exact" and (asked := address_of(row.source))]
    spellings = Counter(key for key in {(asked.host + asked.key) for _, asked in exact})
    targets = {str(there) for row, _ in exact if (there := address_of(row.target))}
    folded = Counter(key.lower() for key in {*spellings, *targets})
    with_query: list[str] = []
    by_path: list[str] = []
    for row, asked in exact:
        if row.action in ("moved", "gone"):
            (with_query if asked.query else by_path).append(_nginx_entry(row, asked, folded))
    by_path += [
        _nginx_entry(row, asked, folded) for row in shielded(rows).values() if (asked := address_of(row.source))
    ]
    patterns = [_nginx_pattern(row) for row in rows if row.match == "pattern"]
    hosts = [(row.source, row.target.rstrip("/")) for row in rows if row.match == "host"]
    keys = [entry for entry in (*with_query, *by_path) if entry]
    longest = max((len(one) for one in keys), default=0)
    http = [
        f"# Crossdock, map {digest}. For the http block: include this file there.",
        f"map_hash_max_size {max(2048, 4 * len(keys))};",
        f"map_hash_bucket_size {max(64, 1 << (longest + 64).bit_length())};",
        *_map("$host", "$crossdock_site", [f'"{one}" "{_netloc(to)}";' for one, to in hosts], "$host"),
        *_map("$host", "$crossdock_alias", [f'"{one}" "{_value(to)}";' for one, to in hosts], '""'),
        *_map('"$crossdock_site$uri?$args"', "$crossdock_query", with_query, '""'),
        *_map('"$crossdock_site$uri"', "$crossdock_path", by_path, '""'),
        *_map('"$crossdock_site$request_uri"', "$crossdock_pattern", patterns, '""'),
        *_map("$crossdock_query", "$crossdock_exact", ['"" $crossdock_path;'], "$crossdock_query"),
        *_map("$crossdock_exact", "$crossdock_to", ['"" $crossdock_pattern;'], "$crossdock_exact"),
    ]
    returns = ""
    for status in sorted({row.status for row in rows if row.status in REDIRECTS}):
        returns += f'if ($crossdock_to ~ "^{status}\\+ (.+)$") {{ return {status} $1$is_args$args; }}\n'
        returns += f'if ($crossdock_to ~ "^{status} (.+)$") {{ return {status} $1; }}\n'
    return "\n".join(http) + "\n", _SERVER_PART.format(digest=digest, returns=returns)


def _map(of: str, variable: str, entries: Iterable[str], default: str) -> list[str]:
    return [f"map {of} {variable} {{", f"  default {default};", *(f"  {one}" for one in entries if one), "}"]


def _netloc(base: str) -> str:
    there = address_of(base)
    return there.host if there else ""


def _nginx_entry(row: MapRow, asked: Address, folded: Counter[str]) -> str:
    path = re.sub(r"/{2,}", "/", decoded(asked.path))
    key = f"{asked.host}{path}" + (f"?{asked.query}" if asked.query else "")
    if re.search(r"[\x00-\x1f\x7f]", key):
        return f"# left out, control characters: {asked.host}{asked.key}"
    if row.status == GONE:
        value = "410 gone"
    elif row.action == "kept":
        value = "200 kept"
    else:
        along = "" if asked.query or "?" in row.target else "+"
        value = f"{row.status}{along} {_value(row.target)}"
    if folded[(asked.host + asked.key).lower()] > 1:
        return f'"~^{_quoted(escaped(key))}$" "{value}";'
    return f'"{_quoted(key)}" "{value}";'


def _nginx_pattern(row: MapRow) -> str:
    host, pattern = row.parts
    value = "410 gone" if row.status == GONE else f"{row.status} {_value(row.target, captures=True)}"
    return f'"~^{_quoted(escaped(host) + pattern.removeprefix("^"))}" "{value}";'


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _value(url: str, *, captures: bool = False) -> str:
    """A URL as a value of nginx, which would read $ as a variable's name and has no escape for it."""
    bare = re.sub(r"\$(?!\d)" if captures else r"\$", "%24", url)
    return bare.replace('"', "%22").replace("\\", "%5C")


def render_apache(rows: Sequence[MapRow], digest: str) -> str:
    """Lines for a server's settings or .htaccess: RedirectMatch; RewriteRule only where the query decides (mod_alias
    never sees it). Apache 2.4 with mod_alias and mod_rewrite; no RewriteMap, which .htaccess can't declare."""
    aliases = {row.source: row.target.rstrip("/") for row in rows if row.match == "host"}
    by_query: list[str] = []
    by_path: dict[str, list[str]] = {}
    kept = [one for row in shielded(rows).values() if (one := address_of(row.source))]
    for row in rows:
        asked = address_of(row.source) if row.match == "exact" and row.action in ("moved", "gone") else None
        if asked and asked.query:
            test = f'RewriteCond %{{QUERY_STRING}} "^{escaped(asked.query)}$"'
            by_query += _rewrite(asked.host, test, f"^/?{escaped(decoded(asked.path).lstrip('/'))}$", row)
        elif asked:
            by_path.setdefault(asked.host, []).append(_redirect(f"^{escaped(decoded(asked.path))}$", row))
        elif row.match == "pattern":
            host, pattern = row.parts
            if r"\?" in pattern.removesuffix(QUERY_TAIL):
                test = f'RewriteCond "%{{REQUEST_URI}}?%{{QUERY_STRING}}" "{_quotes(pattern)}"'
                by_query += _rewrite(host, test, "^", row, back="%")
            else:
                without = _but_for(pattern.removesuffix(QUERY_TAIL), [one.path for one in kept if one.host == host])
                found = _redirect(f"{without}$", _without_tail(row))
                by_path.setdefault(host, []).append(found)
    lines = [f"# Crossdock, map {digest}", "RewriteEngine On", *by_query]
    # Of two sections that both hold, Apache lets the later one decide.
    for name, base in aliases.items():
        lines += _section([name], [f'RedirectMatch 301 "^(.*)$" "{base}$1"'])
    for host, redirects in by_path.items():
        lines += _section([host, *(name for name, base in aliases.items() if _netloc(base) == host)], redirects)
    return "\n".join(line for line in lines if "\0" not in line) + "\n"


def _section(hosts: Sequence[str], lines: Sequence[str]) -> list[str]:
    names = "|".join(map(escaped, hosts))
    return [f'<If "%{{HTTP_HOST}} =~ m#^(?:{names})(?::[0-9]+)?$#i">', *lines, "</If>"]


def _but_for(pattern: str, paths: Sequence[str]) -> str:
    """An expression that leaves alone those of the paths that it would fit."""
    if not paths:
        return pattern
    fits = compiled(python_pattern(pattern), False)
    hit = [escaped(decoded(path)) for path in paths if fits.search(path)]
    return f"^(?!(?:{'|'.join(hit)})$){from_start(pattern)}" if hit else pattern


def _without_tail(row: MapRow) -> MapRow:
    pattern = row.parts[1]
    if not pattern.endswith(QUERY_TAIL):
        return row
    last = f"${compiled(pattern, False).groups}"
    return replace(row, target=row.target.removesuffix(last))


def _redirect(pattern: str, row: MapRow) -> str:
    if row.status == GONE:
        return f'RedirectMatch 410 "{_word(pattern)}"'
    # mod_alias encodes the path of a target that an expression has made, so it must get it decoded.
    base, mark, query = row.target.partition("?")
    target = (base if "%" not in base else decoded(base)) + mark + query
    if row.match == "exact":
        target = target.replace("$", "\\$")
    return f'RedirectMatch {row.status} "{_word(pattern)}" "{_word(target)}"'


def _rewrite(host: str, test: str, pattern: str, row: MapRow, back: str = "") -> list[str]:
    flags = "G" if row.status == GONE else f"R={row.status},L,QSD,NE"
    target = "-" if row.status == GONE else row.target.replace("%", "\\%")
    target = re.sub(r"\$(\d)", rf"{back}\1", target) if back else target.replace("$", "\\$")
    return [
        f'RewriteCond %{{HTTP_HOST}} "^{escaped(host)}(?::[0-9]+)?$" [NC]', test,
        f'RewriteRule "{_quotes(pattern)}" "{_quotes(target)}" [{flags}]',
    ]  # fmt: skip


def _word(text: str) -> str:
    """A word in quotes as Apache's core reads it: of two backslashes it takes one away."""
    return _quotes(text.replace("\\", "\\\\"))


def _quotes(text: str) -> str:
    """A word in quotes as mod_rewrite reads it: backslashes are the expression's own."""
    return text.replace('"', '\\"').replace("\n", "\\n")
