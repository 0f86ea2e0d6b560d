"""Joins the files' part of a move with the ways to every server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from crossdock.core.config import Config, Place
from crossdock.edges.files import RemoteFiles
from crossdock.edges.shared import SharedConnection
from crossdock.edges.spool import SpoolFolder
from crossdock.hub.moves.access import shell
from crossdock.move.attachments import read_attachments
from crossdock.move.files import FilesOrder
from crossdock.move.order import Order
from crossdock.move.sessions import over
from crossdock.move.trees import plan_trees


@contextmanager
def files_order(config: Config, order: Order) -> Iterator[FilesOrder]:
    """What the files of an environment are carried and proved with. One SSH connection a server is open meanwhile."""
    environment, limit = order.environment, config.files.bandwidth_kib_per_second
    trees, found = plan_trees(config.files, order.plan, environment, order.facts, order.target_facts)
    with ExitStack() as stack:

        def files(name: str, place: Place) -> RemoteFiles:
            host = stack.enter_context(SharedConnection(shell(name, place))).host
            return RemoteFiles(host, bandwidth_kib=limit)

        yield FilesOrder(
            plan=order.plan.digest,
            environment=environment,
            trees=trees,
            findings=found,
            servers={one.name: files(one.name, one) for one in config.servers},
            target=files(environment, config.environments[environment]),
            spool=SpoolFolder(config.state / "files"),
            exclude=config.files.exclude,
        )


def attachments(order: Order) -> dict[str, list[bytes]]:
    """The files below uploads that each store's rows at the target name, by store."""
    database = order.target.database
    return {
        store.store: over(database.open_source, partial(read_attachments, prefix=store.target_prefix))
        for site in order.plan.sites(order.environment)
        for store in site.stores
    }
