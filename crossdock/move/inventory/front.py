"""What a store's front page tells of what stands between it and its visitors. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Item
from crossdock.move.inventory.words import masked, plain

# (header, pattern, who): the first header that fits names a CDN; caches are told beside it.
_CDNS = (
    ("cf-ray", ".", "Cloudflare"), ("server", "cloudflare", "Cloudflare"), ("x-amz-cf-id", ".", "Amazon CloudFront"),
    ("x-served-by", r"cache-\w+", "Fastly"), ("x-fastly-request-id", ".", "Fastly"), ("server", "akamai", "Akamai"),
    ("x-akamai-transformed", ".", "Akamai"), ("x-sucuri-id", ".", "Sucuri"), ("x-iinfo", ".", "Imperva"),
    ("x-cdn", "imperva|incapsula", "Imperva"), ("server", "bunnycdn", "bunny.net"), ("cdn-pullzone", ".", "bunny.net"),
    ("x-azure-ref", ".", "Azure Front Door"), ("server", "keycdn", "KeyCDN"), ("x-edge-location", ".", "KeyCDN"),
    ("x-hw", ".", "StackPath"), ("via", "google", "Google Cloud CDN"), ("x-kinsta-cache", ".", "Kinsta"),
    ("x-qc-pop", ".", "QUIC.cloud"),
)  # fmt: skip
_CACHES = (
    ("x-varnish", "Varnish"), ("x-litespeed-cache", "LiteSpeed"), ("x-cache", "a page cache"),
    ("x-fastcgi-cache", "nginx"), ("x-proxy-cache", "nginx"), ("x-wp-cf-super-cache", "a plugin with Cloudflare"),
    ("x-rocket-nginx-serving-static", "WP Rocket"), ("wp-super-cache", "WP Super Cache"),
)  # fmt: skip
_RULES = ("strict-transport-security", "content-security-policy", "x-frame-options", "permissions-policy")


def front_items(server: str, domain: str, status: int, headers: Mapping[str, str]) -> Iterator[Item]:
    """A CDN, page caches, and rules that browsers were given, by the headers of one store's front page."""
    named = dict.fromkeys(
        who for header, pattern, who in _CDNS if re.search(pattern, headers.get(header, ""), re.IGNORECASE)
    )
    for who in named:
        text = f"{who} stands before the store: its rules, redirects and firewall are settings of its own"
        yield Item("cdn", server, f"{domain}: {who}", text, {"domain": domain, "cdn": who})
    for header, who in _CACHES:
        value = plain(masked(headers.get(header, "")))[:100]
        if value:
            text = f"{who} keeps pages ({header}: {value})"
            yield Item("page-cache", server, f"{domain}: {header}", text, {"domain": domain, "header": header})
    rules = [name for name in _RULES if name in headers]
    if rules:
        text = f"browsers are told {', '.join(rules)}: the target must say the same"
        yield Item("header-rules", server, domain, text, {"domain": domain, "status": status, "headers": rules})


def front_findings(domain: str, headers: Mapping[str, str], problem: str) -> Iterator[Finding]:
    if problem:
        text = f"not known: what stands before the store: {plain(problem)}"
        way_out = "check the server's `http` in crossdock.toml, and that the store answers"
        yield Finding("land.unreadable", Level.WARN, f"front page: {domain}", text, way_out)
        return
    age = re.search(r"max-age=\"?(\d+)", headers.get("strict-transport-security", ""), re.IGNORECASE)
    if age and int(age[1]) > 0:
        text = "browsers remember for this name that only https is right (HSTS)"
        way_out = "the target must have a trusted certificate for it from the first moment on"
        yield Finding("front.hsts", Level.INFO, f"front page: {domain}", text, way_out, {"seconds": int(age[1])})
