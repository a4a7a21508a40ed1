"""`counterexample`, the text of a case: its arguments, the expected results and those that came."""

from typing import Any

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.classroom.task import Case, Task

__all__ = ["counterexample", "describe"]

MAX_ENTRIES = 36
"""The largest number of entries of an array that is shown whole."""


def describe(sizes: dict[str, int]) -> str:
    """Describe the sizes of a case in words, such as "1 image, 2 channels, 2 x 3 pixels"."""
    words = []
    if "N" in sizes:
        words.append(_count(sizes["N"], "image"))
    if "C" in sizes:
        words.append(_count(sizes["C"], "channel"))
    if "H" in sizes:
        words.append(f"{sizes['H']} x {sizes['W']} pixels")
    if "kh" in sizes:
        words.append(f"a kernel of {sizes['kh']} x {sizes['kw']} taps")
    if "bins" in sizes:
        words.append(f"{sizes['bins']} bins")
    return ", ".join(words)


def _count(number, noun):
    return f"{number} {noun}{'' if number == 1 else 's'}"


def counterexample(task: Task, case: Case, results: tuple[Array, ...] | None) -> str:
    """Return the lines that show a case; of large arrays the shape or the first wrong entry."""
    lines = [f"Counterexample: {describe(case.sizes)}"]
    shown = set()
    for signature, arguments in zip(task.functions, case.arguments, strict=True):
        for name, argument in zip(signature.arguments, arguments, strict=True):
            if name not in shown:
                lines.append(_show(name, argument))
                shown.add(name)
    if results is None:
        return "\n".join(lines)
    for name, expected, got in zip(task.results, case.expected, results, strict=True):
        lines += _difference(name, expected, got)
    return "\n".join(lines)


def _show(name, value: Any):
    """Show a small array whole, without axes of length 1 in front, and a large one by its shape."""
    if not isinstance(value, np.ndarray | np.generic):
        return f"{name} = {value}"
    array = np.asarray(value)
    if array.size > MAX_ENTRIES:
        return f"{name}: random numbers of shape {array.shape}"
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim > 2 and array.size <= 4:
        return f"{name} = {array.tolist()}"
    text = np.array2string(array, precision=4, suppress_small=True, separator=", ")
    return f"{name} =\n{text}" if "\n" in text else f"{name} = {text}"


def _difference(name, expected, got):
    """Show an expected result beside the one that came; nothing if they are equal."""
    same_shape = got.shape == expected.shape
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
    if same_shape and np.allclose(got, expected, rtol=0, atol=1e-8 * scale):
        return []
    if not same_shape and expected.ndim:
        return [f"{name}: expected shape {expected.shape}, got {got.shape}"]
    if max(expected.size, got.size) <= MAX_ENTRIES:
        return [_show(f"expected {name}", expected), _show(f"got {name}", got)]
    wrong = ~np.isclose(got, expected, rtol=0, atol=1e-8 * scale)
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = ", ".join(map(str, index))
    first = f"{name}[{place}]: expected {float(expected[index]):.6g}, got {float(got[index]):.6g}"
    return [f"{first}; {int(wrong.sum())} of {wrong.size} entries are wrong"]
