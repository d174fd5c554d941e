"""The log of interactions, filters over it, and draws from it."""
