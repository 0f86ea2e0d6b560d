"""PHP-FPM and nginx of one server. nginx hides its high port from PHP, so URLs carry none."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crossdock.lab.addresses import HTTP_PORT
from crossdock.lab.processes import Daemon, Part, socket_answers, tcp_answers
from crossdock.lab.server import Server, program

OFFLINE_PHP = """<?php
// The lab reaches no other machine: WordPress's own update checks would only wait for time-outs.
defined('WP_HTTP_BLOCK_EXTERNAL') || define('WP_HTTP_BLOCK_EXTERNAL', true);
defined('WP_ACCESSIBLE_HOSTS') || define('WP_ACCESSIBLE_HOSTS', '127.0.0.1,localhost,*.example');
"""

# Every other host leads to the sinks, by whatever name: they resolve nothing, so WordPress must not ask DNS first.
TO_SINKS_PHP = """defined('WP_PROXY_HOST') || define('WP_PROXY_HOST', '{host}');
defined('WP_PROXY_PORT') || define('WP_PROXY_PORT', '{port}');
$GLOBALS['wp_filter']['http_request_args'][PHP_INT_MAX][] = [
    'accepted_args' => 1,
    'function' => static function ($args) {{ return ['reject_unsafe_urls' => false] + $args; }},
];
"""

FASTCGI = """
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param SCRIPT_NAME $fastcgi_script_name;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param DOCUMENT_URI $document_uri;
      fastcgi_param DOCUMENT_ROOT $document_root;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      fastcgi_param GATEWAY_INTERFACE CGI/1.1;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param REMOTE_PORT $remote_port;
      fastcgi_param SERVER_ADDR $server_addr;
      fastcgi_param SERVER_PORT 80;
      fastcgi_param SERVER_NAME $host;
      fastcgi_param HTTP_HOST $host;
      fastcgi_param REDIRECT_STATUS 200;
      fastcgi_read_timeout 300s;
"""

PAGE_CACHE = """
      set $skip "";
      if ($request_method != GET) { set $skip 1; }
      if ($http_cookie ~* "wordpress_logged_in|wordpress_sec|wp-postpass|comment_author|woocommerce_|wp_woocommerce") {
        set $skip 1;
      }
      if ($request_uri ~* "/wp-admin|/wp-json|/wp-login|/wp-cron|/xmlrpc|rest_route") { set $skip 1; }
      if ($request_uri ~* "/cart|/checkout|/my-account|wc-ajax") { set $skip 1; }
      fastcgi_cache page;
      fastcgi_cache_key "$scheme$request_method$host$request_uri";
      fastcgi_cache_valid 200 301 302 10s;
      fastcgi_cache_bypass $skip;
      fastcgi_no_cache $skip;
      add_header X-Cache $upstream_cache_status always;
"""


@dataclass(frozen=True)
class VirtualHost:
    """One nginx server block. `names` as nginx takes them; `rules` are lines put before the WordPress locations."""

    name: str
    root: Path
    names: tuple[str, ...]
    is_default: bool = False
    rules: str = ""
    pool: str = "www"


@dataclass(frozen=True)
class WebOptions:
    """`page_cache`: anonymous GETs are kept for ten seconds. `log_names_host`: access log lines start with it. `proxy`:
    the host whose HTTP_PORT takes what WordPress sends to other hosts. `missing_php`: what answers where a .php file is
    not there."""

    page_cache: bool = False
    log_names_host: bool = False
    proxy: str = ""
    missing_php: str = "=404"
    php_values: Mapping[str, str] | None = None


class Web(Part):
    """PHP-FPM (one pool for each name in `hosts`) and nginx for `server`."""

    def __init__(self, server: Server, hosts: list[VirtualHost], options: WebOptions | None = None) -> None:
        self.server = server
        self.hosts = hosts
        self.options = options or WebOptions()

    @property
    def cache(self) -> Path:
        return self.server.tmp / "page-cache"

    def prepare(self) -> None:
        """Writes the settings of both."""
        server = self.server
        server.prepare()
        self.prepare_php()
        server.write(server.etc / "php-fpm.conf", self._fpm())
        server.write(server.etc / "nginx" / "nginx.conf", self._nginx())
        (server.etc / "nginx" / "conf.d").mkdir(exist_ok=True)
        for host in self.hosts:
            server.write(server.etc / "nginx" / "sites-enabled" / f"{host.name}.conf", self._server_block(host))
        server.account.own(server.run, server.log, server.tmp)

    def prepare_php(self) -> None:
        """Writes what PHP on this server reads, on the command line too: limits, mail into a file, no outside."""
        server = self.server
        values = {
            "memory_limit": "512M",
            "upload_max_filesize": "256M",
            "post_max_size": "256M",
            "max_execution_time": "300",
            "display_errors": "Off",
            "log_errors": "On",
            "error_reporting": "E_ALL & ~E_DEPRECATED & ~E_STRICT",
            "opcache.revalidate_freq": "0",
            "auto_prepend_file": str(server.etc / "php" / "offline.php"),
            "sendmail_path": str(server.bin / "sendmail"),
            **(self.options.php_values or {}),
        }
        ini = "".join(f'{key} = "{value}"\n' for key, value in values.items() if key != "error_reporting")
        server.write(server.etc / "php" / "99-lab.ini", ini + f"error_reporting = {values['error_reporting']}\n")
        to_sinks = TO_SINKS_PHP.format(host=self.options.proxy, port=HTTP_PORT) if self.options.proxy else ""
        server.write(server.etc / "php" / "offline.php", OFFLINE_PHP + to_sinks)
        mailbox = server.log / "mail.mbox"
        server.command("sendmail", f'{{ echo "From lab $(date -u +%FT%TZ)"; cat; echo; }} >> {mailbox}')

    def daemons(self) -> list[Daemon]:
        server = self.server
        sockets = [self._socket(pool) for pool in self._pools()]
        fpm = Daemon(
            server=server.name,
            name="php-fpm",
            address=str(sockets[0]),
            argv=[program("php-fpm", "php-fpm*"), "-F", "-y", str(server.etc / "php-fpm.conf")],
            log=server.log / "php-fpm.log",
            ready=lambda: all(socket_answers(path) for path in sockets),
            env=server.environment(),
        )
        nginx = Daemon(
            server=server.name,
            name="nginx",
            address=f"{server.address}:{HTTP_PORT}",
            argv=[*nginx_command(server), "-g", "daemon off;"],
            log=server.log / "nginx.log",
            ready=lambda: tcp_answers(server.address, HTTP_PORT),
        )
        return [fpm, nginx]

    def clear_cache(self) -> None:
        """Forgets every cached page."""
        for entry in self.cache.glob("*"):
            shutil.rmtree(entry, ignore_errors=True)

    def _pools(self) -> list[str]:
        return list(dict.fromkeys(host.pool for host in self.hosts))

    def _socket(self, pool: str) -> Path:
        return self.server.run / f"php-{pool}.sock"

    def _fpm(self) -> str:
        server = self.server
        lines = ["[global]", f"error_log = {server.log / 'php-fpm.log'}", "daemonize = no"]
        for pool in self._pools():
            lines += [
                f"[{pool}]",
                f"listen = {self._socket(pool)}",
                "pm = ondemand",
                "pm.max_children = 12",
                "pm.process_idle_timeout = 60s",
                "catch_workers_output = yes",
                "clear_env = no",
                f"php_admin_value[error_log] = {server.log / 'php-error.log'}",
            ]
        return "\n".join(lines) + "\n"

    def _nginx(self) -> str:
        server = self.server
        host = "$host:$server_port " if self.options.log_names_host else ""
        zone = f"  fastcgi_cache_path {self.cache} levels=1 keys_zone=page:4m max_size=64m inactive=60s;\n"
        return (
            nginx_head(server)
            + f'  log_format site \'{host}$remote_addr - $remote_user [$time_local] "$request" $status '
            '$body_bytes_sent "$http_referer" "$http_user_agent"\';\n'
            f"  access_log {server.log / 'access.log'} site;\n"
            + (zone if self.options.page_cache else "")
            + f"  include {server.etc / 'nginx' / 'conf.d'}/*.conf;\n"
            f"  include {server.etc / 'nginx' / 'sites-enabled'}/*.conf;\n}}\n"
        )

    def _server_block(self, host: VirtualHost) -> str:
        default = " default_server" if host.is_default else ""
        return (
            f"server {{\n  listen {self.server.address}:{HTTP_PORT}{default};\n"
            f"  server_name {' '.join(host.names)};\n  root {host.root};\n  index index.php;\n"
            f"{host.rules}"
            "  location / { try_files $uri $uri/ /index.php?$args; }\n"
            "  location ~ /\\.ht { deny all; }\n"
            f"  location ~ \\.php$ {{\n      try_files $uri {self.options.missing_php};"
            f"{FASTCGI}{PAGE_CACHE if self.options.page_cache else ''}"
            f"      fastcgi_pass unix:{self._socket(host.pool)};\n  }}\n}}\n"
        )


def nginx_command(server: Server) -> list[str]:
    """nginx with this server's settings, for starting it and for its own `nginx -t` or `nginx -s reload`."""
    return [program("nginx"), "-e", str(server.log / "nginx.log"), "-p", str(server.folder),
            "-c", str(server.etc / "nginx" / "nginx.conf")]  # fmt: skip


def nginx_head(server: Server) -> str:
    """The start of an nginx.conf, up to the middle of its http block, that needs no privileges."""
    temporary = "".join(
        f"  {kind}_temp_path {server.tmp / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    types = "/etc/nginx/mime.types"
    return (
        f"worker_processes 1;\npid {server.run / 'nginx.pid'};\nerror_log {server.log / 'nginx.log'} warn;\n"
        "events { worker_connections 1024; }\nhttp {\n"
        + (f"  include {types};\n" if Path(types).exists() else "")
        + "  default_type application/octet-stream;\n  sendfile on;\n  client_max_body_size 256m;\n"
        "  server_names_hash_bucket_size 128;\n  port_in_redirect off;\n  server_tokens off;\n" + temporary
    )
