"""Who took what, and when: the interactions in memory, and which of them are kept.

A :class:`dataset_prep.interactions.log.Log` holds them as columns of integers.
:mod:`dataset_prep.interactions.filters` reduces a log to fewer rows, and
:mod:`dataset_prep.interactions.draw` draws at random with the same result on every machine.
"""
