"""The tables of crossdock.toml that the hub's screens and the plan of work read."""

from __future__ import annotations

from pydantic import Field

from crossdock.core.config_values import Day, HttpOrigin, Model, Positive, Text


class MilestoneTerms(Model):
    """What differs from the plan of work for one step. A date of its own stands before days after the start."""

    owner: Text | None = Field(default=None, description='who has to do it, as in owner = "Ada Berg"')
    due: Day | None = Field(default=None, description="date by which it must be done, as in due = 2027-01-31")
    days: Positive | None = Field(default=None, description="days after the start, a whole number")


class Milestones(Model):
    """The project's dates. Without a start only steps with a date of their own can be late."""

    start: Day | None = Field(default=None, description="the day from which due dates count, as in start = 2027-01-11")
    steps: dict[str, MilestoneTerms] = Field(
        default_factory=dict, description='steps with other owners or dates: [milestones.steps."migration.approved"]'
    )


class Hub(Model):
    """The hub's own address, where people reach it through a proxy or by a name."""

    url: HttpOrigin | None = Field(
        default=None, description='where people reach the hub, as in url = "https://hub.example.com"'
    )
