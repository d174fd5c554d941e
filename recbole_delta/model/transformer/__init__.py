"""SASRec's encoder by its own weights: packed without padding for speed, padded for export."""
