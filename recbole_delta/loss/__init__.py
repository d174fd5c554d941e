"""Cross entropy over the warm items: exact, or over a sample of them. Plain torch."""
