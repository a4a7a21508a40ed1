"""The installed wheel, with no extras and nothing else around; tox -e wheel runs this file.

It must not see the checkout: it runs in another folder, and checks that it does not.
"""

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np

import cinc_ref as cr


def check_installed():
    package = Path(cr.__file__).parent
    if "site-packages" not in package.parts:
        raise SystemExit(f"cinc_ref must come from the wheel; it comes from {package}")
    stubs = ("__init__.pyi", "testing/__init__.pyi", "theory/__init__.pyi")
    for name in ("py.typed", *stubs):
        if not (package / name).exists():
            raise SystemExit(f"{name} must be in the wheel; it is not")
    for optional in ("typer", "rich", "sklearn", "matplotlib", "pytest"):
        if importlib.util.find_spec(optional):
            raise SystemExit(f"the environment must hold no extra; it holds {optional}")


def check_operation():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(5, 3, 6, 7))
    kernel = rng.normal(scale=0.05, size=(3, 3, 3, 3))
    kernel[:, :, -1, -1] = np.tril(rng.normal(size=(3, 3)), -1) + 2 * np.eye(3)
    error = np.abs(cr.conv_inverse(cr.conv(images, kernel), kernel) - images).max()
    if not error < 1e-12:  # diagonally dominant: condition about 10, images below 5
        raise SystemExit(f"conv_inverse must undo conv to 1e-12; the error is {error:.1e}")
    return error


def check_command():
    result = subprocess.run([sys.executable, "-m", "cinc_ref"], capture_output=True, text=True)
    expected = 'error: typer is not installed; pip install ".[cli]" in the checkout\n'
    if (result.returncode, result.stderr) != (1, expected):
        raise SystemExit(f"expected exit code 1 and {expected!r}; got {result}")


def main():
    check_installed()
    error = check_operation()
    check_command()
    version = importlib.metadata.version("cinc_ref")
    print(f"wheel of cinc_ref {version}: 3 checks passed, largest error {error:.1e}")


if __name__ == "__main__":
    main()
