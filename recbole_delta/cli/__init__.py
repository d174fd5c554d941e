"""What the subcommands of ``recbole-delta`` do: a module for each group of them.

How they are typed is read by :mod:`recbole_delta_command`, which says how to add one.
"""

from recbole_delta.cli.main import main

__all__ = ["main"]
