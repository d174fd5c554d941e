"""Many runs and one report: data sets × models × settings × seeds, compared.

A bench file is read into runs (``plan/``), each of which is a process of its own (``runs/``) that
leaves a record (``records/``); ``comparison/`` holds the records of a data set side by side, and
``report/`` shows it. ``bench.py`` does one after the other; ``demo.py`` is the demo.
"""
