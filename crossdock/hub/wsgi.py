"""What granian serves. Its environment is written by crossdock.hub.serve."""
# ruff: noqa: PLC0415 - Django's parts can be imported only after it is set up

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

BUSY_SECONDS = 4


def made() -> Callable[..., Any]:
    """The WSGI application, in a worker that ends with its parent."""
    from crossdock.edges.processes import end_with_parent
    from crossdock.hub.boot import boot_screens

    end_with_parent(int(os.environ["CROSSDOCK_SERVE_PID"]))
    boot_screens(Path(os.environ["CROSSDOCK_STATE"]))
    from django.core.handlers.wsgi import WSGIHandler
    from django.db import connections

    if "timeout" in connections.settings["default"]["OPTIONS"]:
        # A command waits for a locked SQLite, a person before a browser is told.
        connections.settings["default"]["OPTIONS"]["timeout"] = BUSY_SECONDS
        connections.close_all()
        del connections["default"]
    return WSGIHandler()
