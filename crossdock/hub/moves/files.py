"""Joins the files' part of a move with the ways to every server."""

from __future__ import annotations

from functools import partial

from crossdock.core.config import Config
from crossdock.edges.files import RemoteFiles
from crossdock.edges.spool import SpoolFolder
from crossdock.hub.moves.access import shell
from crossdock.move.attachments import read_attachments
from crossdock.move.files import FilesOrder
from crossdock.move.order import Order
from crossdock.move.sessions import over
from crossdock.move.trees import plan_trees


def files_order(config: Config, order: Order) -> FilesOrder:
    """What the files of an environment are carried and proved with."""
    environment, limit = order.environment, config.files.bandwidth_kib_per_second
    trees, found = plan_trees(config.files, order.plan, environment, order.facts, order.target_facts)
    return FilesOrder(
        plan=order.plan.digest,
        environment=environment,
        trees=trees,
        findings=found,
        servers={one.name: RemoteFiles(shell(one.name, one), bandwidth_kib=limit) for one in config.servers},
        target=RemoteFiles(shell(environment, config.environments[environment]), bandwidth_kib=limit),
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
