"""A campaign against the error bounds of `cinc_ref.enclose`, with exact arithmetic as the judge.

    python -m tools.enclosure_campaign          2,000 cases, about two minutes
    python -m tools.enclosure_campaign 200 7    200 cases of seed 7
    python -m tools.enclosure_campaign cost     times of enclose and assess over the inverse's

Case k of seed s is drawn from ``numpy.random.default_rng([s, k])``: float32 or float64, one to
four channels, kernels up to 4x4, any corner, dilation and anchor, triangular and dense corner
blocks, condition numbers from 1 to 1e14, kernels and images scaled by powers of ten up to 1e20 and
channels by powers of two, and six sorts of images. The exact inverse comes from substitution in
integer multiples of 2^-900. The exit code is 1 if an error is above its bound, or if a median is
above 6.
"""

import sys
import time
from dataclasses import dataclass

import numpy as np

import cinc_ref as cr
from cinc_ref._blas import one_blas_thread
from cinc_ref.geometry import CORNERS, Geometry
from cinc_ref.primitives.causal import causal_conv, causal_solve
from cinc_ref.theory import trust
from cinc_ref.theory.enclosures import enclose_inverse
from cinc_ref.theory.exact import matrix_inverse, to_integers
from cinc_ref.theory.random_kernels import causal_mask, corner_block
from cinc_ref.theory.substitution import substitute
from tests.support.oracles import DTYPES

BITS = 900
"""Fractional bits of the exact inverse: x is above 2^-140, and rounding is amplified by 2^200."""

WELL_CONDITIONED = {np.dtype(np.float32): 1e3, np.dtype(np.float64): 1e10}
MOST = 6.0
IMAGES = ("normal", "constant", "integers", "wide", "eighths", "sparse")


@dataclass(frozen=True)
class Case:
    """Images and a kernel with its options, and the condition number."""

    number: int
    y: np.ndarray
    kernel: np.ndarray
    geometry: Geometry
    condition: float

    def __str__(self):
        shapes = f"images {self.y.shape}, kernel {self.kernel.shape}"
        return f"case {self.number}: {self.y.dtype}, {shapes}, {self.geometry}"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one case: the largest error over its radius, and the reverse for the largest.

    `worst` is 0 where all radii are infinite and above 1 if a bound is wrong. `overestimate` is
    the largest radius over the largest error of the case, NaN if the error is 0.
    """

    case: Case
    worst: float
    overestimate: float
    finite: float


def draw(seed, number, largest=9):
    """Case `number` of a seed."""
    rng = np.random.default_rng([seed, number])
    dtype = np.dtype(DTYPES[number % 2])
    channels, kh, kw = (int(n) for n in rng.integers(1, 5, 3))
    anchor = (kh - 1, int(rng.choice([kw - 1, rng.integers(kw)])))
    geometry = Geometry(str(rng.choice(CORNERS)), int(rng.choice([1, 1, 1, 2, 3])), anchor)
    size = tuple(int(n) for n in rng.integers(1, largest + 1, 2))
    kind = str(rng.choice(["unit", "lower", "upper", "dense"]))
    block = corner_block(rng, channels, kind)
    shape = (channels, channels, kh, kw)
    taps = rng.normal(size=shape) * causal_mask(shape, anchor)
    kernel = _with_condition(taps, block, size, geometry, 10 ** rng.uniform(0, 14)).astype(dtype)
    condition = _condition(kernel, size, geometry)

    powers = rng.uniform(-20, 20, 2)
    if dtype == np.float32:  # whose numbers end at 1e38
        powers[1] = powers[0] + rng.uniform(-14, 14)
    y = _images(rng, rng.choice(IMAGES), (int(rng.integers(1, 3)), channels, *size))
    shift = rng.integers(-20, 21, channels) if rng.random() < 0.2 else np.zeros(channels, int)
    y = np.ldexp(y, shift[:, None, None])
    kernel = np.ldexp(kernel.astype(float), shift[:, None, None, None] - shift[:, None, None])
    kernel = (kernel * 10.0 ** powers[0]).astype(dtype)
    return Case(number, (y * 10.0 ** powers[1]).astype(dtype), kernel, geometry, condition)


def _with_condition(taps, block, size, geometry, condition):
    """The corner block and multiples of the other taps that come near a condition number."""
    least, most, kernel = -3.0, 4.0, None
    for _ in range(10):
        middle = (least + most) / 2
        kernel = taps * 10.0**middle
        kernel[:, :, *geometry.anchor] = block
        if _condition(kernel, size, geometry) < condition:
            least = middle
        else:
            most = middle
    return kernel


def _condition(kernel, size, geometry):
    """The condition number in the 1-norm, from the whole matrix in floating point."""
    matrix = cr.convolution_matrix(kernel, size, **geometry._asdict())
    with np.errstate(all="ignore"):
        try:
            return np.linalg.norm(matrix, 1) * np.linalg.norm(np.linalg.inv(matrix), 1)
        except np.linalg.LinAlgError:  # a pivot is 0 in floating point
            return np.inf


def _images(rng, kind, shape):
    """Images of one sort; "wide" ones hold numbers from 1e-6 to 1e6."""
    if kind == "constant":
        return np.full(shape, 0.1)
    if kind == "integers":
        return rng.integers(-5, 6, shape).astype(float)
    normal = rng.normal(size=shape)
    if kind == "wide":
        return normal * 10 ** rng.uniform(-6, 6, shape)
    if kind == "sparse":
        return normal * (rng.random(shape) < 0.1)
    return np.round(normal * 8) / 8 if kind == "eighths" else normal


def judge(case):
    """The outcome of a case."""
    x, radius = cr.enclose(case.y, case.kernel, **case.geometry._asdict())
    error = np.abs(_in_units(x) - exact_inverse(case.y, case.kernel, case.geometry)).ravel()
    radius, is_finite = _in_units(radius).ravel(), np.isfinite(radius).ravel()
    slack = 1 << BITS - 500
    pairs = [(e, r) for e, r, finite in zip(error, radius, is_finite, strict=True) if finite]
    worst = max((e / (r + slack) if e > slack else 0.0 for e, r in pairs), default=0.0)
    overestimate = np.inf if not is_finite.all() else np.nan
    if is_finite.all() and max(error) > slack:
        overestimate = max(radius) / max(error)
    return Outcome(case, worst, overestimate, is_finite.mean())


def exact_inverse(y, kernel, geometry):
    """M^{-1} y in units of 2^-BITS, as integers."""
    (kernel, kernel_scale), (y, y_scale) = to_integers(kernel), to_integers(y)
    numerators, denominator = to_integers(matrix_inverse(kernel[:, :, *geometry.anchor]).T)
    scaled = (y * (kernel_scale << BITS)) // y_scale
    return substitute(scaled, kernel, lambda rest: rest @ numerators // denominator, geometry)


def _in_units(array):
    numerators, scale = to_integers(np.where(np.isfinite(array), array, 0))
    return (numerators << BITS) // scale


def campaign(cases, seed=0, largest=9):
    """The outcomes of so many cases."""
    return [judge(draw(seed, number, largest)) for number in range(cases)]


def summary(outcomes):
    """Rows of dtype, range of conditions, number, median and worst overestimate, finite share."""
    rows = []
    for dtype, well in WELL_CONDITIONED.items():
        for least, most in ((0, well), (well, 1e14), (1e14, np.inf)):
            chosen = [
                o for o in outcomes
                if o.case.y.dtype == dtype and least <= o.case.condition < most
            ]  # fmt: skip
            ratios = [o.overestimate for o in chosen if not np.isnan(o.overestimate)]
            median = np.median(ratios) if ratios else np.nan
            finite = np.mean([o.finite for o in chosen]) if chosen else np.nan
            rows.append(
                (dtype.name, least, most, len(chosen), median, max(ratios, default=0), finite)
            )
    return rows


def main(cases=2000, seed=0):
    """Run the campaign, print its figures and return the exit code."""
    outcomes = campaign(int(cases), int(seed))
    worst = max(outcomes, key=lambda outcome: outcome.worst)
    rows = summary(outcomes)
    print(f"{len(outcomes)} cases; largest error / radius {worst.worst:.9g} ({worst.case})")
    print("dtype    conditions        cases  largest radius / largest error   entries with")
    print("                                  median     worst                 a finite radius")
    for name, least, most, number, median, largest, finite in rows:
        conditions = f"{least:.0e} to {most:.0e}"
        print(
            f"{name}  {conditions:<16}  {number:5d}  {median:<9.5g}  {largest:<20.5g}  {finite:.4f}"
        )
    loose = [row for row in rows if row[1] == 0 and not row[4] <= MOST]
    return int(worst.worst > 1 or bool(loose))


# ---- cost ----------------------------------------------------------------------------------------

SHAPES = (  # images, channels, side, half-plane, largest sum of norms of the other taps
    (100, 3, 32, False, 0.3),
    (100, 3, 32, True, 0.3),
    (100, 12, 32, False, 0.3),
    (100, 12, 32, False, 12.0),
    (100, 48, 8, False, 0.3),
    (1, 12, 32, False, 0.3),
)


def cost():
    """Print how many times the inverse's processor time its bound and its assessment take."""
    print("images  channels  side  taps        others  dtype    inverse, ms  enclose  assess")
    with one_blas_thread():
        for images, channels, side, half_plane, total in SHAPES:
            for dtype in DTYPES:
                kernel, y, geometry = _problem(images, channels, side, half_plane, total, dtype)
                x = causal_solve(y, kernel, geometry)
                inverse, enclose, assess = (
                    _seconds(function, arguments)
                    for function, arguments in (
                        (causal_solve, (y, kernel, geometry)),
                        (enclose_inverse, (y, kernel, geometry, causal_solve)),
                        (trust.assess, (x, y, kernel, geometry, causal_conv, causal_solve)),
                    )
                )
                taps = "half-plane" if half_plane else "quadrant"
                print(
                    f"{images:6d}  {channels:8d}  {side:4d}  {taps:<10}  {total:6.1f}  "
                    f"{np.dtype(dtype).name}  {inverse * 1e3:11.3f}  {enclose / inverse:7.0f}  "
                    f"{assess / inverse:6.1f}"
                )
    return 0


def _problem(images, channels, side, half_plane, total, dtype):
    """A 3x3 kernel whose corner block is the identity, and normal images."""
    rng, anchor = np.random.default_rng(0), (2, 1 if half_plane else 2)
    shape = (channels, channels, 3, 3)
    kernel = rng.normal(size=shape) * causal_mask(shape, anchor)
    kernel[:, :, *anchor] = 0
    kernel *= total / np.linalg.norm(kernel, 2, axis=(0, 1)).sum()
    kernel[:, :, *anchor] = np.eye(channels)
    y = rng.normal(size=(images, channels, side, side))
    return kernel.astype(dtype), y.astype(dtype), Geometry(anchor=anchor)


def _seconds(function, arguments, repeat=7):
    """The least processor time of several calls, in seconds."""
    function(*arguments)  # compiles
    times = []
    for _ in range(repeat):
        start = time.process_time()
        function(*arguments)
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    sys.exit(cost() if sys.argv[1:] == ["cost"] else main(*sys.argv[1:]))
