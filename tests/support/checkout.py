"""Where the files of the checkout are, all of which an sdist holds, and where the package is."""

from pathlib import Path

import cinc_ref

__all__ = ["PACKAGE", "ROOT"]

ROOT = Path(__file__).parents[2]
"""The top folder of the checkout, or of the sdist."""

PACKAGE = Path(cinc_ref.__file__).parent
"""The folder of the package, in the checkout or among installed packages."""
