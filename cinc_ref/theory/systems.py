"""The systems of the paper's comparison as instances of one operation, and their parameters."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from cinc_ref import _validate
from cinc_ref._display import short_repr
from cinc_ref._typing import Array, Corner
from cinc_ref.errors import OptionError
from cinc_ref.geometry import flip, flips
from cinc_ref.theory.cases import Case
from cinc_ref.theory.evidence import Evidence, search
from cinc_ref.theory.exact import matrix_determinant
from cinc_ref.theory.matrix import convolution_matrix
from cinc_ref.theory.padding import correlation_matrix

__all__ = [
    "SYSTEMS",
    "Factor",
    "System",
    "parameter_counts",
    "parameter_counts_are_exact",
    "systems_are_instances",
]

SOURCE = "CInC Flow, section 3 and the table of methods"


@dataclass(frozen=True)
class Factor:
    """One convolution: kernel size, anchor, padded corner and what is free in its corner block.

    `block` is "dense" (every entry), "triangular" (lower, with its diagonal) or "unit" (lower,
    the diagonal fixed to 1).
    """

    taps: tuple[int, int]
    anchor: tuple[int, int]
    corner: Corner = "top-left"
    block: Literal["dense", "triangular", "unit"] = "triangular"

    __repr__ = short_repr

    def free(self, channels: int) -> Array:
        """Return the mask of the learned entries of the kernel, shape (C, C, kh, kw)."""
        kh, kw = self.taps
        causal = np.arange(kh * kw).reshape(kh, kw) <= self.anchor[0] * kw + self.anchor[1]
        free = np.broadcast_to(causal, (channels, channels, kh, kw)).copy()
        ones = np.ones((channels, channels), bool)
        masks = {"dense": ones, "triangular": np.tril(ones), "unit": np.tril(ones, -1)}
        free[:, :, *self.anchor] = masks[self.block]
        return free

    def draw(self, rng: np.random.Generator, channels: int) -> Array:
        """Draw a kernel of small integers with this structure; its diagonal is 1, or not 0."""
        kernel = rng.integers(-3, 4, (channels, channels, *self.taps)) * self.free(channels)
        block = kernel[:, :, *self.anchor]
        ones = np.ones(channels, int)
        diagonal = ones if self.block == "unit" else rng.choice([-2, -1, 1, 2], channels)
        np.fill_diagonal(block, diagonal)
        return kernel


@dataclass(frozen=True)
class System:
    """A method: its convolutions, one after the other or side by side on groups of channels."""

    name: str
    factors: tuple[Factor, ...]
    formula: str
    count: Callable[[int], int]
    paper: str = ""
    why: str = ""
    groups: bool = False

    __repr__ = short_repr

    def channels_of_a_factor(self, channels: int) -> int:
        """Return the number of channels that each convolution sees."""
        return channels // len(self.factors) if self.groups else channels


_CORNERS = ("top-left", "top-right", "bottom-right", "bottom-left")
_QUADRANT = Factor((3, 3), (2, 2))
SYSTEMS = (
    System("Glow 1x1", (Factor((1, 1), (0, 0), block="dense"),), "n²", lambda n: n**2),
    System(
        "autoregressive", (Factor((2, 3), (1, 1)),), "4n² + n(n+1)/2",
        lambda n: 4 * n**2 + n * (n + 1) // 2, "5n²",
        "the paper counts the whole corner block, of which only a triangle is free",
    ),
    System(
        "Emerging", (Factor((2, 2), (1, 1), "bottom-right"), Factor((2, 2), (1, 1), "top-left")),
        "6n² + n(n+1)", lambda n: 6 * n**2 + n * (n + 1), "10n²",
        "the paper counts two half-planes of 5 taps; each factor is a 2x2 quadrant, triangular",
    ),
    System(
        "CInC", (_QUADRANT,), "9n² - n(n-1)/2", lambda n: 9 * n**2 - n * (n - 1) // 2,
        "9n² - n(n-1)/2", "the same: the corner block is triangular, its diagonal free",
    ),
    System(
        "CInC, unit", (replace(_QUADRANT, block="unit"),), "9n² - n(n+1)/2",
        lambda n: 9 * n**2 - n * (n + 1) // 2, "9n² - n(n-1)/2",
        "the paper's table counts the diagonal, which its poster fixes to 1",
    ),
    System(
        "CInC, full corner", (replace(_QUADRANT, block="dense"),), "9n²", lambda n: 9 * n**2, "",
        "nothing is masked; the corner block goes through P L U",
    ),
    System(
        "FInC", tuple(replace(_QUADRANT, corner=corner, block="unit") for corner in _CORNERS),
        "9n²/4 - n(n/4+1)/2", lambda n: 9 * n**2 // 4 - n * (n // 4 + 1) // 2, "",
        "four groups of n/4 channels, each with its corner and a unit triangular block",
        groups=True,
    ),
)  # fmt: skip


def parameter_counts(channels: int) -> list[dict[str, Any]]:
    """Count the learnable parameters of the systems exactly, with the paper's formula.

    Parameters
    ----------
    channels : int
        n, the channels in and out; a multiple of 4 for FInC's four groups.

    Returns
    -------
    list of dict
        With keys "system", "formula", "parameters", "paper" (its formula, "" if it has none) and
        "why" (why the two differ, or not).

    Raises
    ------
    OptionError
        If the number of channels is not a positive multiple of 4.

    Examples
    --------
    >>> from cinc_ref import theory
    >>> for row in theory.parameter_counts(12)[1:4]:
    ...     print(row["system"], row["parameters"], row["formula"], "| paper:", row["paper"])
    autoregressive 654 4n² + n(n+1)/2 | paper: 5n²
    Emerging 1020 6n² + n(n+1) | paper: 10n²
    CInC 1230 9n² - n(n-1)/2 | paper: 9n² - n(n-1)/2
    """
    channels = _validate.integer("channels", channels, minimum=4)
    if channels % 4:
        raise OptionError(f"channels must be a multiple of 4, for FInC's groups; got {channels}")
    return [
        {
            "system": system.name,
            "formula": system.formula,
            "parameters": system.count(channels),
            "paper": system.paper,
            "why": system.why,
        }
        for system in SYSTEMS
    ]


def systems_are_instances(
    rng: np.random.Generator, effort: int = 1, *, matrix: Callable[..., Array] = convolution_matrix
) -> Evidence:
    """Theorem 5: Glow 1x1, autoregressive, Emerging, CInC and FInC are made of this operation.

    Each of their convolutions, written as a plain padded cross-correlation, has the matrix of the
    causal convolution and the determinant det(B)^(H W); chains multiply, and groups of channels
    are independent.
    """

    def refute(case):
        ours = matrix(case.kernel, case.size, corner=case.corner, anchor=case.anchor)
        if (ours != _as_correlation(case)).any():
            return "its matrix is not that of the padded cross-correlation"
        power = matrix_determinant(case.corner_block) ** (case.size[0] * case.size[1])
        return "" if matrix_determinant(ours) == power else "det M is not det(B)^(H W)"

    def cases():
        for _ in range(4 * effort):
            for system in SYSTEMS:
                channels = system.channels_of_a_factor(4)
                for factor in system.factors:
                    size = tuple(map(int, rng.integers(1, 5, 2)))
                    kernel = factor.draw(rng, channels)
                    yield Case(kernel, size, factor.corner, 1, factor.anchor)

    names = ", ".join(system.name for system in SYSTEMS)
    return search("systems", f"one operation: {names}", SOURCE, cases(), refute, theorems=(5,))


@dataclass(frozen=True)
class _Count(Case):
    """A case that asks how many parameters a system has for a number of channels.

    Its kernel is the mask of the system's first convolution, 1 where an entry is free.
    """

    system: System | None = None
    channels: int = 0


def parameter_counts_are_exact(
    rng: np.random.Generator | None = None,
    effort: int = 1,
    *,
    systems: tuple[System, ...] = SYSTEMS,
) -> Evidence:
    """Theorem 5: the formulas count the entries that are free, for 4 to 48 channels.

    A counterexample holds the mask of the first convolution, 1 where an entry is free.
    """

    def refute(case):
        system, channels = case.system, case.channels
        size = system.channels_of_a_factor(channels)
        free = sum(int(factor.free(size).sum()) for factor in system.factors)
        if free == system.count(channels):
            return ""
        return (
            f"{system.name} with n = {channels} has {free} parameters, not {system.count(channels)}"
        )

    def cases():
        for system in systems:
            for channels in range(4, 49, 4):
                first = system.factors[0]
                mask = first.free(system.channels_of_a_factor(channels)).astype(int)
                yield _Count(
                    mask, (1, 1), first.corner, 1, first.anchor, system=system, channels=channels
                )

    formulas = "; ".join(f"{system.name} {system.formula}" for system in systems)
    return search("parameters", f"learnable: {formulas}", SOURCE, cases(), refute, theorems=(5,))


def _as_correlation(case):
    """Return the matrix of a padded cross-correlation: for other corners the taps are flipped."""
    kernel = flip(case.kernel, case.corner)
    top, left = (
        length - 1 - at if backwards else at
        for length, at, backwards in zip(
            kernel.shape[2:], case.anchor, flips(case.corner), strict=True
        )
    )
    return correlation_matrix(kernel, case.size, top, left)
