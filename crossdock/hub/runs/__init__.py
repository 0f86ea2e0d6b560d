"""Runs and their evidence: receipts, findings, and the lock that lets one run at a time."""
