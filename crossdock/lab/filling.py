"""Fills the sources' stores with their data and puts the uploads that the data names into place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from crossdock.lab.data import PROFILES, SIZES, decisions, download_paths, media_paths, populate
from crossdock.lab.data.decisions import BY
from crossdock.lab.files import CARRIED_FOLDERS, CODE_DECISIONS, add_strange_files
from crossdock.lab.sources import SPECS, Blog, Source

EMPTY = "empty"
BIG_ROW_SERVER = "north"
# The lab's servers are folders of one machine, which shows them what is its own.
_MACHINE_DECISIONS = {
    "cron:*:*/backup.sh": ("replace", "the managed host makes backups"),
    **{
        f"{kind}:*:*": ("drop", "of the machine that the lab runs on, not of a store's server")
        for kind in ("certificate", "cron", "database", "folder", "peer", "port", "service", "timer", "vhost", "volume")
    },
}


def sizes() -> tuple[str, ...]:
    """The names of the sizes, the bare installs first."""
    return (EMPTY, *SIZES)


def fill(sources: Sequence[Source], size: str, seed: int, big_row_bytes: int = 0) -> None:
    """Fills all stores: sources side by side, the blogs of one source one after another.

    `big_row_bytes` adds one row of that size to the first source. Raises pymysql.MySQLError as the server reports it.
    """
    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(_fill_source, source, size, seed, big_row_bytes) for source in sources]:
            job.result()


def data_decisions() -> dict[str, dict[str, str]]:
    """The [decisions] that this data needs, for all sources."""
    answers: dict[str, dict[str, str]] = {}
    for spec in SPECS:
        answers |= decisions(spec.name, spec.prefix, tuple(blog.number for blog in spec.blogs))
    return answers | answered_by_company(CODE_DECISIONS) | answered_by_company(_MACHINE_DECISIONS)


def answered_by_company(answers: Mapping[str, tuple[str, str]]) -> dict[str, dict[str, str]]:
    """[decisions] of the company's operator: key -> choice and reason."""
    return {key: {"choice": choice, "by": BY, "reason": reason} for key, (choice, reason) in answers.items()}


def _fill_source(source: Source, size: str, seed: int, big_row_bytes: int) -> None:
    for blog in source.spec.blogs:
        wants_big_row = source.spec.name == BIG_ROW_SERVER and blog.number == 1
        _fill_blog(source, blog, size, seed, big_row_bytes if wants_big_row else 0)
    add_strange_files(source.wordpress.root)
    source.server.account.own(*(source.wordpress.root / "wp-content" / name for name in CARRIED_FOLDERS))


def _fill_blog(source: Source, blog: Blog, size: str, seed: int, big_row_bytes: int) -> None:
    populate(
        lambda: source.mariadb.connect(source.database, autocommit=False),
        replace(PROFILES[blog.store], root=str(source.wordpress.root)),
        prefix=source.spec.prefix,
        size=size,
        seed=seed,
        woocommerce=source.has_woocommerce,
        blog=blog.number,
        big_row_bytes=big_row_bytes,
    )
    within = "" if blog.number == 1 else f"sites/{blog.number}/"
    for path in (*media_paths(SIZES[size]), *download_paths(size)):
        source.wordpress.add_upload(within + path)
