"""A folder that dataset_prep has prepared, as RecBole's data set."""
