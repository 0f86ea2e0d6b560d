"""crossdock init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdock.core.errors import ConfigError

TEMPLATE = Path(__file__).with_name("template.toml")
app = typer.Typer(add_completion=False)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the project; made if missing.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a crossdock.toml that is there.")] = False,
) -> None:
    """Write a commented crossdock.toml to start from.

    Example: crossdock init lumen-outdoor
    """
    path = folder / "crossdock.toml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("wb" if force else "xb") as file:
            file.write(TEMPLATE.read_bytes())
    except FileExistsError:
        raise ConfigError("is there already", where=str(path), way_out="edit it, or overwrite it: --force") from None
    except OSError as error:
        raise ConfigError(f"can't be written: {error.strerror}", where=str(path)) from error
    typer.echo(f"Wrote {path}\nNext: put your servers and stores in, then: crossdock move assess -c {path}")
