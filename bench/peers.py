"""The tools that move a WordPress database today, each timed over the same two sockets."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import values
import watch
from stage import SOURCE_DATABASE, TARGET_DATABASE, Stage

from crossdock.lab import wordpress

_WP_CONFIG = """<?php
define('DB_NAME', '{database}'); define('DB_USER', '{user}'); define('DB_PASSWORD', '{password}');
define('DB_HOST', 'localhost:{socket}'); define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
define('DISABLE_WP_CRON', true); define('WP_HTTP_BLOCK_EXTERNAL', true);
$table_prefix = 'wp_';
if (!defined('ABSPATH')) {{ define('ABSPATH', __DIR__ . '/'); }}
require_once ABSPATH . 'wp-settings.php';
"""


@dataclass(frozen=True)
class Peer:
    """`run` moves the store into the fresh target database and returns its wall seconds. `after_dump`: it works on what
    `mariadb-dump | mariadb` has just left there, and its seconds come on top."""

    name: str
    title: str
    run: Callable[[], float]
    after_dump: bool = False


def available(stage: Stage, target_host: str, threads: int) -> tuple[list[Peer], list[str]]:
    """The peers that can run on this machine, and a line for each one that can't."""
    found, missing = [], []
    made = [
        (("mariadb-dump", "mariadb"), _dump_load(stage)),
        (("mydumper", "myloader"), _mydumper(stage, threads)),
        (("php",), _wp_search_replace(stage, target_host)),
        (("mariadb-dump", "go-search-replace", "mariadb"), _go_search_replace(stage, target_host)),
    ]
    for programs, peer in made:
        absent = [program for program in programs if shutil.which(program) is None]
        if absent:
            missing.append(f"{peer.title}: {', '.join(absent)} not on PATH, left out")
        else:
            found.append(peer)
    return found, missing


def dump(stage: Stage) -> list[str]:
    return ["mariadb-dump", f"--defaults-extra-file={stage.options(stage.source)}", "--single-transaction", "--quick",
            SOURCE_DATABASE]  # fmt: skip


def load(stage: Stage) -> list[str]:
    return ["mariadb", f"--defaults-extra-file={stage.options(stage.target)}", TARGET_DATABASE]


def _dump_load(stage: Stage) -> Peer:
    return Peer("dump-load", "mariadb-dump | mariadb", lambda: watch.pipe(dump(stage), load(stage)))


def _go_search_replace(stage: Stage, target_host: str) -> Peer:
    replace = ["go-search-replace", values.HOST, target_host]
    return Peer(
        "go-search-replace",
        "mariadb-dump | go-search-replace | mariadb",
        lambda: watch.pipe(dump(stage), replace, load(stage)),
    )


def _mydumper(stage: Stage, threads: int) -> Peer:
    folder = stage.folder / "mydumper"

    def run() -> float:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            dumped = watch.run(
                ["mydumper", f"--defaults-file={stage.options(stage.source)}", "--socket", str(stage.source.socket),
                 "--database", SOURCE_DATABASE, "--outputdir", str(folder), "--threads", str(threads),
                 "--trx-consistency-only", "--rows", "250000"]
            )  # fmt: skip
            loaded = watch.run(
                ["myloader", f"--defaults-file={stage.options(stage.target)}", "--socket", str(stage.target.socket),
                 "--directory", str(folder), "--database", TARGET_DATABASE, "--threads", str(threads)]
            )  # fmt: skip
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return dumped.seconds + loaded.seconds

    return Peer("mydumper", f"mydumper, myloader ({threads} threads)", run)


def wp_search_replace(stage: Stage, target_host: str) -> float:
    """Wall seconds of WP-CLI's own run over the target database."""
    site = _site(stage)
    argv = [
        "php", "-d", "memory_limit=-1", str(wordpress.wp_cli()), "search-replace", values.HOST, target_host,
        "--all-tables", "--skip-plugins", "--skip-themes", "--report-changed-only", "--quiet", "--allow-root",
        f"--path={site}",
    ]  # fmt: skip
    return watch.run(argv, env={"WP_CLI_DISABLE_AUTO_CHECK_UPDATE": "1"}).seconds


def _wp_search_replace(stage: Stage, target_host: str) -> Peer:
    title = "mariadb-dump | mariadb, then wp search-replace"
    return Peer("wp-search-replace", title, lambda: wp_search_replace(stage, target_host), after_dump=True)


def _site(stage: Stage) -> Path:
    """A WordPress folder for WP-CLI whose database is the target."""
    site = stage.folder / "wordpress"
    if not site.exists():
        shutil.copytree(wordpress.newest_wordpress(), site, symlinks=True)
    endpoint = stage.endpoint(stage.target)
    text = _WP_CONFIG.format(
        database=TARGET_DATABASE, user=endpoint.user, password=str(endpoint.password), socket=stage.target.socket
    )
    config = site / "wp-config.php"
    config.touch(mode=0o600)
    config.write_text(text, encoding="utf-8")
    return site
