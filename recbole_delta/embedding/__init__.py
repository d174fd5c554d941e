"""Item embeddings: content plus bounded delta, the table of IDs, and those of other papers."""
