"""Three campaigns on random kernels, sized for a command; the suite runs a part of each.

    python -m tools.accuracy_campaign             all three, about two minutes
    python -m tools.accuracy_campaign residual    5,000 cases: elementwise residual below 10 eps
    python -m tools.accuracy_campaign prediction  200 kernels: expected against observed error
    python -m tools.accuracy_campaign growth      200 kernels of a kind: verdict against growth

Case k of seed s is drawn from ``numpy.random.default_rng([s, k])``, so that any one case can be
drawn again by itself. The exit code is 1 if a campaign finds what must not be.
"""

import sys
from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import spsolve_triangular

import cinc_ref as cr
from cinc_ref import theory
from cinc_ref.geometry import CORNERS, Geometry
from cinc_ref.theory.random_kernels import random_kernel
from cinc_ref.theory.substitution import elementwise_residual
from tests.support.oracles import DTYPES

KINDS = ("lower", "upper", "dense")


@dataclass(frozen=True)
class Case:
    """A kernel with its options and an image size; `number` is k above."""

    number: int
    kernel: np.ndarray
    size: tuple[int, int]
    options: dict

    @property
    def condition(self):
        dilation, anchor = self.options["dilation"], self.options["anchor"]
        return theory.condition_number(self.kernel, self.size, dilation=dilation, anchor=anchor)

    def __str__(self):
        size = f"{self.size[0]}x{self.size[1]}"
        return (
            f"case {self.number}: {self.kernel.dtype}, {self.kernel.shape}, {size}, {self.options}"
        )


# ---- the residual of the inverse -----------------------------------------------------------------


def residual_case(seed, number, largest=16):
    """Any shape, corner, dilation, anchor, corner block and dtype; conditions up to 1e25."""
    rng = np.random.default_rng([seed, number])
    channels, kh, kw = (int(n) for n in rng.integers(1, 5, 3))
    anchor = (kh - 1, int(rng.choice([kw - 1, rng.integers(kw)])))
    options = {
        "corner": str(rng.choice(CORNERS)),
        "dilation": int(rng.choice([1, 1, 1, 2, 3])),
        "anchor": anchor,
    }
    size = tuple(int(n) for n in rng.integers(1, largest + 1, 2))
    total = 10 ** rng.uniform(-1, 2.5)
    kernel = random_kernel(rng, (channels, channels, kh, kw), anchor, rng.choice(KINDS), total)
    case = Case(number, kernel.astype(rng.choice(DTYPES)), size, options)
    while case.condition > 1e25:  # float32 ends at 1e38
        kernel[:, :, *anchor] *= 2
        case = Case(number, kernel.astype(case.kernel.dtype), size, options)
    return case


def observed_residual(case, seed):
    """max |y - M x| / (|M| |x|) of a computed inverse, in eps."""
    rng = np.random.default_rng([seed, case.number, 1])
    y = rng.normal(size=(2, len(case.kernel), *case.size)).astype(case.kernel.dtype)
    x = cr.conv_inverse(y, case.kernel, **case.options)
    return elementwise_residual(x, y, case.kernel, Geometry(**case.options))


def residual_campaign(cases=5000, seed=0, largest=16):
    """The worst residual with its case, and the fraction of conditions above 1e6."""
    worst, worst_case, ill_conditioned = 0.0, None, 0
    for number in range(cases):
        case = residual_case(seed, number, largest)
        ill_conditioned += case.condition > 1e6
        residual = observed_residual(case, seed)
        if not residual <= worst:
            worst, worst_case = residual, case
    return worst, worst_case, ill_conditioned / cases


# ---- the expected error --------------------------------------------------------------------------


def median_error(kernel, size, anchor, rng, images=20):
    """The median over images of a round trip's largest error, relative to the largest pixel."""
    x = rng.normal(size=(images, len(kernel), *size)).astype(kernel.dtype)
    back = cr.conv_inverse(cr.conv(x, kernel, anchor=anchor), kernel, anchor=anchor)
    errors = np.abs(back.astype(np.float64) - x).max(axis=(1, 2, 3))
    return np.median(errors / np.abs(x).max(axis=(1, 2, 3)))


def prediction_case(seed, number, largest=16):
    """A kernel with more than one tap: every decade of conditions from 1 to 1e12, both dtypes."""
    rng = np.random.default_rng([seed, number])
    decade = number // 2 % 12
    while True:
        channels, kh, kw = (int(n) for n in rng.integers(1, 4, 3))
        anchor = (kh - 1, int(rng.choice([kw - 1, rng.integers(kw)])))
        size = tuple(int(n) for n in rng.integers(2, largest + 1, 2))
        kernel = random_kernel(
            rng,
            (channels, channels, kh, kw),
            anchor,
            rng.choice(KINDS),
            10 ** rng.uniform(-1, 0.2 + 1.6 * decade / largest),  # small images need more
        )
        options = {"dilation": 1, "anchor": anchor}
        case = Case(number, kernel.astype(DTYPES[number % 2]), size, options)
        if anchor > (0, 0) and 10**decade <= case.condition < 10 ** (decade + 1):
            return case


def prediction_campaign(kernels=200, seed=0, largest=16):
    """Observed over expected error, and Skeel's number times eps over the observed error."""
    ratios, overshoots, conditions = [], [], []
    for number in range(kernels):
        case = prediction_case(seed, number, largest)
        rng = np.random.default_rng([seed, number, 1])
        found = theory.stability(case.kernel, case.size, anchor=case.options["anchor"])
        observed = median_error(case.kernel, case.size, case.options["anchor"], rng)
        ratios.append(observed / found.expected_error(case.kernel.dtype))
        overshoots.append(found.skeel_number * np.finfo(case.kernel.dtype).eps / observed)
        conditions.append(found.condition_number)
    return np.array(ratios), np.array(overshoots), np.array(conditions)


# ---- growth with the image -----------------------------------------------------------------------

GROWTH_SHAPES = {  # kernel shape and anchor
    "quadrant, C = 1": ((1, 1, 3, 3), (2, 2)),
    "quadrant, C = 2": ((2, 2, 3, 3), (2, 2)),
    "quadrant, C = 3": ((3, 3, 2, 2), (1, 1)),
    "half-plane 2x3, C = 1": ((1, 1, 2, 3), (1, 1)),
    "half-plane 2x3, C = 2": ((2, 2, 2, 3), (1, 1)),
}


def growth_kernel(seed, number, shape, anchor):
    rng = np.random.default_rng([seed, number])
    return random_kernel(rng, shape, anchor, "lower", rng.uniform(0.5, 4))


def inverse_norm(kernel, size, anchor):
    """The 1-norm of M^{-1}, by a sparse triangular solve for the first columns."""
    matrix = cr.convolution_matrix(kernel, (size, size), anchor=anchor, sparse=True)
    matrix.eliminate_zeros()  # SciPy 1.13 takes stored zeros above the diagonal for entries
    columns = len(kernel) * (size if anchor[1] < kernel.shape[3] - 1 else 1)
    impulses = np.eye(matrix.shape[0], columns)
    return np.abs(spsolve_triangular(matrix, impulses, lower=True)).sum(axis=0).max()


def growth_campaign(name, kernels=200, seed=0, sizes=(8, 32, 64)):
    """Verdicts, and whether the norm more than doubles between the two larger of three sizes.

    The norm never falls with the size. Growth by a factor r a step multiplies it by r^32 from
    32x32 to 64x64; below r = 1.02 that is less than 2, and the verdict counts as "near 1".
    """
    shape, anchor = GROWTH_SHAPES[name]
    verdicts, growing = [], []
    for number in range(kernels):
        kernel = growth_kernel(seed, number, shape, anchor)
        found = theory.stability(kernel, (4, 4), anchor=anchor)
        near = found.verdict == "growing" and found.margin < 0.02
        verdicts.append("near 1" if near else found.verdict)
        small, medium, large = (inverse_norm(kernel, size, anchor) for size in sizes)
        assert small <= medium * (1 + 1e-9) and medium <= large * (1 + 1e-9)
        growing.append(large > 2 * medium)
    return np.array(verdicts), np.array(growing)


def disagreements(verdicts, growing):
    """Numbers of the kernels whose verdict is not what was measured."""
    return np.flatnonzero(
        ((verdicts == "growing") & ~growing) | ((verdicts == "bounded") & growing)
    )


# ---- the command ---------------------------------------------------------------------------------


def _run_residual():
    worst, case, fraction = residual_campaign()
    print(f"residual: 5000 cases, {fraction:.0%} above condition 1e6")
    print(f"  worst {worst:.2f} eps, seed [0, {case.number}], condition {case.condition:.1e}")
    print(f"  {case}")
    return worst < 10 and fraction >= 0.2


def _run_prediction():
    ratios, overshoots, conditions = prediction_campaign()
    low, high = conditions.min(), conditions.max()
    print(f"prediction: {len(ratios)} kernels, conditions {low:.1e} to {high:.1e}")
    print(f"  observed / expected error: {ratios.min():.3f} to {ratios.max():.2f}")
    print(f"  Skeel number * eps / observed error: up to {overshoots.max():.0f}")
    return ratios.min() > 1 / 100 and ratios.max() < 100


def _run_growth():
    fine = True
    for name in GROWTH_SHAPES:
        verdicts, growing = growth_campaign(name)
        wrong, undecided = disagreements(verdicts, growing), np.mean(verdicts == "undecided")
        print(
            f"growth, {name}: {len(verdicts)} kernels, {np.sum(verdicts == 'bounded')} bounded, "
            f"{np.sum(verdicts == 'growing')} growing, {undecided:.1%} undecided, "
            f"{len(wrong)} verdicts wrong {wrong.tolist() or ''}"
        )
        fine &= not len(wrong) and undecided <= 0.1
    return fine


CAMPAIGNS = {"residual": _run_residual, "prediction": _run_prediction, "growth": _run_growth}

if __name__ == "__main__":
    chosen = sys.argv[1:] or list(CAMPAIGNS)
    sys.exit(0 if all([CAMPAIGNS[name]() for name in chosen]) else 1)
