"""Settings of a run: from YAML files and the command line, over the defaults, checked.

``settings.py`` holds the settings that this package adds, ``defaults.py`` lays our defaults over
RecBole's, ``recbole_checks.py`` checks RecBole's own, ``run_config.py`` is RecBole's ``Config``
over all of it.
"""
