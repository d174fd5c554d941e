"""What a bench file asks for: runs, rows that validation tunes, and what is refused beforehand.

To add a key to bench files: ``KEYS`` of ``plan.py``.
"""
