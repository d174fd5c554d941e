"""What training computes with: processes, matrix products, dropout, ragged arrays. Plain torch."""
