"""A folder that dataset_prep has prepared, as RecBole's data set.

``prepared.py`` reads, checks and numbers its files, ``instances.py`` and ``sequences.py`` cut
histories and windows from one flat array, ``dataset.py`` serves them as RecBole's batches. In
``ordinary/`` a data set that nobody has prepared becomes such a folder first.
"""
