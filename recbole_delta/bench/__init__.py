"""Many runs and one report: data sets × models × settings × seeds, compared.

A bench file is read by ``plan.py`` into runs (``spec.py``) and rows that validation tunes
(``search.py``); ``engine.py`` gives each run to a process of its own
(``one.py``), which leaves a record (``record.py``); ``compare.py`` tests differences between rows,
and ``report.py`` shows them. The files ``frontier_*.py`` do the same for the trade-off between cold
and warm. To add a key to bench files: ``KEYS`` of ``plan.py``. To add a table or a figure to the
report: a function in ``tables.py`` or ``figures.py``, called by ``make_section`` of ``section.py``.
To run elsewhere than on this machine or Dask: a context manager beside ``_dask`` in ``engine.py``.
"""
