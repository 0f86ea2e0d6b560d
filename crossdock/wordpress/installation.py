"""What one WordPress installation says of itself: its wp-config constants, versions and code, and its blogs."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit


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


@dataclass(frozen=True)
class Uploads:
    """Where a blog's uploads are: the URL path below the site, the absolute folder, and addresses on other hosts that
    serve them."""

    path: str
    folder: str
    elsewhere: tuple[str, ...] = ()


def uploads(here: Installation, blog: Blog) -> Uploads:
    """As WordPress computes it (_wp_upload_dir), for networks without ms-files rewriting."""
    root = here.root.rstrip("/")
    content, elsewhere = _content_path(here, blog)
    folder = (here.content_dir.rstrip("/") or root + "/wp-content") + "/uploads"
    path = content + "/uploads"
    custom = blog.options.get("upload_path", "").strip()
    if custom and custom != "wp-content/uploads":
        # An absolute upload_path changes the folder only: WordPress has no address to derive from it.
        folder = custom.rstrip("/") if custom.startswith("/") else f"{root}/{custom.strip('/')}"
        path = path if custom.startswith("/") else "/" + custom.strip("/")
    if here.uploads.strip("/"):
        folder, path = f"{root}/{here.uploads.strip('/')}", "/" + here.uploads.strip("/")
        elsewhere = ()
    other = blog.options.get("upload_url_path", "").rstrip("/")
    if urlsplit(other).netloc:
        elsewhere = (other,)
    suffix = f"/sites/{blog.number}" if here.multisite and blog.number != 1 else ""
    return Uploads(path + suffix, folder + suffix, tuple(one + suffix for one in elsewhere))


def _content_path(here: Installation, blog: Blog) -> tuple[str, tuple[str, ...]]:
    """WP_CONTENT_URL as a path below the site; or its usual path, and its uploads' address on another host."""
    content = urlsplit(here.content_url.rstrip("/"))
    if not content.netloc:
        return "/wp-content", ()
    sites = [urlsplit(blog.options.get(name, "").rstrip("/")) for name in ("siteurl", "home")]
    below = [site.path for site in sites if site.netloc == content.netloc]
    if not below:
        # In a network the constant is the first blog's address; each blog serves the content by its own.
        return ("/wp-content", ()) if here.multisite else ("/wp-content", (content.geturl() + "/uploads",))
    start = max((path for path in below if f"{content.path}/".startswith(f"{path}/")), key=len, default="")
    return content.path[len(start) :], ()


def blog_prefix(base_prefix: str, number: int) -> str:
    """Blog 1 keeps the bare prefix (ms-load.php, wpdb::get_blog_prefix)."""
    return base_prefix if number == 1 else f"{base_prefix}{number}_"
