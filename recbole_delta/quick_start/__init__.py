"""One run: from settings to a result and a checkpoint."""
