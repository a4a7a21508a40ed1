"""Where the sources of the generated parts are."""

from pathlib import Path

__all__ = ["DOCS", "ROOT"]

ROOT = Path(__file__).parents[3]
"""The top folder of the checkout."""

DOCS = ROOT / "docs"
"""The sources of the site."""
