"""Content vectors: one row of numbers for each item, from its text, audio or a ready vector.

:func:`dataset_prep.encoders.encode_items.encode_items` serves the preparation of a data set, and
:class:`dataset_prep.encoders.new_items.NewItems` encodes items that come after training in the
way of those before. Encoders are frozen: they are used, never trained. What they have encoded is
kept in a cache, so that nothing is encoded twice.

The user's choices are in :mod:`dataset_prep.encoders.options`, which needs no torch; the modules
``text`` and ``audio`` do, and are imported only when there is something to encode.
"""
