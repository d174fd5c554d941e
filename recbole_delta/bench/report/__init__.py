"""Comparisons as tables, pictures and one page.

To add a table or a figure: a function in ``tables.py`` or ``figures.py``, called by
``make_section`` of ``section.py``.
"""
