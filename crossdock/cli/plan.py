"""crossdock plan: parse, call once, render."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from crossdock.cli.console import DEFAULT_CONFIG, RED, AsJson, ConfigFile, out, print_json
from crossdock.core.config import load
from crossdock.hub.boot import booted
from crossdock.hub.moves.milestones import say, standing
from crossdock.move.milestones import Milestone, State, counts
from crossdock.move.workplan import PHASES

app = typer.Typer(add_completion=False)
_STYLES = {State.DONE: "green", State.LATE: "bold red", State.WAITING: "yellow", State.NOT_BEGUN: "dim"}

StepName = Annotated[str, typer.Argument(metavar="STEP", help="The step's name, as crossdock plan prints it.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="What it rests on: a date, a document's number.")]


@app.callback(invoke_without_command=True)
def plan(
    context: typer.Context,
    config: ConfigFile = DEFAULT_CONFIG,
    late: Annotated[bool, typer.Option("--late", help="Only what is late; exit code 1 when anything is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the plan of work: what is done, by which evidence, and what waits for whom.

    A step is done when its receipts say so, or, where no receipt can, when a person does (plan done). Steps that rest
    on a plan of the move are open again when another plan is made.

    Example: crossdock plan --late -c lumen/crossdock.toml
    """
    if context.invoked_subcommand:
        return
    project = load(config)
    with booted(project.state) as hub:
        found = standing(project, hub)
    shown = [one for one in found if one.state is State.LATE] if late else found
    if as_json:
        print_json({"counts": counts(found), "steps": [one.as_json() for one in shown]})
    else:
        _print(shown)
        _print_sum(found, started=project.milestones.start is not None)
    if late and shown:
        raise typer.Exit(RED)


@app.command("done")
def done_command(step: StepName, by: By, note: Note = "", config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Say that a step is done which no receipt can prove. Name and note are kept as evidence, for ever.

    Example: crossdock plan done workflow.workshop --by "Ada Berg" --note "minutes of 12 May" -c lumen/crossdock.toml
    """
    _say(step, by, note, config, done=True)


@app.command("reopen")
def reopen_command(step: StepName, by: By, note: Note = "", config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Take such a word back: the step is open again. Both words stay in the evidence.

    Example: crossdock plan reopen workflow.workshop --by "Ada Berg" --note "held anew" -c lumen/crossdock.toml
    """
    _say(step, by, note, config, done=False)


def _say(step: str, by: str, note: str, config: ConfigFile, *, done: bool) -> None:
    if not by.strip():
        raise typer.BadParameter("a name is needed", param_hint="--by")
    project = load(config)
    with booted(project.state) as hub:
        receipt = say(project, hub, step, by.strip(), note.strip(), done=done)
    word = "done" if done else "open again"
    out.print(f"{step}: {word}, says {by.strip()}. Receipt {receipt.number}, {receipt.digest}", markup=False)


def _print(found: Sequence[Milestone]) -> None:
    width = max((len(one.step.name) for one in found), default=0)
    for phase in PHASES:
        steps = [one for one in found if one.step in phase.steps]
        if steps:
            out.print(phase.title, style="bold")
        for one in steps:
            line = Text(f"  {one.state!s:9}", style=_STYLES[one.state])
            line.append(f"  {one.step.name:{width}}  {one.step.title}; {_told(one)}", style="default")
            out.print(line)
        out.print() if steps else None


def _told(one: Milestone) -> str:
    if one.state is State.DONE:
        return f"{one.done_at[:10]}, receipt {one.evidence[-1].number}"
    due = f"due {one.due}, " if one.due else ""
    # What a step rests on is news only once there is something of it.
    why = f" ({'; '.join(one.missing)})" if one.begun else ""
    return f"{due}waits for {', '.join(one.waits_for)}{why}"


def _print_sum(found: Sequence[Milestone], *, started: bool) -> None:
    told = ", ".join(f"{count} {state}" for state, count in counts(found).items())
    out.print(f"{len(found)} steps: {told}", style="bold")
    if not started:
        out.print("No due dates yet: [milestones] start in crossdock.toml", markup=False)
