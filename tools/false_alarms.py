"""Does a check fail for right code? Every check on right implementations, layers and densities.

    python -m tools.false_alarms 200
    python -m tools.false_alarms 200 dense FFT density     # these alone

tries 200 seeds, prints every check that fails, and exits with 1 if there is one. PyTorch and JAX
are left out where they are not installed. With NUMBA_DISABLE_JIT=1 no drawn shape compiles, which
is faster by far.
"""

import argparse
import importlib.util
import sys
from functools import partial

from tqdm import tqdm

from cinc_ref.testing import CheckFailure, check, check_bijection, check_density, run_checks
from tests.support.densities import RIGHT_DENSITIES
from tests.support.layer_bugs import RIGHT as RIGHT_FOR_CHECK
from tests.support.layers import RIGHT_LAYERS, VOLUME_PRESERVING
from tests.support.right_implementations import NEEDS, RIGHT

DRAWS = 40_000
"""The number of samples of a density: a tenth of the default, whose bounds are as strict."""


def cases():
    """Return, by name, the functions of a seed that return the names of failed checks."""
    absent = [name for name, package in NEEDS.items() if not importlib.util.find_spec(package)]
    made = {name: make() for name, make in RIGHT.items() if name not in absent}
    return {
        **{name: partial(_of_implementation, each) for name, each in made.items()},
        **{f"layer, {name}": partial(_of_layer, name) for name in RIGHT_LAYERS},
        **{f"check, {name}": partial(_of_check, make) for name, make in RIGHT_FOR_CHECK.items()},
        **{f"density, {name}": partial(_of_density, m) for name, m in RIGHT_DENSITIES.items()},
    }


def _of_implementation(implementation, seed):
    return run_checks(implementation, seed).failed


def _of_layer(name, seed):
    options = {"volume_preserving": name in VOLUME_PRESERVING}
    return _failed(check_bijection, *RIGHT_LAYERS[name](seed), **options)


def _of_check(make, seed):
    layer, options = make(seed)
    return [finding.diagnosis for finding in check(layer, seed=seed, **options).findings]


def _of_density(make, seed):
    return _failed(check_density, *make(seed), seed=seed, draws=DRAWS)


def _failed(check, *arguments, **options):
    try:
        check(*arguments, **options)
    except CheckFailure as failure:
        return [f"{failure.check}: {failure}"]
    return []


def main(seeds, names=(), first=0):
    """Print every failed check of the cases whose names begin so; none is expected.

    Seeds are those from `first` on, so that a long campaign can be run in pieces.
    """
    chosen = {
        name: case
        for name, case in cases().items()
        if not names or any(name.startswith(start) for start in names)
    }
    alarms = 0
    for seed in tqdm(range(first, first + seeds)):
        for name, failed in ((name, case(seed)) for name, case in chosen.items()):
            alarms += len(failed)
            if failed:
                tqdm.write(f"{name}, seed {seed}: {', '.join(failed)}")
    print(f"{len(chosen)} cases, {seeds} seeds, {alarms} false alarms")
    return alarms


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("seeds", nargs="?", type=int, default=3)
    parser.add_argument("names", nargs="*", help="beginnings of the names of cases")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    sys.exit(main(arguments.seeds, arguments.names, arguments.first) > 0)
