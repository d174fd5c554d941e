"""The command ``recbole-delta`` for those who have this package imported already."""

from recbole_delta_command.main import main

__all__ = ["main"]
