"""Epochs, early stopping, checkpoints, and the optimizer that updates rows."""
