"""crossdock demo."""

from __future__ import annotations

import typer

from crossdock.core.errors import CrossdockError

app = typer.Typer(add_completion=False)


@app.command()
def demo() -> None:
    """Start the lab, move its stores and prove the result.

    Example: crossdock demo
    """
    raise CrossdockError("the demo is not there yet")
