"""Rows can be told apart, on a white page and on a dark one."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from recbole_delta.bench.report.palette import COLOURS, looks


def linear(colour: str) -> np.ndarray:
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    dark, light = sorted(linear(each) @ [0.2126, 0.7152, 0.0722] for each in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(colour: str) -> np.ndarray:
    """CIE L*a*b* under D65."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(xyz @ linear(colour) / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def papers() -> list[str]:
    """The backgrounds of the page, light and dark."""
    css = files("recbole_delta.bench.report").joinpath("report.css").read_text()
    return re.findall(r"--paper: (#\w+)", css)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_colour_stands_out_from_both_pages(colour):
    assert len(papers()) == 2
    for paper in papers():
        assert contrast(colour, paper) >= 3


def test_no_two_colours_are_alike():
    """A distance of 2.3 is just noticeable; a thin line needs several times that."""
    assert len(COLOURS) == 20
    apart = [np.linalg.norm(lab(a) - lab(b)) for a, b in combinations(COLOURS, 2)]
    assert min(apart) > 15


def test_nineteen_rows_have_nineteen_colours_and_sixty_have_sixty_looks():
    names = [f"row {n}" for n in range(60)]
    assert len({look.colour for look in looks(names[:19]).values()}) == 19
    assert len(set(looks(names).values())) == 60
