"""Scores → ranks of the targets → metrics on cold, warm and all of them.

``ranking.py`` counts who scores higher and who ties, ``metrics.py`` takes the mean gain at these
ranks, ``evaluate.py`` does both for a split in the four modes.
"""
