"""Everything that ``import recbole_delta`` changes in RecBole and in the process."""
