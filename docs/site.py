"""Hook of mkdocs: reports and pictures, which lie beside ``docs/``, belong to the site too."""

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

BESIDE = (
    *(f"results/**/*.{ending}" for ending in ("png", "md", "csv", "tex")),
    "benchmarks/RESULTS.md",
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them under the paths that they have in the checkout."""
    root = Path(config.config_file_path).parent
    for pattern in BESIDE:
        for path in sorted(root.glob(pattern)):
            name = path.relative_to(root).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links from ``docs/`` to what lies beside it, as the site has them."""
    return markdown if "/" in page.file.src_uri else markdown.replace("](../", "](")
