"""The command `python -m tools.conformance`, which checks other flow libraries and writes `conformance/`."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from tools.conformance.catalogue import NAMES, RESULTS, ROOT
from tools.conformance.environments import base_python, install, variables
from tools.conformance.rendering import documents, results

__all__ = ["main"]


def main() -> int:
    """Run the command; return 1 if a class is not accounted for, or a finding is not shown by its lines."""
    parser = argparse.ArgumentParser(prog="python -m tools.conformance", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="LIBRARY", help=f"one of {', '.join(NAMES)}; all by default"
    )
    parser.add_argument(
        "--environments",
        type=Path,
        default=ROOT / "build" / "conformance",
        help="where packages are installed",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="check again what has a result already"
    )
    parser.add_argument(
        "--render", action="store_true", help="only write TABLE.md and the reports anew"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"LIBRARY must be one of {', '.join(NAMES)}; got {', '.join(unknown)}")
    if not options.render:
        started = time.perf_counter()
        python = base_python(options.environments.resolve())
        for name in options.names or NAMES:
            _check(name, python, options)
        print(f"{time.perf_counter() - started:.0f} s in all")
    for page, text in documents().items():
        path = RESULTS / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return _complaints()


def _check(name, python, options):
    """Check a library in a process of its own; it leaves out the layers that have a result."""
    print(f"{name}: installing", flush=True)
    target = install(name, options.environments.resolve())
    print(f"{name}: checking", flush=True)
    command = [python, "-m", "tools.conformance.worker", name, *["--fresh"] * options.fresh]
    subprocess.run(command, check=True, cwd=ROOT, env=variables(target))


def _complaints():
    """Print what has to be corrected; return whether there is anything."""
    words = []
    for name, result in results().items():
        words += [f"{name}: {cls} is public and not accounted for" for cls in result["missing"]]
        words += [f"{name}: {cls} is no public class" for cls in result["unknown"]]
        words += [
            f"{name}: {run['subject']}: its lines do not show it"
            for run in result["findings"]
            if not (run["shown"] and run["agrees"])
        ]
    print("\n".join(words))
    return int(bool(words))


if __name__ == "__main__":
    sys.exit(main())
