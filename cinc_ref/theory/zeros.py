r"""An isolated zero of det Q(w) in the unit disk, for a matrix polynomial Q, in floating point.

*Theorem (Krawczyk).* Let F(x, w) = (Q(w) x, l^* x - 1), J its derivative at (x_0, w_0) and Y any
matrix. If T(y) = y - Y F(y) maps the ball of radius r around (x_0, w_0) (in the maximum norm) into
itself and contracts it,

    |Y F(x_0, w_0)| + (||1 - Y J|| + k(r)) r <= r,     k(r) >= ||Y (F'(y) - J)|| in the ball,

then there is exactly one (x, w) with Q(w) x = 0, x != 0 in it (Banach's fixed point theorem). If
|w_0| + r < 1 as well, det Q has a zero in the open unit disk.

All quantities are computed with bounds of their rounding errors.
"""

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.theory.symbol import EPS

__all__ = ["isolate_zero"]


def isolate_zero(coefficients: Array, guess: complex) -> complex | None:
    """Return a w_0 around which the theorem holds inside the unit disk, or None.

    Parameters
    ----------
    coefficients : ndarray, shape (p + 1, n, n)
        A_0, ..., A_p of Q(w) = sum A_k w^k, each entry good to a few relative eps.
    guess : complex
    """
    with np.errstate(all="ignore"):
        try:
            w, x = _newton(coefficients, complex(guess))
            radius = _radius(coefficients, w, x)
        except np.linalg.LinAlgError:
            return None
    return w if radius is not None and abs(w) + radius < 1 - 8 * EPS else None


def _newton(coefficients, w):
    """Return a zero and a null vector of unit length, by Newton's method."""
    x = np.linalg.svd(_value(coefficients, w))[2][-1].conj()
    normal = x.conj()
    for _ in range(6):
        step = np.linalg.solve(
            _derivative(coefficients, w, x, normal), _function(coefficients, w, x, normal)
        )
        x, w = x - step[:-1], w - step[-1]
    return complex(w), x


def _radius(coefficients, w, x):
    normal = x.conj() / np.vdot(x, x).real
    jacobian = _derivative(coefficients, w, x, normal)
    inverse = np.linalg.inv(jacobian)
    magnitudes, size = np.abs(coefficients), abs(w) + 1e-6
    unit = 16 * (coefficients[0].size + 16) * EPS
    bound = _value(magnitudes, size) @ np.abs(x)  # of all terms that round
    function = np.abs(_function(coefficients, w, x, normal)) + unit * np.append(bound, 1 + len(x))
    start = float((np.abs(inverse) @ function).max()) * (1 + unit)
    rounding = unit * _derivative(magnitudes, size, np.abs(x), np.abs(normal)) + unit
    gap = np.abs(np.eye(len(inverse)) - inverse @ jacobian) + np.abs(inverse) @ (2 * rounding)
    for radius in (2 * start, 16 * start):
        slope = _value(_differentiated(magnitudes), size + radius)
        curved = _value(_differentiated(_differentiated(magnitudes)), size + radius)
        column = slope.sum(axis=1) + curved @ (np.abs(x) + radius)
        change = radius * np.column_stack([slope, column])
        change = np.vstack([change, np.zeros(len(inverse))])
        total = (gap + np.abs(inverse) @ change).sum(axis=1).max() * (1 + unit)
        if radius <= 1e-6 and start + total * radius <= radius:
            return float(radius)
    return None


def _value(coefficients, w):
    result = coefficients[-1]
    for block in coefficients[-2::-1]:
        result = result * w + block
    return result


def _differentiated(coefficients):
    if len(coefficients) == 1:
        return np.zeros_like(coefficients)
    return coefficients[1:] * np.arange(1, len(coefficients))[:, None, None]


def _function(coefficients, w, x, normal):
    return np.append(_value(coefficients, w) @ x, normal @ x - 1)


def _derivative(coefficients, w, x, normal):
    column = _value(_differentiated(coefficients), w) @ x
    top = np.column_stack([_value(coefficients, w), column])
    return np.vstack([top, np.append(normal, 0)])
