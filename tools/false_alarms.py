"""Does a check fail for right code? Every check on right implementations, layers and densities.

    python -m tools.false_alarms 200

tries 200 seeds, prints every check that fails, and exits with 1 if there is one. PyTorch and JAX
are left out where they are not installed.
"""

import importlib.util
import sys

from tqdm import tqdm

from cinc_ref.testing import CheckFailure, check, check_bijection, check_density, run_checks
from tests.support.layer_bugs import RIGHT as RIGHT_FOR_CHECK
from tests.support.layers import RIGHT_LAYERS, VOLUME_PRESERVING, density
from tests.support.right_implementations import NEEDS, RIGHT


def failures(seed, implementations):
    """Yield (name, failed checks) of everything that is right."""
    for name, implementation in implementations.items():
        yield name, run_checks(implementation, seed).failed
    for name, layer in RIGHT_LAYERS.items():
        options = {"volume_preserving": name in VOLUME_PRESERVING}
        yield name, _failed(check_bijection, *layer(seed), **options)
    for name, make in RIGHT_FOR_CHECK.items():
        layer, options = make(seed)
        findings = check(layer, seed=seed, **options).findings
        yield f"check, {name}", [finding.diagnosis for finding in findings]
    yield "density", _failed(check_density, *density(seed), seed=seed)


def _failed(check, *arguments, **options):
    try:
        check(*arguments, **options)
    except CheckFailure as failure:
        return [failure.check]
    return []


def main(seeds):
    """Print every failed check; none is expected."""
    absent = [name for name, package in NEEDS.items() if not importlib.util.find_spec(package)]
    implementations = {name: make() for name, make in RIGHT.items() if name not in absent}
    alarms = 0
    for seed in tqdm(range(seeds)):
        for name, failed in failures(seed, implementations):
            alarms += len(failed)
            if failed:
                tqdm.write(f"{name}, seed {seed}: {', '.join(failed)}")
    print(f"{seeds} seeds, {alarms} false alarms")
    return alarms


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3) > 0)
