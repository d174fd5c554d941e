"""The command ``recbole-delta``: a module for each group of subcommands."""

from recbole_delta.cli.main import main

__all__ = ["main"]
