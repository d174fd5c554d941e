"""Scores → ranks of the targets → metrics on cold, warm and all of them.

``group_ranks.py`` counts who scores higher and who ties, among warm and among cold candidates
apart; ``metrics.py`` takes the mean gain at these ranks, ``frontier.py`` at every offset on the
cold scores, ``frontier_metrics.py`` sums that up, and ``evaluate.py`` does all of it for a split in
the four modes.
"""
