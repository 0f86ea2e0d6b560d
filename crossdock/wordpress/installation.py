"""What one WordPress installation says of itself: its wp-config constants, versions and code, and its blogs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Installation:
    """Facts that need no database. `themes`, `plugins` map folder or file to version; paths are absolute."""

    root: str
    wp_version: str
    db_version: int
    php_version: str
    table_prefix: str
    db_name: str
    db_host: str
    db_charset: str
    multisite: bool = False
    subdomain_install: bool = False
    domain_current_site: str = ""
    path_current_site: str = "/"
    content_dir: str = ""
    content_url: str = ""
    uploads: str = ""
    wp_home: str = ""
    wp_siteurl: str = ""
    themes: dict[str, str] = field(default_factory=dict)
    plugins: dict[str, str] = field(default_factory=dict)
    mu_plugins: tuple[str, ...] = ()
    drop_ins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Blog:
    """One blog by its rows: `number` is 1 on a single site. `options` holds the few that a plan needs, as text."""

    number: int
    prefix: str
    domain: str
    path: str
    options: dict[str, str] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def uploads(self) -> str:
        """The uploads' URL path below the site, as WordPress computes it when no option overrides it."""
        custom = self.options.get("upload_path", "").strip("/")
        if custom and not custom.startswith("wp-content/uploads") and not self.options["upload_path"].startswith("/"):
            return "/" + custom
        return "/wp-content/uploads" if self.number == 1 else f"/wp-content/uploads/sites/{self.number}"


def blog_prefix(base_prefix: str, number: int) -> str:
    """Blog 1 keeps the bare prefix (ms-load.php, wpdb::get_blog_prefix)."""
    return base_prefix if number == 1 else f"{base_prefix}{number}_"
