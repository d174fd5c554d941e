"""Settings of a run: from YAML and command line, over the defaults, checked."""
