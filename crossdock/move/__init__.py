"""The migration: assess, plan, copy, validate. Receives its edges as arguments (core/ports.py)."""
