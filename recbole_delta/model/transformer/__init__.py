"""SASRec's encoder on real items only: sequences packed into rows, and the blocks of its layers."""
