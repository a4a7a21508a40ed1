"""The search for the smallest counterexample of a claim about convolutions.

Hypothesis draws the convolutions and shrinks what refutes the claim: fewer axes, pixels, channels
and taps first, then simpler entries. Everything is exact, so what is found is a proof that the
claim is false. That nothing is found proves nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, islice, product
from math import inf, prod
from os import PathLike
from random import Random
from typing import Any

import numpy as np

from cinc_ref import _validate
from cinc_ref._display import short_repr, table_html
from cinc_ref._extras import extra
from cinc_ref._files import write_text
from cinc_ref._schema import SCHEMA, schema
from cinc_ref.errors import OptionError, ShapeError
from cinc_ref.theory.general_convolution import Convolution

__all__ = ["Refutation", "refute"]

CASES = 2000
"""The number of cases that are tried unless one refutes the claim.

They take 2.2 s of one core for the claim that the anchor decides, by ``theory.refute(claim)``.
"""

SMALLER_CASES = 200
"""The number of cases that are tried on smaller images than that of a counterexample."""

OVER: dict[str, Any] = {
    "convolutions": 1,
    "dims": (2,),
    "size": (1, 2, 3, 4),
    "channels": (1,),
    "kernel_size": (1, 2, 3),
    "padding": ("causal",),
    "stride": (1,),
    "groups": (1,),
    "dilation": (1,),
    "corner": (None,),
    "anchor": (None,),
    "entries": (0, 1, -1, 2, -2),
}
"""Choices that `refute` searches by default. The first of several choices is the simplest."""


@dataclass(frozen=True)
class Refutation:
    """The outcome of a search for a counterexample.

    Attributes
    ----------
    claim : str
        The name of the claim.
    cases : int
        The number of cases that were tried, those of shrinking included.
    convolutions : tuple of Convolution
        The counterexample, empty if none was found.
    size : tuple of int, or None
        Its image size.
    """

    claim: str
    cases: int
    convolutions: tuple[Convolution, ...] = ()
    size: tuple[int, ...] | None = None

    __repr__ = short_repr

    def _repr_html_(self) -> str:
        rows = [(str(convolution),) for convolution in self.convolutions]
        caption = str(self).partition("\n")[0]
        return table_html(("counterexample",) if rows else (), rows, caption)

    @property
    def is_false(self) -> bool:
        """Tell whether there is a counterexample, so that the claim is false."""
        return bool(self.convolutions)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the counterexample as JSON; ``Convolution(**description)`` reads a convolution.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        OutputError
            If the file cannot be written.
        OptionError
            If no counterexample was found.
        """
        if not self.is_false:
            raise OptionError(f"{self.claim} must be refuted before a counterexample is saved")
        descriptions = [convolution.to_dict() for convolution in self.convolutions]
        content = {SCHEMA: schema("counterexample"), "claim": self.claim, "size": self.size}
        content["convolutions"] = descriptions
        write_text(path, json.dumps(content, indent=1) + "\n")

    def __str__(self) -> str:
        if not self.is_false:
            return f"{self.claim}: no counterexample in {self.cases} cases"
        size = "x".join(map(str, self.size))
        lines = [f"{self.claim}: false on images of size {size} ({self.cases} cases)"]
        return "\n".join([*lines, *(f"  {convolution}" for convolution in self.convolutions)])


def refute(
    claim: Callable[..., bool], over: Mapping[str, Any] | None = None, seed: int = 0
) -> Refutation:
    """Search for the smallest counterexample of a claim about convolutions.

    Parameters
    ----------
    claim : callable
        ``claim(convolution, size)`` returns whether the claim holds for a `Convolution` and an
        image size, or ``claim(first, second, size)`` with ``over={"convolutions": 2}``. It should
        compute exactly. An exception is raised to the caller.
    over : dict, optional
        Where to search: a value, or several with the simplest first, for some of these names:
        "dims", "size" and "kernel_size" (pixels and taps along each axis), "channels" (in and out,
        of each group), "padding", "stride", "groups", "dilation", "corner", "anchor" (as for
        `Convolution`) and "entries" (of the kernels). Unless given: one causal 2-D convolution of
        one channel on images up to 4x4, with kernels up to 3x3 of entries from -2 to 2.
    seed : int
        The cases follow from it.

    Returns
    -------
    Refutation
        It prints the counterexample; ``.is_false`` tells whether there is one, and
        ``.save(path)`` writes it.

    Raises
    ------
    OptionError
        If `over` has an unknown name or no choice for one, or the seed is negative.
    MissingExtraError
        If Hypothesis is not installed: ``pip install ".[test]"``.

    Examples
    --------
    >>> from cinc_ref import theory
    >>> def a_nonzero_centre_is_invertible(convolution, size):
    ...     return convolution.kernel[0, 0, 0] == 0 or convolution.determinant(size) != 0
    >>> over = {"dims": 1, "padding": "circular", "kernel_size": 2}
    >>> print(theory.refute(a_nonzero_centre_is_invertible, over).convolutions[0].kernel)
    [[[ 1 -1]]]
    """
    seed = _validate.integer("seed", seed, minimum=0)
    over = _checked({} if over is None else over)
    name = getattr(claim, "__name__", str(claim))
    cases = 0

    def refutes(case):
        nonlocal cases
        cases += 1
        convolutions, size = case
        return not claim(*convolutions, size)

    smallest, smaller = None, _search(over, inf, refutes, CASES, seed)
    while smaller:
        smallest = smaller
        smaller = _search(over, prod(smallest[1]), refutes, SMALLER_CASES, seed)
    if not smallest:
        return Refutation(name, cases)
    convolutions, size = _with_simpler_entries(*smallest, over["entries"], refutes)
    return Refutation(name, cases, convolutions, size)


def _search(over, pixels, refutes, cases, seed):
    """Return a refuting case on an image of fewer pixels, shrunk by Hypothesis, or None."""
    with extra("test"):
        from hypothesis import HealthCheck, find, settings
        from hypothesis.errors import NoSuchExample, Unsatisfiable

    strategy = _cases(over, pixels)
    if strategy.is_empty:
        return None
    effort = settings(
        max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    try:
        return find(strategy, refutes, settings=effort, random=Random(seed))
    except (NoSuchExample, Unsatisfiable):
        return None


def _with_simpler_entries(convolutions, size, entries, refutes):
    """Replace entries of the case, up to three at a time, by ones that come before them.

    Hypothesis alters one at a time, which leaves 1 + 1 - 2 = 0 although 1 - 1 = 0 is simpler.
    """
    for case in islice(_simpler(convolutions, entries), CASES):
        if refutes((case, size)):
            return _with_simpler_entries(case, size, entries, refutes)
    return convolutions, size


def _simpler(convolutions, entries):
    """Yield the convolutions with up to three entries replaced by ones that come before."""
    places = [
        (number, place, entries[: entries.index(entry)])
        for number, convolution in enumerate(convolutions)
        for place, entry in np.ndenumerate(convolution.kernel)
        if entry != entries[0]
    ]
    for count in (1, 2, 3):
        for chosen in combinations(places, count):
            for values in product(*(simpler for *_, simpler in chosen)):
                kernels = [convolution.kernel.copy() for convolution in convolutions]
                for (number, place, _), value in zip(chosen, values, strict=True):
                    kernels[number][place] = value
                pairs = zip(convolutions, kernels, strict=True)
                yield tuple(replace(convolution, kernel=kernel) for convolution, kernel in pairs)


def _checked(over):
    """Return every name with its choices as a tuple."""
    _validate.instance("over", over, Mapping, "a dict from names to values")
    choices = {}
    for name, value in (OVER | dict(over)).items():
        _validate.one_of("a name in over", name, OVER)
        several = isinstance(value, tuple | list | range) and name != "convolutions"
        choices[name] = tuple(value) if several else (value,)
        if not choices[name]:
            raise OptionError(f"over[{name!r}] must have at least one value; got {value!r}")
    for name in ("convolutions", "dims", "size", "channels", "groups", "kernel_size"):
        choices[name] = tuple(
            _validate.integer(f"over[{name!r}]", value, minimum=1) for value in choices[name]
        )
    return choices | {"convolutions": choices["convolutions"][0]}


def _cases(over, pixels):
    """Return a Hypothesis strategy of convolutions with an image size of fewer pixels."""
    from hypothesis import assume
    from hypothesis import strategies as st

    choices = {name: st.sampled_from(over[name]) for name in over if name != "convolutions"}
    sizes = [size for dims in over["dims"] for size in product(over["size"], repeat=dims)]
    sizes = sorted((size for size in sizes if prod(size) < pixels), key=prod)

    @st.composite
    def cases(draw):
        def one_of(name):
            return over[name][0] if len(over[name]) == 1 else draw(choices[name])

        size = draw(st.sampled_from(sizes))
        channels, groups, dims = one_of("channels"), one_of("groups"), len(size)
        convolutions = []
        for _ in range(over["convolutions"]):
            taps = [one_of("kernel_size") for _ in range(dims)]
            options = {name: one_of(name) for name in ("padding", "stride", "dilation")}
            options |= {name: one_of(name) for name in ("corner", "anchor")}
            shape = (channels * groups, channels, *taps)
            kernel = np.array([one_of("entries") for _ in range(prod(shape))]).reshape(shape)
            convolutions.append(Convolution(kernel, dims=dims, groups=groups, **options))
            try:
                convolutions[-1].output_size(size)
            except ShapeError:
                assume(False)  # an image smaller than a kernel without padding
        return tuple(convolutions), size

    return cases() if sizes else st.nothing()
