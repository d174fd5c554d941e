"""The files of a prepared data set: names of their fields, atomic files, content vectors."""
