"""Scores → ranks of the targets → metrics on cold, warm and all of them."""
