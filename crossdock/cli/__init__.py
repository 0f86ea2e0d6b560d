"""Parse, call once, render, exit code."""
