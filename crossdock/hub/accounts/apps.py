from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "crossdock.hub.accounts"
    label = "accounts"
