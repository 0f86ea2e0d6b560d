"""WordPress's own tables and the few rows an installation leaves, for tests and benches that need no PHP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crossdock.lab.data.php import serialize
from crossdock.lab.data.profiles import StoreProfile
from crossdock.lab.data.sink import literal, prepare
from crossdock.lab.data.table_sql import table_sql

TABLES = {
    "commentmeta": """
    meta_id serial_id; comment_id big_id DEFAULT 0; meta_key varchar(255); meta_value longtext;
    PRIMARY KEY (meta_id); KEY comment_id (comment_id); KEY meta_key (meta_key(191))""",
    "comments": """
    comment_ID serial_id; comment_post_ID big_id DEFAULT 0; comment_author tinytext NOT NULL;
    comment_author_email varchar(100) NOT NULL DEFAULT ''; comment_author_url varchar(200) NOT NULL DEFAULT '';
    comment_author_IP varchar(100) NOT NULL DEFAULT '';
    comment_date datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    comment_date_gmt datetime NOT NULL DEFAULT '0000-00-00 00:00:00'; comment_content text NOT NULL;
    comment_karma int(11) NOT NULL DEFAULT 0; comment_approved varchar(20) NOT NULL DEFAULT '1';
    comment_agent varchar(255) NOT NULL DEFAULT ''; comment_type varchar(20) NOT NULL DEFAULT 'comment';
    comment_parent big_id DEFAULT 0; user_id big_id DEFAULT 0; PRIMARY KEY (comment_ID);
    KEY comment_post_ID (comment_post_ID); KEY comment_approved_date_gmt (comment_approved,comment_date_gmt);
    KEY comment_date_gmt (comment_date_gmt); KEY comment_parent (comment_parent);
    KEY comment_author_email (comment_author_email(10)); KEY woo_idx_comment_type (comment_type);
    KEY woo_idx_comment_date_type (comment_date_gmt,comment_type,comment_approved,comment_post_ID);
    KEY woo_idx_comment_approved_type (comment_approved,comment_type,comment_post_ID)""",
    "links": """
    link_id serial_id; link_url varchar(255) NOT NULL DEFAULT ''; link_name varchar(255) NOT NULL DEFAULT '';
    link_image varchar(255) NOT NULL DEFAULT ''; link_target varchar(25) NOT NULL DEFAULT '';
    link_description varchar(255) NOT NULL DEFAULT ''; link_visible varchar(20) NOT NULL DEFAULT 'Y';
    link_owner big_id DEFAULT 1; link_rating int(11) NOT NULL DEFAULT 0;
    link_updated datetime NOT NULL DEFAULT '0000-00-00 00:00:00'; link_rel varchar(255) NOT NULL DEFAULT '';
    link_notes mediumtext NOT NULL; link_rss varchar(255) NOT NULL DEFAULT ''; PRIMARY KEY (link_id);
    KEY link_visible (link_visible)""",
    "options": """
    option_id serial_id; option_name varchar(191) NOT NULL DEFAULT ''; option_value longtext NOT NULL;
    autoload varchar(20) NOT NULL DEFAULT 'yes'; PRIMARY KEY (option_id); UNIQUE KEY option_name (option_name);
    KEY autoload (autoload)""",
    "postmeta": """
    meta_id serial_id; post_id big_id DEFAULT 0; meta_key varchar(255); meta_value longtext;
    PRIMARY KEY (meta_id); KEY post_id (post_id); KEY meta_key (meta_key(191))""",
    "posts": """
    ID serial_id; post_author big_id DEFAULT 0; post_date datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    post_date_gmt datetime NOT NULL DEFAULT '0000-00-00 00:00:00'; post_content longtext NOT NULL;
    post_title text NOT NULL; post_excerpt text NOT NULL; post_status varchar(20) NOT NULL DEFAULT 'publish';
    comment_status varchar(20) NOT NULL DEFAULT 'open'; ping_status varchar(20) NOT NULL DEFAULT 'open';
    post_password varchar(255) NOT NULL DEFAULT ''; post_name varchar(200) NOT NULL DEFAULT '';
    to_ping text NOT NULL; pinged text NOT NULL; post_modified datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    post_modified_gmt datetime NOT NULL DEFAULT '0000-00-00 00:00:00'; post_content_filtered longtext NOT NULL;
    post_parent big_id DEFAULT 0; guid varchar(255) NOT NULL DEFAULT ''; menu_order int(11) NOT NULL DEFAULT 0;
    post_type varchar(20) NOT NULL DEFAULT 'post'; post_mime_type varchar(100) NOT NULL DEFAULT '';
    comment_count bigint(20) NOT NULL DEFAULT 0; PRIMARY KEY (ID); KEY post_name (post_name(191));
    KEY type_status_date (post_type,post_status,post_date,ID); KEY post_parent (post_parent);
    KEY post_author (post_author); KEY type_status_author (post_type,post_status,post_author)""",
    "term_relationships": """
    object_id big_id DEFAULT 0; term_taxonomy_id big_id DEFAULT 0; term_order int(11) NOT NULL DEFAULT 0;
    PRIMARY KEY (object_id,term_taxonomy_id); KEY term_taxonomy_id (term_taxonomy_id)""",
    "term_taxonomy": """
    term_taxonomy_id serial_id; term_id big_id DEFAULT 0; taxonomy varchar(32) NOT NULL DEFAULT '';
    description longtext NOT NULL; parent big_id DEFAULT 0; count bigint(20) NOT NULL DEFAULT 0;
    PRIMARY KEY (term_taxonomy_id); UNIQUE KEY term_id_taxonomy (term_id,taxonomy); KEY taxonomy (taxonomy)""",
    "termmeta": """
    meta_id serial_id; term_id big_id DEFAULT 0; meta_key varchar(255); meta_value longtext;
    PRIMARY KEY (meta_id); KEY term_id (term_id); KEY meta_key (meta_key(191))""",
    "terms": """
    term_id serial_id; name varchar(200) NOT NULL DEFAULT ''; slug varchar(200) NOT NULL DEFAULT '';
    term_group bigint(10) NOT NULL DEFAULT 0; PRIMARY KEY (term_id); KEY slug (slug(191));
    KEY name (name(191))""",
    "usermeta": """
    umeta_id serial_id; user_id big_id DEFAULT 0; meta_key varchar(255); meta_value longtext;
    PRIMARY KEY (umeta_id); KEY user_id (user_id); KEY meta_key (meta_key(191))""",
    "users": """
    ID serial_id; user_login varchar(60) NOT NULL DEFAULT ''; user_pass varchar(255) NOT NULL DEFAULT '';
    user_nicename varchar(50) NOT NULL DEFAULT ''; user_email varchar(100) NOT NULL DEFAULT '';
    user_url varchar(100) NOT NULL DEFAULT ''; user_registered datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    user_activation_key varchar(255) NOT NULL DEFAULT ''; user_status int(11) NOT NULL DEFAULT 0;
    display_name varchar(250) NOT NULL DEFAULT ''; PRIMARY KEY (ID); KEY user_login_key (user_login);
    KEY user_nicename (user_nicename); KEY user_email (user_email)""",
}

ROLES = ("administrator", "editor", "author", "contributor", "subscriber", "customer", "shop_manager")


def install_core(connect: Callable[[], Any], store: StoreProfile, *, prefix: str, blog: int = 1) -> None:
    """What `wp core install` leaves in an empty database: core tables, the administrator (ID 1), options, one term.

    For a blog beyond the first only the blog's own tables are made. Raises pymysql.MySQLError where they exist.
    """
    connection = connect()
    prepare(connection)
    connection.autocommit(True)
    start = store.blog_prefix(prefix, blog)
    try:
        for name, columns in TABLES.items():
            if name not in ("users", "usermeta"):
                connection.query(table_sql(start + name, columns))
            elif blog == 1:
                connection.query(table_sql(prefix + name, columns))
        for statement in _rows(store, prefix, start, blog):
            connection.query(statement)
    finally:
        connection.close()


def _rows(store: StoreProfile, prefix: str, start: str, blog: int) -> list[str]:
    roles = {role: {"name": role.title(), "capabilities": {"read": True}} for role in ROLES}
    options: dict[str, Any] = {
        "siteurl": store.url,
        "home": store.url,
        "stylesheet": "twentytwentyfive",
        "template": "twentytwentyfive",
        "active_plugins": serialize([]),
        "user_count": "1",
        f"{start}user_roles": serialize(roles),
    }
    values = ",".join(f"({literal(name)},{literal(value)})" for name, value in options.items())
    statements = [
        f"INSERT INTO `{start}options` (option_name, option_value) VALUES {values}",
        f"INSERT INTO `{start}terms` VALUES (1, 'Uncategorized', 'uncategorized', 0)",
        f"INSERT INTO `{start}term_taxonomy` VALUES (1, 1, 'category', '', 0, 0)",
    ]
    if blog == 1:
        statements += [
            f"INSERT INTO `{prefix}users` (ID, user_login, user_email, user_pass) "
            f"VALUES (1, 'admin', 'admin@{store.bare_host}', '')",
            f"INSERT INTO `{prefix}usermeta` (user_id, meta_key, meta_value) VALUES "
            f"(1, '{prefix}capabilities', {literal(serialize({'administrator': True}))})",
        ]
    return statements
