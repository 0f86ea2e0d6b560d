"""Crossdock's move engine over two sockets, in a process of its own: copy, compare, or a profile of the copy.

    python bench/engine.py {copy,compare,profile} --source SOCKET --target SOCKET --password-file FILE

Prints one JSON object. There is no SSH and no web server here, so `validate`'s readings by WordPress are left out.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import values

from crossdock.core import config
from crossdock.core.evidence import Finding, Receipt
from crossdock.core.secrets import Masked
from crossdock.edges.judge import JudgeAt
from crossdock.edges.mysql import Endpoint
from crossdock.edges.processes import worker_pool
from crossdock.lab.data.core_tables import install_core
from crossdock.lab.data.profiles import StoreProfile
from crossdock.lab.data.table_sql import table_sql
from crossdock.move import plan, survey, validate
from crossdock.move.copy import copy
from crossdock.move.order import Order
from crossdock.wordpress.installation import Installation

TARGET_HOST = "fell.staging.network.example"
_NETWORK_HOST = "network.example"
_TARGET_ROOT = "/sites/network/staging"
_CONFIG = """
[project]
name = "Bench"
[[servers]]
name = "bench"
ssh = "bench"
root = "{root}"
[[stores]]
name = "bench"
server = "bench"
[stores.domains]
staging = "{host}"
production = "fell.network.example"
[environments.staging]
ssh = "managed"
root = "{target}"
[environments.production]
ssh = "managed"
root = "{target}"
"""
_NETWORK_TABLES = {
    "blogs": "blog_id serial_id; site_id big_id DEFAULT 0; domain varchar(200) NOT NULL DEFAULT ''; path varchar(100) "
    "NOT NULL DEFAULT ''; registered datetime NOT NULL DEFAULT '0000-00-00 00:00:00'; last_updated datetime NOT NULL "
    "DEFAULT '0000-00-00 00:00:00'; public tinyint(2) NOT NULL DEFAULT 1; archived tinyint(2) NOT NULL DEFAULT 0; "
    "mature tinyint(2) NOT NULL DEFAULT 0; spam tinyint(2) NOT NULL DEFAULT 0; deleted tinyint(2) NOT NULL DEFAULT 0; "
    "lang_id int(11) NOT NULL DEFAULT 0; PRIMARY KEY (blog_id); KEY domain (domain(50),path(5)); KEY lang_id (lang_id)",
    "site": "id serial_id; domain varchar(200) NOT NULL DEFAULT ''; path varchar(100) NOT NULL DEFAULT ''; "
    "PRIMARY KEY (id); KEY domain (domain(140),path(51))",
    "sitemeta": "meta_id serial_id; site_id big_id DEFAULT 0; meta_key varchar(255); meta_value longtext; "
    "PRIMARY KEY (meta_id); KEY meta_key (meta_key(191)); KEY site_id (site_id)",
}


def install_network(connect: Callable[[], Any]) -> None:
    """The empty multisite that a host hands over, in an empty database."""
    network = StoreProfile(
        slug="network", server="network", url=f"https://{_NETWORK_HOST}", root=_TARGET_ROOT, title="Network",
        tagline="", locale="en_GB", country="GB", currency="GBP", tax_rates=(), orders="hpos", position=0,
    )  # fmt: skip
    install_core(connect, network, prefix="wp_")
    connection = connect()
    for name, columns in _NETWORK_TABLES.items():
        connection.query(table_sql(f"wp_{name}", columns))
    connection.query(f"INSERT INTO wp_site VALUES (1, '{_NETWORK_HOST}', '/')")
    connection.query(f"INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES (1, 1, '{_NETWORK_HOST}', '/')")
    connection.close()


class Quiet:
    """Journal and progress that keep nothing."""

    def receipt(self, step: str, subject: str, data: dict[str, Any]) -> Receipt:
        return Receipt(1, "bench", step, subject, "", data, "", "")

    def receipts(self, step: str = "", subject: str = "") -> list[Receipt]:
        return []

    def finding(self, finding: Finding, *, step: str) -> None:
        pass

    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None:
        pass

    def advance(self, place: str, *, rows: int, bytes_: int) -> None:
        pass

    def finish(self) -> None:
        pass


class Here(Executor):
    """Runs each task at once in this process, for the profiler."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def here(workers: int, prepare: Callable[[Any], None], setup: object) -> Executor:
    prepare(setup)
    return Here()


def order(source: Endpoint, target: Endpoint, *, workers: int, chunk_rows: int, one_process: bool) -> Order:
    """Surveys both databases and plans, as `crossdock move` does."""
    nothing: Any = None
    common = {"wp_version": "7.1.1", "db_version": 60717, "php_version": "8.2", "table_prefix": "wp_",
              "db_host": "localhost", "db_charset": "utf8mb4"}  # fmt: skip
    store: dict[str, Any] = {**common, "root": values.ROOT, "db_name": source.database}
    network: dict[str, Any] = {**common, "root": _TARGET_ROOT, "db_name": target.database, "multisite": True}
    here_ = survey.Source("bench", nothing, source, Installation(**store))
    there = survey.Target("staging", nothing, target, Installation(**network), nothing)
    facts, target_facts = survey.survey_source(here_), survey.survey_target(there)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crossdock.toml"
        text = _CONFIG.format(root=values.ROOT, host=TARGET_HOST, target=_TARGET_ROOT)
        path.write_text(text, encoding="utf-8")
        drawn = plan.make(config.load(path), [facts], [target_facts])
    return Order(
        plan=drawn, environment="staging", sources=[here_], facts=[facts], target=there, target_facts=target_facts,
        pool=here if one_process else worker_pool, workers=workers, chunk_rows=chunk_rows,
    )  # fmt: skip


def compare(made: Order, judge: bool) -> dict[str, Any]:
    """Every row, both ways; with `judge` PHP also reads every value that was rewritten."""
    factory = JudgeAt() if judge else None
    verdicts = validate.compare_rows(made, validate.placed_people(made), Quiet(), factory).values()
    names = ("rows_source", "rows_moved", "rows_target", "missing", "extra", "different", "own", "judged")
    sums = {name: sum(getattr(one, name) for one in verdicts) for name in names}
    sums["urls_left"] = sum(sum(one.urls_left.values()) for one in verdicts)
    sums["declared"] = sum(sum(one.declared.values()) for one in verdicts)
    sums["newly_broken"] = sum(len(one.failures) for one in verdicts)
    return sums


def index_differences(made: Order) -> list[str]:
    """Tables whose indexes in the target are not the source's."""
    source, target = made.sources[0].database.open_source(), made.target.database.open_source()
    try:
        before, after = source.schema(), target.schema()
    finally:
        source.close()
        target.close()
    different = []
    for one in made.carried():
        mine, theirs = before.table(one.source), after.table(one.targets["staging"])
        if mine is None or theirs is None or set(mine.keys) != set(theirs.keys):
            different.append(one.source)
    return different


def profile(made: Order, top: int) -> dict[str, Any]:
    """The copy, then the comparison, in one process under cProfile; the tables go to stderr."""
    figures: dict[str, Any] = {}
    for name, step in (("copy", lambda: copy(made, Quiet(), Quiet())), ("compare", lambda: compare(made, judge=False))):
        recorder = cProfile.Profile()
        begin, cpu = time.perf_counter(), time.process_time()
        recorder.runcall(step)
        figures[name] = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu}
        pstats.Stats(recorder, stream=sys.stderr).sort_stats("tottime").print_stats(top)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("copy", "compare", "profile", "check"))
    parser.add_argument("--source", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--password-file", required=True, type=Path)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--chunk-rows", type=int, default=20_000)
    parser.add_argument("--judge", action="store_true")
    parser.add_argument("--top", type=int, default=30)
    wanted = parser.parse_args()
    password = Masked(wanted.password_file.read_text(encoding="utf-8").strip())
    made = order(
        Endpoint("source", "store", "bench", password, unix_socket=wanted.source),
        Endpoint("target", "network", "bench", password, unix_socket=wanted.target),
        workers=wanted.workers, chunk_rows=wanted.chunk_rows, one_process=wanted.step == "profile",
    )  # fmt: skip
    if wanted.step == "copy":
        result = copy(made, Quiet(), Quiet())
    elif wanted.step == "compare":
        result = compare(made, wanted.judge)
    elif wanted.step == "check":
        result = {"index_differences": index_differences(made)}
    else:
        result = profile(made, wanted.top)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
