"""The command ``recbole-delta`` as it is typed: its help, its arguments, and what does the work.

Nothing but the standard library is imported here, so that help, the version and a mistyped argument
are answered at once: RecBole and torch take seconds. What does a command lies in
:mod:`recbole_delta.cli`; it is named in ``main.py`` and imported when it is called.

To add a subcommand: a function that reads its arguments in ``parsers.py``, one that does it in
``recbole_delta/cli``, its entry in ``COMMANDS`` and its line in ``USAGE`` of ``main.py``.
"""

__version__ = "0.1.0"
