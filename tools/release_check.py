"""Build the sdist and the wheel, and test the wheel outside the checkout; tox -e release runs this.

The wheel is built from the sdist. The suite of the sdist, without its package, runs in a fresh
environment that holds the wheel with the extra "all". Arguments go to pytest. Both files are left
in dist/.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PACKAGE = ("cinc_ref", "cinc_ref_pytest.py", "cinc_ref.egg-info")
"""What the wheel brings, and must not be imported from the sdist."""

SUITE = ("-q", "-n", "2", "--ignore=cinc_ref", "tests", "README.md")


def run(*command, **options):
    print("$", *command, flush=True)
    subprocess.run([str(part) for part in command], check=True, **options)


def build():
    """Return the paths of a new sdist and a new wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST, ROOT)
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    return sdist, wheel


def unpack(sdist, folder):
    """Unpack an sdist without its package; return its top folder."""
    with tarfile.open(sdist) as file:
        file.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    for name in PACKAGE:
        path = top / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return top


def install(wheel, folder):
    """Return the interpreter of a new environment with a wheel and all of its extras."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(python, "-m", "pip", "install", "-q", f"{wheel}[all]")
    return python


def main():
    sdist, wheel = build()
    with tempfile.TemporaryDirectory() as folder:
        top = unpack(sdist, Path(folder, "sdist"))
        python = install(wheel, Path(folder, "environment"))
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        run(python, "-m", "pytest", *(sys.argv[1:] or SUITE), cwd=top, env=clean)
    print(f"{sdist.name} and {wheel.name} pass; they are in {DIST}")


if __name__ == "__main__":
    main()
