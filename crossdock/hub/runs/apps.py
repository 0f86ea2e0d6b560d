from __future__ import annotations

from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "crossdock.hub.runs"
    label = "runs"
