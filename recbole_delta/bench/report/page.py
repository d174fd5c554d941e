"""A report as pages: Markdown, and one HTML file that holds figures, style and script."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib.figure import Figure

from recbole_delta.bench.report import tables
from recbole_delta.bench.report.section import Section


def markdown_page(sections: Sequence[Section], heading: Mapping[str, Any]) -> str:
    """The report in GitHub's Markdown; its pictures are files beside it.

    Args:
        sections: what is said of each data set.
        heading: ``title``, ``notes``, ``missing`` and all ``runs``.
    """
    return _render("report.md.jinja", sections, heading)


def html_page(sections: Sequence[Section], heading: Mapping[str, Any]) -> str:
    """The report as one HTML file, which needs nothing but its CSVs beside it.

    Args:
        sections: what is said of each data set.
        heading: ``title``, ``notes``, ``missing`` and all ``runs``.
    """
    return _render("report.html.jinja", sections, heading)


def svg(figure: Figure, name: str) -> str:
    """A figure as an element of an HTML page, in the page's colours of ink and paper.

    Args:
        figure: figure in black on white, with rows in colours that both pages allow.
        name: name of the figure, which no other of the page has.

    Returns:
        the element ``svg``; its letters are text.
    """
    buffer = io.StringIO()
    # What the ids of two figures refer to may differ: the salt keeps them apart.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(_METADATA))
    text = buffer.getvalue()
    element = re.sub(r'<g id="[^"]*">', "<g>", text[text.index("<svg") :])
    return element.replace("#000000", "currentColor").replace("#ffffff", "var(--paper)")


_METADATA = ("Creator", "Date", "Format", "Type")


def _render(template: str, sections: Sequence[Section], heading: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("recbole_delta.bench.report", "."),
        autoescape=select_autoescape(["html.jinja"]),
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"markdown": tables.markdown, "html": tables.html, "svg": svg}
    return environment.get_template(template).render(sections=sections, **heading)
