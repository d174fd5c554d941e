"""The packages; everything else is in setup.cfg."""

from pathlib import Path

from setuptools import find_packages, setup

CODE = find_packages(include=["recbole_delta*", "dataset_prep*"])
# The YAMLs live at the top of the checkout and inside the package of a wheel.
FOLDERS = ["properties", *(str(each) for each in Path("properties").iterdir() if each.is_dir())]
YAMLS = {f"recbole_delta.{'.'.join(Path(folder).parts)}": folder for folder in FOLDERS}

setup(packages=[*CODE, *YAMLS], package_dir=YAMLS)
