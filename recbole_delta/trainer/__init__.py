"""Epochs, early stopping, checkpoints, and the optimizer that updates rows.

``trainer.py`` is RecBole's trainer with our step in it, ``checkpoint.py`` a run in one file without
pickle, ``row_adam.py`` Adam for tables of which a step sees few rows.
"""
