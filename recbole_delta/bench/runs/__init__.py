"""Runs in processes of their own, here or on a cluster; each leaves a record.

To run elsewhere than on this machine or Dask: a context manager beside ``_dask`` in ``engine.py``.
"""
