"""Pages of a source as its visitors are sent them, rendered over SSH: nothing is written there, not even a transient,
and it does not matter where DNS leads by now."""

from __future__ import annotations

from urllib.parse import urlsplit

from crossdock.core.ports import Reply
from crossdock.move.asking import Side, ask_wordpress
from crossdock.move.survey import Source


def rendered(source: Source, url: str) -> Reply:
    """One page by its address at the source; `location` and `x-robots-tag` are the headers that are told. What the web
    server itself adds or redirects is not seen. Errors: AccessError; CrossdockError with what WordPress said."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    side = Side(source.shell, source.installation.root, url)
    found = ask_wordpress(side, "page.php", {"plugins": True, "theme": True, "path": path})
    told = {"location": found["location"], "x-robots-tag": found["robots"]}
    return Reply(int(found["status"]), str(found["body"]), {name: str(value) for name, value in told.items() if value})
