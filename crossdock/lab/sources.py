"""The three source servers, unlike each other on purpose: versions, prefixes, charsets, access to the binlog."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from crossdock.core.errors import SourceError
from crossdock.lab import wordpress
from crossdock.lab.addresses import MYSQL_PORT
from crossdock.lab.installation import Installation
from crossdock.lab.mariadb import MariaDb, MariaDbOptions
from crossdock.lab.passwords import kept
from crossdock.lab.server import SEARCH_PATH, Server, program
from crossdock.lab.sshd import SshServer
from crossdock.lab.web import VirtualHost, Web, WebOptions, nginx_command

CROSSDOCK_USER = "crossdock"


@dataclass(frozen=True)
class Blog:
    """A store: one blog of a source. `staging` is its first label below staging.lumen.example."""

    store: str
    number: int
    domain: str
    title: str
    locale: str


@dataclass(frozen=True)
class SourceSpec:
    """What makes a source what it is. `db_host`: how its wp-config.php names the database server."""

    name: str
    host_number: int
    blogs: tuple[Blog, ...]
    prefix: str
    theme: str
    is_old: bool
    binlog: bool
    woocommerce: bool
    db_host: str
    rules: str
    alias: str
    htaccess: str = ""

    old_paths: tuple[str, ...] = ()

    @property
    def multisite(self) -> bool:
        return len(self.blogs) > 1

    @property
    def domain(self) -> str:
        return self.blogs[0].domain


NORTH_RULES = """
  rewrite ^/alte-jacken/?$ /produkt-kategorie/jacken/ permanent;
  rewrite ^/shop/artikel-([0-9]+)\\.html$ /?p=$1 permanent;
  location = /kontakt.html { return 301 /kontakt/; }
  location = /agb.php { return 301 /agb/; }
"""
SOUTH_RULES = """
  rewrite ^/catalog/product/view/id/([0-9]+)/?$ /?p=$1 permanent;
  rewrite ^/tents\\.html$ /product-category/tents/ permanent;
  if ($arg_product_id) { return 301 /?p=$arg_product_id; }
  location ^~ /old-blog/ { rewrite ^/old-blog/(.*)$ /$1 permanent; }
"""
SOUTH_HTACCESS = """# Left from the days of Apache; nginx has taken these rules over.
RewriteEngine On
RewriteRule ^catalog/product/view/id/([0-9]+)/?$ /?p=$1 [R=301,L]
RewriteCond %{QUERY_STRING} (?:^|&)product_id=([0-9]+)
RewriteRule ^$ /?p=%1 [R=301,L]
Redirect 301 /tents.html /product-category/tents/
RedirectMatch 301 ^/old-blog/(.*)$ /$1

# BEGIN WordPress
<IfModule mod_rewrite.c>
RewriteEngine On
RewriteBase /
RewriteRule ^index\\.php$ - [L]
RewriteCond %{REQUEST_FILENAME} !-f
RewriteCond %{REQUEST_FILENAME} !-d
RewriteRule . /index.php [L]
</IfModule>
# END WordPress
"""
EAST_RULES = """
  location = /impressum.html { return 301 http://east.example/legal/; }
  location ~ ^/b2b/(?<rest>.*)$ { return 301 /trade/$rest; }
"""

SPECS = (
    SourceSpec(
        name="north", host_number=1, prefix="wp_", theme="twentytwentythree", is_old=True, binlog=True,
        woocommerce=False, db_host="address", rules=NORTH_RULES, alias="north.example",
        old_paths=("/alte-jacken/", "/kontakt.html", "/shop/artikel-17.html", "/agb.php"),
        blogs=(Blog("north", 1, "www.north.example", "Lumen North", "sv_SE"),),
    ),
    SourceSpec(
        name="south", host_number=2, prefix="shop7_", theme="twentytwentyfive", is_old=False, binlog=True,
        woocommerce=True, db_host="port", rules=SOUTH_RULES, alias="www.south.example", htaccess=SOUTH_HTACCESS,
        old_paths=("/tents.html", "/catalog/product/view/id/12", "/?product_id=12", "/old-blog/hello-world/"),
        blogs=(Blog("south", 1, "south.example", "Lumen South", "el"),),
    ),
    SourceSpec(
        name="east", host_number=3, prefix="wp_", theme="twentytwentyfour", is_old=False, binlog=False,
        woocommerce=False, db_host="socket", rules=EAST_RULES, alias="www.east.example",
        old_paths=("/impressum.html", "/b2b/terms/?lang=de"),
        blogs=(
            Blog("east", 1, "east.example", "Lumen East", "de_AT"),
            Blog("east-fr", 2, "fr.east.example", "Lumen Est", "fr_FR"),
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Code:
    """Where the pieces lie that installations are made from."""

    newest: Path
    old: Path
    wp_cli: Path
    woocommerce: Path | None


def find_code() -> tuple[Code, list[str]]:
    """The code, and what of it is not the real thing. Errors: SourceError when there is no WordPress at all."""
    not_real = []
    newest = wordpress.newest_wordpress()
    try:
        old = wordpress.old_wordpress()
    except SourceError as error:
        old = newest
        not_real.append(f"north runs WordPress {wordpress.NEWEST} instead of {wordpress.OLD}: {error.what}")
    woocommerce = wordpress.woocommerce()
    if woocommerce is None:
        not_real.append("south has WooCommerce's tables and data, but not its code: neither cache nor wordpress.org")
    return Code(newest, old, wordpress.wp_cli(), woocommerce), not_real


class Source:
    """One source server with its daemons and its WordPress. Order: prepare, daemons started, install."""

    def __init__(
        self,
        spec: SourceSpec,
        server: Server,
        client_key: Path,
        secrets_folder: Path,
        wp_cli: Path,
        buffer_pool: str = "64M",
    ) -> None:
        self.spec = spec
        self.server = server
        self.database = f"wp_{spec.name}"
        self.password_file = secrets_folder / f"{spec.name}-db"
        self.own_password_file = secrets_folder / f"{spec.name}-wordpress-db"
        self.admin_password_file = secrets_folder / f"{spec.name}-wordpress-admin"
        self.mariadb = MariaDb(
            server,
            MariaDbOptions(binlog=spec.binlog, server_id=10 + spec.host_number, buffer_pool=buffer_pool),
            template=secrets_folder.parent / "template",
            root_password_file=secrets_folder / f"{spec.name}-db-root",
        )
        self.ssh = SshServer(server, client_key)
        self.web = Web(server, [self._host(), self._alias()], WebOptions(log_names_host=spec.multisite))
        self.wordpress = Installation(
            server=server, root=server.folder / "www", database=self.database, db_user=f"wp_{spec.name}",
            db_password=kept(self.own_password_file), db_host=self._db_host(), prefix=spec.prefix, wp_cli=wp_cli,
        )  # fmt: skip

    @property
    def has_woocommerce(self) -> bool:
        """Whether WooCommerce's own code runs here."""
        return self.spec.woocommerce and (self.wordpress.root / "wp-content/plugins/woocommerce").exists()

    def prepare(self, code: Code) -> None:
        """Writes all settings and copies WordPress's code."""
        self.mariadb.setup = self._accounts(kept(self.password_file))
        self.mariadb.prepare()
        self.ssh.prepare()
        self.web.prepare()
        plugins = {"woocommerce": code.woocommerce} if self.spec.woocommerce and code.woocommerce else {}
        self.wordpress.place(code.old if self.spec.is_old else code.newest, plugins=plugins)
        self._write_files()
        # The people of the source's own company look after this server: its settings are theirs to change.
        self.server.account.own(self.wordpress.root, self.server.home, self.server.etc)

    def install(self) -> None:
        """Sets WordPress up by WP-CLI; needs the database."""
        self.mariadb.forget_setup()
        first = self.spec.blogs[0]
        people = ["--admin_user=admin", f"--admin_email=webmaster@{self.spec.name}.example",
                  f"--admin_password={kept(self.admin_password_file)}", "--skip-email"]  # fmt: skip
        kind = ["multisite-install", "--subdomains"] if self.spec.multisite else ["install"]
        self.wordpress.cli("core", *kind, f"--title={first.title}", *people, url=f"http://{first.domain}")
        for blog in self.spec.blogs[1:]:
            slug = blog.domain.partition(".")[0]
            self.wordpress.cli("site", "create", f"--slug={slug}", f"--title={blog.title}", url=first.domain)
        for blog in self.spec.blogs:
            self.wordpress.cli("eval", self._settings(blog), url=blog.domain)
        if self.has_woocommerce:
            self.wordpress.cli("plugin", "activate", "woocommerce", url=first.domain)

    def _settings(self, blog: Blog) -> str:
        return (
            f"update_option('WPLANG', '{blog.locale}'); update_option('timezone_string', 'Europe/Berlin');"
            f"update_option('permalink_structure', '/%postname%/'); switch_theme('{self.spec.theme}');"
            "update_option('woocommerce_custom_orders_table_enabled', 'yes');"
            "update_option('woocommerce_coming_soon', 'no'); flush_rewrite_rules(false);"
        )

    def _accounts(self, crossdock_password: str) -> list[str]:
        name, own = self.database, f"'wp_{self.spec.name}'@'%'"
        crossdock = f"'{CROSSDOCK_USER}'@'%'"
        pattern = name.replace("_", "\\_")
        return [
            f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4",
            f"CREATE USER {own} IDENTIFIED BY '{kept(self.own_password_file)}'",
            f"GRANT ALL PRIVILEGES ON `{pattern}`.* TO {own}",
            f"CREATE USER {crossdock} IDENTIFIED BY '{crossdock_password}'",
            f"GRANT SELECT, SHOW VIEW, TRIGGER, LOCK TABLES, EVENT ON `{pattern}`.* TO {crossdock}",
            f"GRANT REPLICATION CLIENT, REPLICATION SLAVE, PROCESS ON *.* TO {crossdock}",
        ]

    def _db_host(self) -> str:
        return {
            "address": self.server.address,
            "port": f"{self.server.address}:{MYSQL_PORT}",
            "socket": f"localhost:{self.server.mysql_socket}",
        }[self.spec.db_host]

    def _host(self) -> VirtualHost:
        names = tuple(blog.domain for blog in self.spec.blogs)
        return VirtualHost(self.spec.name, self.server.folder / "www", names, is_default=True, rules=self.spec.rules)

    def _alias(self) -> VirtualHost:
        rule = f"  if ($host = {self.spec.alias}) {{ return 301 http://{self.spec.domain}$request_uri; }}\n"
        return VirtualHost(f"{self.spec.name}-alias", self.server.folder / "www", (self.spec.alias,), rules=rule)

    def _write_files(self) -> None:
        server, root = self.server, self.wordpress.root
        if self.spec.htaccess:
            server.write(root / ".htaccess", self.spec.htaccess)
        names = ["2021/05/hero.png", "2024/11/jacke-grün.png", "2024/11/tent.jpg"]
        for name in [*names, "sites/2/2025/02/tente.png"] if self.spec.multisite else names:
            self.wordpress.add_upload(name)
        server.write(
            server.home / "crontab",
            "# m h dom mon dow command\n"
            f"*/5 * * * * {program('php')} {root}/wp-cron.php >/dev/null 2>&1\n"
            f"15 3 * * * {server.home}/backup.sh\n",
        )
        server.write(server.home / "backup.sh", "#!/bin/sh\nexit 0\n", mode=0o755)
        show = f'[ "$1" = -l ] && exec cat {server.home / "crontab"}'
        server.command("crontab", f'{show}\necho "only crontab -l" >&2\nexit 1')
        # A server sees its own sockets, not those of its neighbours on this machine.
        if tool := shutil.which("ss", path=SEARCH_PATH):
            server.command("ss", f'exec {tool} "$@" src {server.address}')
        server.command("nginx", f'exec {" ".join(nginx_command(server))} "$@"')
        server.command("wp", f'exec {program("php")} {self.wordpress.wp_cli} "$@"')
