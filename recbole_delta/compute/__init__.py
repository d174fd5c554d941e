"""What training computes with: processes, products, dropout, ragged arrays. Plain torch."""
