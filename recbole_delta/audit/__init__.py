"""What could be wrong with an evaluation: in a prepared data set, and in the records of a bench.

Each module has one idea and gives findings (``finding.py``). Of a data set: ``leakage.py`` (time),
``history.py`` (what a case is shown), ``births.py`` (candidates that are not born yet),
``flags.py`` (cold and warm), ``content.py`` (vectors). Of a bench: ``softmax.py`` (cold items in
training), ``budget.py`` (seeds, settings, epochs), ``popularity.py`` and ``coverage.py`` (figures
of each row), ``provenance.py`` (commits, missing runs). ``renewal.py`` says what share of what
people take next is new. To add a check: a function in one of them, called in ``audit.py``, and its
line in ``docs/audit.md``.
"""
