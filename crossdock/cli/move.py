"""crossdock move."""

from __future__ import annotations

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def move() -> None:
    """Move the stores: assess, plan, copy, validate.

    Example: crossdock move --help
    """
