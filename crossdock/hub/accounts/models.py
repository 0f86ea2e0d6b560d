"""Accounts, and the failed sign-ins that slow down whoever guesses."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class AccountManager(BaseUserManager["Account"]):
    def get_by_natural_key(self, username: str | None) -> Account:
        return self.get(email=(username or "").lower())


class Account(AbstractBaseUser):
    """A person who may sign in. `email` is lower case; `role` one of rules.Role."""

    email = models.CharField(max_length=254, unique=True)
    name = models.CharField(max_length=120, default="", blank=True)
    role = models.CharField(max_length=20)
    is_active = models.BooleanField(default=True)
    created = models.DateTimeField(auto_now_add=True)

    objects = AccountManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["role"]

    class Meta:
        ordering = ("email",)

    def __str__(self) -> str:
        return self.email


class Try(models.Model):
    """A sign-in that was tried and has not succeeded; `key` as rules.throttle_keys makes it."""

    key = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("key", "at"), name="try_by_key"),)

    def __str__(self) -> str:
        return f"{self.key} {self.at}"
