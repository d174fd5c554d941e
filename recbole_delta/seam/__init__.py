"""The seam to RecBole: the one place that knows how RecBole finds, configures and runs things."""
