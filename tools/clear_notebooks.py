"""Put the notebooks of the class in order: no outputs, one form, so that a diff shows the change.

Run ``python -m tools.clear_notebooks`` in the top folder after editing notebooks in Jupyter.
"""

import json
from pathlib import Path

__all__ = ["cleared"]

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def cleared(text: str) -> str:
    """Return the text of a notebook without outputs, counts, and what editors add."""
    notebook = json.loads(text)
    cells = []
    for number, cell in enumerate(notebook["cells"], 1):
        tags = cell["metadata"].get("tags")
        kept = {
            "cell_type": cell["cell_type"],
            "id": f"cell-{number:02d}",
            "metadata": {"tags": tags} if tags else {},
            "source": "".join(cell["source"]).splitlines(keepends=True),
        }
        if cell["cell_type"] == "code":
            kept |= {"execution_count": None, "outputs": []}
        cells.append(kept)
    ordered = {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(ordered, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    for path in sorted(Path("docs/class").glob("*.ipynb")):
        path.write_text(cleared(path.read_text(encoding="utf-8")), encoding="utf-8")
