"""One lab for all journeys of a session, and a fresh project on it for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from projects import Project, new_lab, new_project, reset

from crossdock.lab.lab import Lab


@pytest.fixture(scope="session")
def lab_gateway() -> Iterator[Lab]:
    """The lab that all journeys share; whoever changes its sources must put them back."""
    with new_lab() as lab:
        yield lab


@pytest.fixture
def project(lab_gateway: Lab) -> Iterator[Project]:
    """A fresh project on the shared lab, both environments empty."""
    reset(lab_gateway)
    made = new_project(lab_gateway)
    yield made
    made.close()
