"""Records side by side: differences beyond chance, frontiers, dials and draws."""
