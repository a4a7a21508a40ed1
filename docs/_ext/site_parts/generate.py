"""Writing of all generated parts, before Sphinx reads the pages that include them."""

import shutil
from pathlib import Path

from site_parts import api, benchmarks, catalogue, comparisons, drawings, repository, svg
from site_parts.paths import DOCS

__all__ = ["PICTURE", "parts", "write_api", "write_parts"]

PICTURE = DOCS / "_static" / "convolution.svg"
"""The picture of the README, which is stored because a README cannot be generated."""


def parts() -> dict[str, str]:
    """Return every generated part by its file name."""
    pictures = {name: getattr(drawings, name)().inline() for name in drawings.__all__}
    return {
        **{f"{name.replace('_', '-')}.md": text for name, text in pictures.items()},
        **comparisons.parts(),
        **benchmarks.parts(),
        **catalogue.parts(),
        **repository.parts(),
    }


def write_parts(folder: Path) -> None:
    """Write every part, the colours of drawings and the static pages into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "static").mkdir(parents=True)
    (folder / "extra").mkdir()
    for name, text in parts().items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "static" / "drawings.css").write_text(svg.stylesheet(), encoding="utf-8")
    if (DOCS / "explorer").exists():
        shutil.copytree(DOCS / "explorer", folder / "extra" / "explorer")


def write_api(folder: Path) -> None:
    """Write the pages of the reference into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, text in api.pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    PICTURE.write_text(drawings.convolution_and_matrix().standalone(), encoding="utf-8")
