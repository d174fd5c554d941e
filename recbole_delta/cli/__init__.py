"""The command ``recbole-delta``: a module for each group of subcommands.

To add a subcommand: a function from its arguments in the module of its group (``train.py``,
``compare.py``, ``serve.py``), its entry in ``COMMANDS`` and its line in ``USAGE`` of ``main.py``.
"""

from recbole_delta.cli.main import main

__all__ = ["main"]
