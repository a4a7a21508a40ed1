"""Verdicts of `theory.stability` against right values, on families of kernels that are hard.

    python -m tools.stability_campaign                 all families, 200 members each
    python -m tools.stability_campaign --members 20    a sample of each
    python -m tools.stability_campaign edge waves      some families

Right values come from constructions whose zeros are known and from responses of the inverse in
integers over long images, never from the code under test. Every proof is written to JSON, read
again, and checked by `theory.check_certificate`, which shares no code with the search for it;
tampered proofs must be refused. The exit code is 1 if a verdict is wrong, a proof is not confirmed,
a tampered one is, or too many verdicts are "undecided".
"""

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from math import comb

import numpy as np

from cinc_ref import theory

MEMBERS = 200
TAMPERED = 20
BITS = 640


@dataclass(frozen=True)
class Member:
    """A kernel with its right verdict, or None where it is not known beforehand."""

    kernel: np.ndarray
    anchor: tuple[int, int]
    truth: str | None = None
    cell: str = ""


@dataclass
class Outcome:
    """The verdicts of a family, the mistakes in them, and times in seconds."""

    verdicts: Counter = field(default_factory=Counter)
    cells: dict = field(default_factory=dict)
    wrong: list = field(default_factory=list)
    unconfirmed: list = field(default_factory=list)
    accepted: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    checking: list = field(default_factory=list)


# ---- right values --------------------------------------------------------------------------------


def row_sums(kernel, anchor, width, height):
    """Return the sum of |response| in every row of a narrow image, for all pixels of its first row.

    In integers, multiples of 2^-640: rounding changes nothing that the sums show, because no
    response here grows or decays by 2^300. B must be the identity.
    """
    channels, (p, q) = len(kernel), anchor
    taps = {}
    for a, b in np.ndindex(p + 1, kernel.shape[3]):
        block = np.array([int(Fraction(x) * (1 << 60)) for x in kernel[:, :, a, b].ravel()], object)
        if block.any() and (a, b) != (p, q):
            taps[p - a, q - b] = block.reshape(channels, channels)
    rows = []
    for i in range(height):
        row = np.zeros((width, channels, width * channels), dtype=object)
        for j in range(width):
            if i == 0:
                for c in range(channels):
                    row[j, c, j * channels + c] = 1 << BITS
            total = 0
            for (u, v), block in taps.items():
                if u <= i and 0 <= j - v < width and (u, v) > (0, 0):
                    total = total + block @ (row if u == 0 else rows[i - u])[j - v]
            row[j] = row[j] - (total >> 60 if taps and not isinstance(total, int) else 0)
        rows.append(row)
    return [Fraction(int(np.abs(row).sum()), 1 << BITS) for row in rows]


def grows_when_tall(kernel, anchor, width, height=64):
    """Return True or False if images of this width plainly grow or decay, otherwise None.

    From the rows of the second half of an image against those of its second quarter.
    """
    sums = row_sums(kernel, anchor, width, height)
    before = max(sums[height // 4 : height // 2])
    after = max(sums[height // 2 :])
    if not before:
        return False
    ratio = after / before
    return True if ratio > 4 else False if ratio < Fraction(1, 4) else None


def wave_maximum(numerator, denominator, count=1 << 17):
    """Return max |n(z) / d(z)| on the circle: a dense grid, and a parabola at its best points."""
    angles = 2 * np.pi * np.arange(count) / count
    values = np.abs(np.fft.fft(numerator, count) / np.fft.fft(denominator, count))
    best = np.argsort(values)[-16:]
    step = angles[1] / 2
    found = values.max()
    for angle in angles[best]:
        width = step
        for _ in range(30):
            near = angle + width * np.array([-1, 0, 1])
            z = np.exp(-1j * near)
            rates = np.abs(np.polyval(numerator[::-1], z) / np.polyval(denominator[::-1], z))
            found = max(found, rates.max())
            angle = near[np.argmax(rates)]
            width /= 2
    return float(found)


# ---- families ------------------------------------------------------------------------------------


def edge_states(rng, number):
    """Draw half-planes that grow at a border of the image and in no wave of its middle."""
    channels = 2 + number % 3
    kernel = np.zeros((channels, channels, 2, 3))
    kernel[:, :, 1, 1] = np.eye(channels)
    strength = rng.uniform(0.15, 1.4) if number % 4 else 1.0
    for first in range(0, channels - 1, 2):
        second = first + 1
        kernel[first, first, 0, 1], kernel[second, second, 0, 1] = -2, 2
        kernel[first, second, 0, 0], kernel[second, first, 0, 2] = -2, 2
    kernel[:, :, 0] *= strength
    if number % 3:
        kernel[:, :, 0] += 3e-2 * rng.normal(size=(channels, channels, 3))
    if number % 2:
        turn = np.linalg.qr(rng.normal(size=(channels, channels)))[0]
        kernel = np.einsum("io,ocab,jc->ijab", turn, kernel, turn)
        kernel[:, :, 1, 1] = np.eye(channels)
        kernel[:, :, 1, 2] = 0
    kernel = np.round(kernel * 2**40) / 2**40
    grows = any(grows_when_tall(kernel, (1, 1), width) for width in (1, 2, 3))
    return Member(kernel, (1, 1), "growing" if grows else None)


def narrow_peaks(rng, number):
    """Draw rows that grow only for waves in a narrow peak next to a broad one; one channel.

    The rate of a wave is |T_1 / T_0|, computed at 131,072 waves and refined.
    """
    phi, radius = rng.uniform(0.3, 2.8), rng.uniform(0.93, 0.995)
    first = np.array([1.0, -2 * radius * np.cos(phi), radius**2])
    second = rng.normal(size=3)
    target = 1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-2.5, -0.8)
    if number % 2:
        second = second + np.polynomial.polynomial.polymul(first, [rng.uniform(5, 40)])[:3]
    second *= target / wave_maximum(second, first)
    kernel = np.zeros((1, 1, 2, 3))
    kernel[0, 0, 1], kernel[0, 0, 0] = first[::-1], second[::-1]
    kernel = kernel.astype(np.float32).astype(float)
    rate = wave_maximum(kernel[0, 0, 0, ::-1], kernel[0, 0, 1, ::-1])
    roots = np.abs(np.roots(kernel[0, 0, 1]))
    truth = None
    if abs(rate - 1) > 1e-5 and (np.abs(roots - 1) > 1e-5).all():
        truth = "growing" if rate > 1 or roots.min() < 1 else "bounded"
    return Member(kernel, (1, 2), truth)


def channel_scalings(rng, number):
    """Draw a kernel and change the units of its channels: its verdict must not change."""
    channels = 2 + number % 3
    half_plane = bool(number % 2)
    anchor = (1, 1)
    kernel = random_kernel(rng, channels, (2, 3) if half_plane else (2, 2), anchor, 0.5)
    exponents = rng.integers(-30, 31, channels)
    scaled = kernel * np.exp2(exponents[:, None] - exponents)[:, :, None, None]
    scaled = scaled * 2.0 ** rng.integers(-40, 41)
    plain = theory.stability(kernel, (3, 3), anchor=anchor)
    return Member(scaled, anchor, plain.verdict)


def multiple_zeros(rng, number):
    """Multiply powers of factors with known zeros, in exact integers."""
    kind = number % 4
    multiplicity = int(rng.integers(2, 17))
    bits = 4
    if kind == 0:  # (1 - a z)^m
        a = int(rng.integers(9, 20))
        row = power_of_binomial(1 << bits, -a, multiplicity)
        return Member(as_row(row), (0, multiplicity), "bounded" if a < 16 else "growing")
    if kind == 1:  # (1 - a z)^m (1 - b w)^n
        a, b = (int(x) for x in rng.integers(10, 18, 2))
        m, n = (int(x) for x in rng.integers(1, 6, 2))
        grid = np.outer(power_of_binomial(16, -b, n), power_of_binomial(16, -a, m))
        truth = "bounded" if max(a, b) < 16 else "growing"
        return Member(grid[::-1, ::-1][None, None], (n, m), truth)
    if kind == 2:  # (1 - a z - b w)^m: a zero in the bidisk iff a + b >= 1
        m = int(rng.integers(1, 5))
        a = int(rng.integers(1, 15))
        b = int(rng.integers(max(1, 13 - a), 19 - a))
        grid = np.zeros((m + 1, m + 1), dtype=object)
        for i in range(m + 1):
            for j in range(m + 1 - i):
                coefficient = comb(m, i) * comb(m - i, j)
                grid[i, j] = coefficient * (-b) ** i * (-a) ** j * 16 ** (m - i - j)
        truth = "bounded" if a + b < 16 else "growing"
        return Member(grid[::-1, ::-1][None, None], (m, m), truth)
    a, b = (int(x) for x in rng.integers(10, 18, 2))  # two channels, mixed by an integer matrix
    m = int(rng.integers(2, 9))
    mix = np.array([[1, int(rng.integers(-3, 4))], [0, 1]], dtype=object)
    unmix = np.array([[1, -mix[0, 1]], [0, 1]], dtype=object)
    kernel = np.zeros((2, 2, 1, m + 1), dtype=object)
    for c, zero in enumerate((a, b)):
        kernel[c, c, 0] = power_of_binomial(16, -zero, m)[::-1]
    kernel = np.einsum("io,ocab,cj->ijab", mix, kernel, unmix)
    return Member(kernel, (0, m), "bounded" if max(a, b) < 16 else "growing")


def power_of_binomial(constant, slope, exponent):
    """Return the coefficients of (constant + slope z)^exponent as integers."""
    return np.array(
        [comb(exponent, k) * constant ** (exponent - k) * slope**k for k in range(exponent + 1)],
        dtype=object,
    )


def as_row(coefficients):
    """Return a one-row kernel whose symbol has these coefficients."""
    return coefficients[::-1][None, None, None]


def random_quadrants(rng, number):
    """Draw normal taps in one quadrant, up to two channels and 3x3 taps, from calm to wild."""
    channels, side = 1 + number % 2, 2 + number // 2 % 2
    scale = rng.choice([0.1, 0.2, 0.3, 0.5, 1.0])
    kernel = random_kernel(rng, channels, (side, side), (side - 1, side - 1), scale)
    grows = grows_when_tall(kernel, (side - 1, side - 1), 12, 24)
    cell = f"C = {channels}, k = {side}"
    return Member(kernel, (side - 1, side - 1), "growing" if grows else None, cell)


def random_half_planes(rng, number):
    """Draw taps in a half-plane of 2x3: five standard deviations over C, up to 3 channels."""
    deviations = (0.1, 0.2, 0.3, 0.5, 1.0)
    channels, deviation = 1 + number // 5 % 3, deviations[number % 5]
    kernel = random_kernel(rng, channels, (2, 3), (1, 1), deviation)
    grows = any(grows_when_tall(kernel, (1, 1), width, 48) for width in (1, 3, 6))
    cell = f"C = {channels}, {deviation}"
    return Member(kernel, (1, 1), "growing" if grows else None, cell)


def random_kernel(rng, channels, shape, anchor, deviation):
    """Return normal taps of a standard deviation over C, and B = 1."""
    kernel = rng.normal(size=(channels, channels, *shape)) * deviation / channels
    kernel[:, :, anchor[0], anchor[1] + 1 :] = 0
    kernel[:, :, *anchor] = np.eye(channels)
    return np.round(kernel * 2**40) / 2**40


FAMILIES = {
    "edge": edge_states,
    "waves": narrow_peaks,
    "scalings": channel_scalings,
    "zeros": multiple_zeros,
    "quadrants": random_quadrants,
    "half-planes": random_half_planes,
}


# ---- a family ------------------------------------------------------------------------------------


def run_family(name, members=MEMBERS, seed=0):
    """Return the `Outcome` of a family."""
    outcome = Outcome()
    for number in range(members):
        rng = np.random.default_rng([seed, list(FAMILIES).index(name), number])
        member = FAMILIES[name](rng, number)
        start = time.process_time()
        stability = theory.stability(member.kernel, (4, 4), anchor=member.anchor)
        outcome.seconds.append(time.process_time() - start)
        outcome.verdicts[stability.verdict] += 1
        cell = outcome.cells.setdefault(member.cell, Counter())
        cell[stability.verdict] += 1
        exact = name == "scalings" or stability.verdict != "undecided"
        if exact and member.truth not in (None, stability.verdict):
            outcome.wrong.append((number, member.truth, stability.verdict, stability.reason))
        if stability.proof is None:
            continue
        proof = json.loads(json.dumps(stability.proof, allow_nan=False))
        start = time.process_time()
        if not theory.check_certificate(member.kernel, proof, anchor=member.anchor):
            outcome.unconfirmed.append((number, proof))
        outcome.checking.append(time.process_time() - start)
        if number % 10 == 0:
            for tampered in tampered_proofs(rng, proof):
                if theory.check_certificate(member.kernel, tampered, anchor=member.anchor):
                    outcome.accepted.append((number, tampered))
    return outcome


def tampered_proofs(rng, proof):
    """Yield proofs with one thing changed."""
    for _ in range(TAMPERED):
        changed = json.loads(json.dumps(proof))
        key = str(rng.choice(sorted(changed)))
        value = changed[key]
        if rng.random() < 0.2:
            del changed[key]
        elif isinstance(value, str):
            at = int(rng.integers(len(value)))
            changed[key] = value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
        elif isinstance(value, list):
            at = int(rng.integers(len(value)))
            changed[key][at] = value[at] + 1
        else:
            changed[key] = value * 2 if isinstance(value, float) else value + 1
        yield changed


def dilated_widths(members=MEMBERS, seed=0):
    """Return where half-planes with dilation go wrong, at all widths from 1 to 9.

    The condition number against the inverse of the whole matrix, and the verdict at a width
    against the exact response of tall images of the widths of its sub-images.
    """
    wrong, undecided = [], 0
    for number in range(members):
        rng = np.random.default_rng([seed, 100, number])
        channels, dilation, width = 1 + number % 2, 2 + number % 2, 1 + number % 9
        kernel = random_kernel(rng, channels, (2, 3), (1, 1), rng.choice([0.5, 1.0, 2.0]))
        options = {"dilation": dilation, "anchor": (1, 1)}
        stability = theory.stability(kernel, (8, width), **options)
        matrix = theory.convolution_matrix(kernel, (8, width), **options)
        known = np.linalg.norm(matrix, 1) * np.linalg.norm(np.linalg.inv(matrix), 1)
        if known < 1e9 and abs(stability.condition_number / known - 1) > 1e-5:
            wrong.append((number, "condition number", stability.condition_number, known))
        widths = {-(-width // dilation), max(1, width // dilation)}
        grows = [grows_when_tall(kernel, (1, 1), w) for w in widths]
        truth = "growing" if True in grows else "bounded" if grows == [False] * len(grows) else None
        undecided += stability.at_width.verdict == "undecided"
        if truth and stability.at_width.verdict not in ("undecided", truth):
            wrong.append((number, "verdict at the width", stability.at_width.verdict, truth))
    return wrong, undecided / members


# ---- the command ---------------------------------------------------------------------------------


def report(name, outcome, most_of_a_cell=1.0, most=1.0):
    """Print the outcome of a family; return whether it is as it must be."""
    total = sum(outcome.verdicts.values())
    undecided = outcome.verdicts["undecided"] / total
    print(
        f"{name}: {total} kernels, {dict(outcome.verdicts)}, {undecided:.1%} undecided; "
        f"{len(outcome.wrong)} wrong, {len(outcome.unconfirmed)} proofs not confirmed, "
        f"{len(outcome.accepted)} tampered ones accepted; seconds {np.median(outcome.seconds):.2f} "
        f"(at most {max(outcome.seconds):.2f}), checking at most {max(outcome.checking):.2f}"
    )
    for problem in (*outcome.wrong, *outcome.unconfirmed, *outcome.accepted):
        print("   ", problem)
    rates = {
        cell: verdicts["undecided"] / sum(verdicts.values())
        for cell, verdicts in sorted(outcome.cells.items())
    }
    if len(rates) > 1:
        print("   ", ", ".join(f"{cell}: {rate:.0%}" for cell, rate in rates.items()))
    right = not (outcome.wrong or outcome.unconfirmed or outcome.accepted)
    return right and max(rates.values()) <= most_of_a_cell and undecided <= most


def main(arguments=None):
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, "widths", []])
    parser.add_argument("--members", type=int, default=MEMBERS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    chosen = options.families or [*FAMILIES, "widths"]
    fine = True
    for name in chosen:
        if name == "widths":
            wrong, undecided = dilated_widths(options.members, options.seed)
            print(
                f"widths: {options.members} kernels, {undecided:.1%} undecided, {len(wrong)} wrong"
            )
            for problem in wrong:
                print("   ", problem)
            fine &= not wrong
            continue
        members = options.members
        if name == "half-planes" and members == MEMBERS:
            members = 15 * 60
        limits = {"quadrants": (0.1, 0.1), "half-planes": (0.35, 0.2)}.get(name, (1.0, 1.0))
        fine &= report(name, run_family(name, members, options.seed), *limits)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
