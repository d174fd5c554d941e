"""One run: from settings to a result and a checkpoint.

:func:`~recbole_delta.quick_start.run.run` is the whole of it; ``build.py`` makes its parts, and
``example.py`` a small data set to try it on.
"""
