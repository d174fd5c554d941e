"""What a prepared data set looks like on disk, and how its files are read and written.

A data set is a folder with ``name.inter`` and ``name.item`` (RecBole's atomic files, see
:mod:`dataset_prep.format.atomic`), a file of content vectors
(:mod:`dataset_prep.format.content`) and ``name.json``, which says how all of it was made. The
fields that every data set has are named in :mod:`dataset_prep.format.fields`.
"""
