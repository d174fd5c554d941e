"""What a run leaves: the ranks of every test case, the frontier, and how it was run."""
