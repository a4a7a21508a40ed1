r"""The checker of what `stability` proves. It shares no code with the search for proofs.

A proof is a dict of strings and numbers, fit for JSON, about one kernel. Its ``"kind"`` names the
theorem that is applied, with M the matrix of the convolution and P its symbol:

==================== ========= ==================================================================
kind                 verdict   what is checked
==================== ========= ==================================================================
norm sum             bounded   sum of ||B^{-1} K_ab||_2 over all taps but B is below 1
accretive            bounded   the Hermitian part of B^{-1} P is at least "delta" for |w| = |z| = 1
approximate inverse  bounded   ||M G - 1|| < 1 for the response G, cut off, on images of any size
bidisk               bounded   det P(w, z) != 0 for |w|, |z| <= 1 (taps in one quadrant)
row                  growing   det P(0, z) = 0 for some |z| <= 1
wave                 growing   det P(w, z) = 0 for some |w| <= 1, z of tan(theta/2) = "tangent"
width                growing   det of P(w) on rows of "width" pixels is 0 for some |w| <= 1
==================== ========= ==================================================================

A zero is proved in integers, or, if the proof has one as ``"zero": [real, imaginary]``, by
isolating it there. Proofs of these theorems are in the modules `accretive`,
`approximate_inverse`, `bidisk`, `transfer` and `zeros`. "bidisk" and growth without such a zero
are checked in integers and Fractions, the others in floating point with bounds of all rounding
errors. ``"balance"`` holds exponents e of a matrix D = diag(2^e): the
checks are made for D K D^{-1}, which is bounded iff K is. ``"fingerprint"`` binds the proof to the
kernel, so that damage is noticed. ``"schema"``, which older proofs do not have, is the version of
all this.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import comb, isfinite, lcm
from numbers import Rational
from typing import Any

import numpy as np

from cinc_ref._schema import has_schema
from cinc_ref._typing import Array, RealArrayLike
from cinc_ref.theory.arguments import check_kernel

__all__ = ["check_certificate", "fingerprint"]

EPS = 2.0**-52
"""Twice the unit roundoff of float64."""

CELLS = 2**24
"""The number of cells times C^2 after which an accretive symbol is not confirmed: ten seconds."""

LARGEST = 4096
"""The largest size of an approximate inverse, in pixels, that is looked at."""


def check_certificate(
    kernel: RealArrayLike,
    proof: dict[str, Any],
    *,
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
) -> bool:
    """Check the proof of a verdict about a kernel, independently of how it was found.

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        Integers, Fractions or floats; a float counts as the dyadic fraction that it is.
    proof : dict
        The attribute `proof` of a `Stability`, perhaps written to JSON and read again.
    dilation, anchor
        As for `cinc_ref.conv`. The dilation makes no difference.

    Returns
    -------
    bool
        True if the proof is one of its ``"verdict"`` for this kernel. False for anything else:
        another kernel, a changed or damaged proof, or a claim that does not hold.

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If the kernel or an option is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import theory
    >>> kernel = np.array([[[[0.0, 0.25], [0.5, 1.0]]]])
    >>> proof = theory.stability(kernel, (32, 32)).proof
    >>> proof["verdict"], proof["kind"], theory.check_certificate(kernel, proof)
    ('bounded', 'norm sum', True)
    >>> theory.check_certificate(2 * kernel - 1, proof)
    False
    """
    kernel, geometry = check_kernel(kernel, dilation=dilation, anchor=anchor)
    if not isinstance(proof, dict):
        return False
    try:
        with np.errstate(all="ignore"):  # what overflows proves nothing
            return _holds(kernel, geometry.anchor, proof)
    except (ArithmeticError, LookupError, TypeError, ValueError, np.linalg.LinAlgError):
        return False


def fingerprint(kernel: Array, anchor: Sequence[int], proof: dict[str, Any]) -> str:
    """Return the hash of a proof and the kernel that it is about, without its own fingerprint."""
    entries = [list(_ratio(entry)) for entry in np.asarray(kernel).ravel().tolist()]
    content = {key: value for key, value in proof.items() if key != "fingerprint"}
    text = json.dumps([entries, list(kernel.shape), list(anchor), content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _ratio(number):
    if isinstance(number, Rational):
        return int(number.numerator), int(number.denominator)
    return tuple(map(int, number.as_integer_ratio()))


def _holds(kernel, anchor, proof):
    if not has_schema(proof, "certificate"):
        return False
    if proof["fingerprint"] != fingerprint(kernel, anchor, proof):
        return False
    verdict, check = CHECKS[proof["kind"]]
    if proof["verdict"] != verdict:
        return False
    taps = _balanced_taps(kernel, anchor, proof["balance"])
    if _determinant(taps[0, 0].tolist()) == 0:
        return False
    return bool(check(taps, proof))


def _balanced_taps(kernel, anchor, balance):
    """Return {(u, v): integers} with the taps of D K D^{-1}, u rows up and v columns left."""
    channels, (p, q) = len(kernel), anchor
    if len(balance) != channels or not all(type(e) is int and abs(e) < 2**16 for e in balance):
        raise ValueError
    exact = np.empty(kernel.shape, dtype=object)
    flat = [Fraction(*_ratio(entry)) for entry in kernel.ravel().tolist()]
    exact.ravel()[:] = flat
    powers = [Fraction(2) ** e for e in balance]
    for o, c in np.ndindex(channels, channels):
        exact[o, c] *= powers[o] / powers[c]
    scale = lcm(*(entry.denominator for entry in exact.ravel()))
    taps = {}
    for a, b in np.ndindex(p + 1, kernel.shape[3]):
        block = exact[:, :, a, b] * scale
        block = np.array([int(entry) for entry in block.ravel()], dtype=object)
        if (a, b) == (p, q) or block.any():
            taps[p - a, q - b] = block.reshape(channels, channels)
    return taps


def _is_quadrant(taps):
    return all(v >= 0 for _, v in taps)


# ---- bounded, in floating point with bounds of rounding ------------------------------------------


def _normalized(taps):
    """Return {(u, v): (B^{-1} K_uv, bound of its rounding)}: exact for up to 16 channels."""
    corner, exact = taps[0, 0], None
    if len(corner) <= 16 or not _is_well_conditioned(taps):
        exact = _exact_inverse(corner)
    result = {}
    floats = None if exact is not None else _floats(taps)
    inverse = None if exact is not None else np.linalg.inv(floats[0, 0])
    for offset, block in taps.items():
        if exact is not None:
            product = np.array([[float(x) for x in row] for row in exact @ block])
            result[offset] = product, EPS * np.abs(product) + 2.0**-1070
        else:
            terms = np.abs(inverse) @ np.abs(floats[offset])
            result[offset] = inverse @ floats[offset], (len(corner) + 4) * EPS * terms
    return result


def _is_well_conditioned(taps):
    try:
        return np.linalg.cond(_floats(taps)[0, 0], 1) < 1e11
    except ValueError:
        return False


def _floats(taps):
    """Return the taps as float64, over a power of two; refuse those not good to a relative eps."""
    bits = max(int(entry).bit_length() for block in taps.values() for entry in block.ravel())
    floats = {}
    for offset, block in taps.items():
        rounded = np.array([float(Fraction(int(entry), 1 << bits)) for entry in block.ravel()])
        if ((np.abs(rounded) < 2.0**-1000) & (block.ravel() != 0)).any():
            raise ValueError
        floats[offset] = rounded.reshape(block.shape)
    return floats


def _exact_inverse(matrix):
    """Invert a matrix of integers by Gauss-Jordan elimination in Fractions."""
    n = len(matrix)
    rows = [
        [Fraction(int(x)) for x in row] + [Fraction(int(i == k)) for k in range(n)]
        for i, row in enumerate(matrix.tolist())
    ]
    for column in range(n):
        pivot = next(i for i in range(column, n) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = rows[column][column]
        rows[column] = [x / scale for x in rows[column]]
        for i in range(n):
            factor = rows[i][column]
            if i != column and factor:
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[column], strict=True)]
    return np.array([row[n:] for row in rows], dtype=object)


def _check_norm_sum(taps, proof):
    total = 0.0
    for offset, (block, error) in _normalized(taps).items():
        rest = block - np.eye(len(block)) if offset == (0, 0) else block
        total += _spectral_norm_bound(rest) + float(np.linalg.norm(error))
    return total * (1 + len(taps) * EPS) < 1


def _spectral_norm_bound(matrix):
    """Return s with ||A||_2 <= s: s^2 - A^T A is positive definite, by a Cholesky factorization.

    That a factorization runs to its end proves that the matrix plus (n + 1) eps trace is positive
    definite (Rump, "Verification of positive definiteness", 2006).
    """
    if not matrix.any():
        return 0.0
    n, scale = len(matrix), float(np.abs(matrix).max())
    matrix = matrix / scale
    gram = matrix.T @ matrix
    slack = 8 * (n + 8) * EPS * float(np.abs(matrix).sum()) ** 2
    bound = float(np.linalg.norm(matrix, 2)) ** 2 * (1 + 1e-12) + 2 * slack
    np.linalg.cholesky((bound - slack) * np.eye(n) - gram)
    return scale * bound**0.5 * (1 + 8 * EPS)


def _check_accretive(taps, proof):
    """Halve cells of the torus of angles until each is seen to be at least delta."""
    delta = proof["delta"]
    if not (isinstance(delta, float) and isfinite(delta) and delta > 0):
        return False
    blocks = _normalized(taps)
    offsets = np.array(list(blocks))
    matrices = np.array([block for block, _ in blocks.values()])
    sizes = np.linalg.norm(matrices, axis=(1, 2)) * (1 + 1e-12)
    channels = len(matrices[0])
    slack = 16 * EPS * (channels + len(sizes) + 8) * sizes.sum()
    slack += sum(float(np.linalg.norm(error)) for _, error in blocks.values())
    slope_w, slope_z = np.abs(offsets.T) @ sizes
    count = 32
    angles = 2 * np.pi * (np.arange(count) + 0.5) / count
    w, z = (grid.ravel() for grid in np.meshgrid(angles[: count // 2], angles, indexing="ij"))
    radius_w = radius_z = np.pi / count
    work = 0
    while len(w):
        work += len(w) * channels**2
        if work > CELLS:
            return False
        phases = np.exp(1j * (np.outer(w, offsets[:, 0]) + np.outer(z, offsets[:, 1])))
        symbols = np.tensordot(phases, matrices, axes=1)
        parts = (symbols + np.conj(np.swapaxes(symbols, 1, 2))) / 2
        least = np.linalg.eigvalsh(parts)[:, 0]
        if (least < delta).any():
            return False
        left = least - slack < delta + (radius_w * slope_w + radius_z * slope_z) * (1 + 1e-9)
        w, z = w[left], z[left]
        if radius_w * slope_w > radius_z * slope_z:
            radius_w /= 2
            w, z = np.concatenate([w - radius_w, w + radius_w]), np.concatenate([z, z])
        else:
            radius_z /= 2
            w, z = np.concatenate([w, w]), np.concatenate([z - radius_z, z + radius_z])
    return True


def _check_approximate_inverse(taps, proof):
    rows, columns = proof["rows"], proof["columns"]
    if not all(type(n) is int and 0 < n <= LARGEST for n in (rows, columns)):
        return False
    floats = _floats(taps)
    if _is_quadrant(taps):
        return _check_quadrant_inverse(floats, rows, columns)
    reach = max(abs(v) for _, v in taps)
    margin = columns + reach
    width = 2 * margin + 1
    if not all(_decays_at_width(floats, w) for w in range(1, width)):
        return False
    inverse = _response_of_rows(floats, rows, width, width * len(floats[0, 0]))
    pixel = np.arange(width * len(floats[0, 0])) // len(floats[0, 0])
    inverse = np.where(np.abs(pixel[:, None] - pixel) <= columns, inverse, 0.0)
    rest = _residual_of_rows(floats, inverse, width)
    by_column = rest.sum(axis=(0, 1)).max()
    by_row = rest.sum(axis=0)
    middle = rest[:, :, pixel == margin]
    middle = middle.reshape(len(rest), width, -1, middle.shape[2]).sum(axis=(0, 1, 3)).max()
    sides = [by_row[:, side].sum(axis=1).max() for side in (pixel < margin, pixel > margin)]
    return max(by_column, sum(sides) + middle) * (1 + LARGEST**2 * EPS) < 1


def _check_quadrant_inverse(floats, rows, columns):
    channels, reach = len(floats[0, 0]), max(v for _, v in floats)
    inverse = _response_of_rows(floats, rows, columns, channels)
    inverse = np.pad(inverse, [(0, 0), (0, reach * channels), (0, 0)])
    rest = _residual_of_rows(floats, inverse, columns + reach)
    rest = rest.reshape(len(rest), columns + reach, channels, channels)
    norms = rest.sum(axis=(0, 1, 2)).max(), rest.sum(axis=(0, 1, 3)).max()
    return max(norms) * (1 + LARGEST**2 * EPS) < 1


def _row_blocks(taps, width, dtype=float):
    """Return {u: the matrix of the taps u rows up, within a row of `width` pixels}."""
    channels = len(taps[0, 0])
    blocks = {
        u: np.zeros((width * channels, width * channels), dtype) for u in {u for u, _ in taps}
    }
    for (u, v), tap in taps.items():
        for j in range(max(0, v), min(width, width + v)):
            to, read = j * channels, (j - v) * channels
            blocks[u][to : to + channels, read : read + channels] = tap
    return blocks


def _response_of_rows(floats, rows, width, sources):
    """Return an approximate response, shape (rows, W C, sources): nothing is assumed of it."""
    blocks = _row_blocks(floats, width)
    inverse = np.linalg.inv(blocks[0])
    response = np.zeros((rows, len(inverse), sources))
    response[0] = inverse[:, :sources]
    for i in range(1, rows):
        read = sum(
            (blocks[u] @ response[i - u] for u in blocks if 0 < u <= i),
            np.zeros_like(response[0]),
        )
        response[i] = -inverse @ read
    return response


def _residual_of_rows(floats, inverse, width):
    """Return a bound of |M G - 1| on images of any height, for a G of some rows."""
    blocks = _row_blocks(floats, width)
    up, sources = max(blocks), inverse.shape[2]
    unit = (sum(block.size for block in floats.values()) + 8) * EPS
    result = np.zeros((len(inverse) + up, *inverse.shape[1:]))
    for i in range(len(result)):
        total = np.zeros_like(inverse[0])
        terms = np.zeros_like(inverse[0])
        for u, block in blocks.items():
            if 0 <= i - u < len(inverse):
                total += block @ inverse[i - u]
                terms += np.abs(block) @ np.abs(inverse[i - u])
        if i == 0:
            total -= np.eye(len(total), sources)
        result[i] = np.abs(total) + unit * (terms + (i == 0))
    return result


def _decays_at_width(floats, width):
    """Return whether a power of the row-to-row matrix has a norm below 1."""
    blocks = _row_blocks(floats, width)
    up, n = max(blocks), len(blocks[0])
    if up == 0:
        return True
    near = np.linalg.inv(blocks[0])
    unit = 2 * (n * up + 8) * EPS
    norm = _row_sum(near)
    gap = _row_sum(np.eye(n) - near @ blocks[0]) + unit * norm * _row_sum(blocks[0])
    if not gap < 0.5:
        return False
    matrix = np.zeros((n * up, n * up))
    others = 0.0
    for u in range(1, up + 1):
        block = blocks.get(u, np.zeros((n, n)))
        matrix[:n, (u - 1) * n : u * n] = -near @ block
        others += _row_sum(block)
    matrix[n:, :-n] = np.eye(n * (up - 1))
    error = 2 * (gap + 2 * unit) * norm * others
    for _ in range(16):
        size = _row_sum(matrix)
        if not isfinite(size + error):
            return False
        if size + error < 1:
            return True
        error = (2 * size * error + error * error + unit * size * size) * (1 + 1e-9)
        matrix = matrix @ matrix
    return False


def _row_sum(matrix):
    return float(np.abs(matrix).sum(axis=1).max()) * (1 + LARGEST * EPS)


# ---- growing, and the bidisk, in integers --------------------------------------------------------


def _check_row(taps, proof):
    rows = {v: block for (u, v), block in taps.items() if u == 0}
    return _has_zero(rows, proof)


def _check_wave(taps, proof):
    turned = _at_wave(taps, proof["tangent"])
    if "zero" not in proof:
        return _has_zero_in_disk(turned)
    n = len(taps[0, 0])
    parts = {k: (a[:n, :n], a[n:, :n]) for k, a in turned.items()}
    return _isolates_zero(_complex_polynomial(parts), complex(*proof["zero"]))


def _check_width(taps, proof):
    width = proof["width"]
    if not (type(width) is int and 0 < width * len(taps[0, 0]) <= 256):
        return False
    return _has_zero(_row_blocks(taps, width, object), proof)


def _has_zero(coefficients, proof):
    if "zero" not in proof:
        return _has_zero_in_disk(coefficients)
    parts = {k: (a, a * 0) for k, a in coefficients.items()}
    return _isolates_zero(_complex_polynomial(parts), complex(*proof["zero"]))


def _complex_polynomial(parts):
    """Return A_0, ..., A_p from exact real and imaginary parts, over their largest entry."""
    size = len(next(iter(parts.values()))[0])
    largest = max(abs(Fraction(x)) for pair in parts.values() for a in pair for x in a.ravel())
    matrices = np.zeros((max(parts) + 1, size, size), complex)
    for k, pair in parts.items():
        exact = [[Fraction(x) / largest for x in a.ravel()] for a in pair]
        if any(0 < abs(x) < Fraction(1, 1 << 1000) for part in exact for x in part):
            raise ValueError
        real, imaginary = (np.array([float(x) for x in part]).reshape(size, size) for part in exact)
        matrices[k] = real + 1j * imaginary
    return matrices


def _isolates_zero(matrices, w):
    """Prove a zero of det Q near w, |w| < 1, by Newton's method and Kantorovich's theorem.

    For F(x, w) = (Q(w) x, l x - 1) with the inverse Y of F' there: if e >= |Y F|, and h bounds
    |Y F''| around there so that 2 e h < 1, a zero lies within 2 e (in the maximum norm). Y is
    approximate: with ||1 - Y F'|| = g < 1, e and h grow by 1 / (1 - g).
    """
    degree, n = len(matrices) - 1, len(matrices[0])
    powers = w ** np.arange(degree + 1)
    slopes = np.arange(degree + 1) * np.append(0, powers[:-1])
    value, slope = np.tensordot(powers, matrices, axes=1), np.tensordot(slopes, matrices, axes=1)
    x = np.linalg.svd(value)[2][-1].conj()
    jacobian = np.zeros((n + 1, n + 1), complex)
    jacobian[:n, :n], jacobian[:n, n], jacobian[n, :n] = value, slope @ x, x.conj()
    near = np.linalg.inv(jacobian)
    unit = 32 * (n + degree + 8) * EPS
    modulus = abs(w) + 1e-3
    ladder = modulus ** np.arange(degree + 1)
    k = np.arange(degree + 1)
    first = np.tensordot(k * np.append(0, ladder[:-1]), np.abs(matrices), axes=1)
    second = k * (k - 1) * np.concatenate([[0, 0], ladder])[: degree + 1]
    second = np.tensordot(second, np.abs(matrices), axes=1)
    terms = np.tensordot(ladder, np.abs(matrices), axes=1)
    residual = np.append(np.abs(value @ x) + unit * (terms @ np.abs(x)), (n + 8) * EPS)
    wobble = np.zeros((n + 1, n + 1))
    wobble[:n, :n], wobble[:n, n] = unit * terms, unit * (first @ np.abs(x))
    gap = np.abs(np.eye(n + 1) - near @ jacobian)
    gap += np.abs(near) @ (wobble + unit * np.abs(jacobian))
    gap = gap.sum(axis=1).max() * (1 + unit)
    if not gap < 0.5:
        return False
    distance = (np.abs(near) @ residual).max() * (1 + unit) / (1 - gap)
    bend = np.append(2 * first.sum(axis=1) + second @ (np.abs(x) + 1e-3), 0)
    curvature = (np.abs(near) @ bend).max() * (1 + unit) / (1 - gap)
    if not (2 * distance * curvature < 0.99 and 2 * distance < 1e-3):
        return False
    return abs(w) + 2 * distance < 1 - 8 * EPS


def _check_bidisk(taps, proof):
    """Huang's conditions: in the row, at z = 1, and nowhere on the circle from there."""
    rows = {v: block for (u, v), block in taps.items() if u == 0}
    if not _is_quadrant(taps) or _has_zero_in_disk(rows):
        return False
    if _has_zero_in_disk(_at_wave(taps, [0, 1])):
        return False
    channels, (up, left) = len(taps[0, 0]), np.max(list(taps), axis=0)
    n = channels * int(up)
    degree = n * channels * int(left)
    if degree > LARGEST:
        return False
    nodes = [z for k in range(2, degree + 3) for z in (k, -k)][: degree + 1]
    points, values = [], []
    for z in nodes:
        f, g = (_determinant_polynomial(_in_w(taps, Fraction(z) ** sign), n) for sign in (1, -1))
        points.append((Fraction(z) + Fraction(1, z)) / 2)
        values.append(_resultant(f, g[::-1]))
    return not _has_zero_between(_lagrange(points, values), Fraction(-1), Fraction(1))


CHECKS: dict[str, tuple[str, Callable[[dict[tuple[int, int], Array], dict[str, Any]], bool]]] = {
    "norm sum": ("bounded", _check_norm_sum),
    "accretive": ("bounded", _check_accretive),
    "approximate inverse": ("bounded", _check_approximate_inverse),
    "bidisk": ("bounded", _check_bidisk),
    "row": ("growing", _check_row),
    "wave": ("growing", _check_wave),
    "width": ("growing", _check_width),
}


def _in_w(taps, z):
    """Return {u: sum over v of K_uv z^v} in Fractions."""
    result = {}
    for (u, v), block in taps.items():
        result[u] = result.get(u, 0) + block * z**v
    return result


def _at_wave(taps, tangent):
    """Return {u: T_u(z) as a real matrix [[Re, -Im], [Im, Re]]}, z of angle 2 arctan(tangent)."""
    numerator, denominator = tangent
    if type(numerator) is not int or type(denominator) is not int or denominator < 0:
        raise ValueError
    modulus = numerator**2 + denominator**2
    cosine = Fraction(denominator**2 - numerator**2, modulus)
    sine = Fraction(2 * numerator * denominator, modulus)
    result = {}
    for (u, v), block in taps.items():
        real, imaginary = Fraction(1), Fraction(0)
        for _ in range(abs(v)):
            real, imaginary = real * cosine - imaginary * sine, real * sine + imaginary * cosine
        if v < 0:
            imaginary = -imaginary
        turned = np.block([[block * real, -block * imaginary], [block * imaginary, block * real]])
        result[u] = result.get(u, 0) + turned
    return result


def _has_zero_in_disk(coefficients):
    """Decide whether det(sum of A_k w^k) = 0 for some |w| <= 1, by Schur and Cohn's recursion.

    With k = c_n / c_0, the polynomial f - k w^n f(1/w) has as many zeros in the disk as f if
    |k| < 1; if |k| >= 1, the product of all zeros is at most 1 in modulus.
    """
    size = len(next(iter(coefficients.values())))
    f = _determinant_polynomial(coefficients, size * max(coefficients))
    f = f[: max(k for k, c in enumerate(f) if c) + 1]
    while len(f) > 1:
        if f[0] == 0:
            return True
        ratio = Fraction(f[-1]) / f[0]
        if abs(ratio) >= 1:
            return True
        f = [a - ratio * b for a, b in zip(f[:-1], f[:0:-1], strict=True)]
        f = _scaled(f)
    return f[0] == 0


def _scaled(polynomial):
    """Return integers in proportion to Fractions, without a common factor of two."""
    scale = lcm(*(Fraction(c).denominator for c in polynomial))
    integers = [int(c * scale) for c in polynomial]
    divisor = int(np.gcd.reduce(np.array(integers, dtype=object))) or 1
    return [c // divisor for c in integers]


def _determinant_polynomial(coefficients, degree):
    """Return the coefficients of det(sum of A_k w^k), from its values at w = 0, 1, ..., degree."""
    scale = lcm(*(Fraction(x).denominator for a in coefficients.values() for x in a.ravel()))
    matrices = {
        k: np.array([int(x * scale) for x in a.ravel()], dtype=object).reshape(a.shape)
        for k, a in coefficients.items()
    }
    values = [
        _determinant(sum(matrix * w**k for k, matrix in matrices.items()).tolist())
        for w in range(degree + 1)
    ]
    size = len(next(iter(matrices.values())))
    return [c / Fraction(scale) ** size for c in _lagrange(range(degree + 1), values)]


def _lagrange(points, values):
    """Return the coefficients of the polynomial through the points."""
    points = [Fraction(x) for x in points]
    whole = [Fraction(1)]
    for x in points:
        whole = [a - x * b for a, b in zip([0, *whole], [*whole, 0], strict=True)]
    result = [Fraction(0)] * len(points)
    for x, value in zip(points, values, strict=True):
        quotient, carry = [], Fraction(0)
        for c in whole[:0:-1]:  # synthetic division by (t - x)
            carry = carry * x + c
            quotient.append(carry)
        at = Fraction(0)
        for c in quotient:
            at = at * x + c
        weight = Fraction(value) / at
        for k, c in enumerate(reversed(quotient)):
            result[k] += weight * c
    return result


def _resultant(f, g):
    """Return the resultant of two polynomials of the same formal degree, by Sylvester's matrix."""
    n = len(f) - 1
    if n == 0:
        return Fraction(1)
    rows = [[0] * k + list(h) + [0] * (n - 1 - k) for h in (f, g) for k in range(n)]
    scale = lcm(*(Fraction(x).denominator for row in rows for x in row))
    whole = [[int(x * scale) for x in row] for row in rows]
    return Fraction(_determinant(whole)) / Fraction(scale) ** (2 * n)


def _determinant(rows):
    """Return the determinant of integers by elimination without fractions."""
    rows = [[int(x) for x in row] for row in rows]
    n, sign, previous = len(rows), 1, 1
    for k in range(n - 1):
        pivot = next((i for i in range(k, n) if rows[i][k]), None)
        if pivot is None:
            return 0
        if pivot != k:
            rows[k], rows[pivot], sign = rows[pivot], rows[k], -sign
        for i in range(k + 1, n):
            for j in range(k + 1, n):
                cross = rows[i][j] * rows[k][k] - rows[i][k] * rows[k][j]
                rows[i][j] = cross // previous
        previous = rows[k][k]
    return sign * rows[-1][-1]


def _has_zero_between(polynomial, low, high):
    """Decide whether a polynomial has a zero on [low, high]: Descartes' rule on halved intervals.

    With x = (low + high t) / (1 + t), the number of zeros inside is at most the number of changes
    of sign of the coefficients in t; it is 0 or 1 exactly where that number is.
    """
    polynomial = _scaled(polynomial)
    pending = [(low, high)]
    while pending:
        low, high = pending.pop()
        coefficients = _on_interval(polynomial, low, high)
        if coefficients[0] == 0 or coefficients[-1] == 0:
            return True
        signs = [c > 0 for c in coefficients if c]
        changes = sum(a != b for a, b in pairwise(signs))
        if changes == 1 or (high - low).denominator.bit_length() > 256:
            return True
        if changes:
            middle = (low + high) / 2
            pending += [(low, middle), (middle, high)]
    return False


def _on_interval(polynomial, low, high):
    """Return the coefficients of (1 + t)^n f((low + high t) / (1 + t)), as integers."""
    n = len(polynomial) - 1
    result = [Fraction(0)] * (n + 1)
    power = [Fraction(1)]  # (low + high t)^k
    for k, c in enumerate(polynomial):
        if c:
            for i, a in enumerate(power):
                for j in range(n - k + 1):
                    result[i + j] += c * a * comb(n - k, j)
        power = [low * a + high * b for a, b in zip([*power, 0], [0, *power], strict=True)]
    return _scaled(result)
