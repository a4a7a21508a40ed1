"""The forms in which libraries return images and log-determinants, and refuse an inverse."""

from collections.abc import Callable
from typing import Any

from cinc_ref.testing.layer import InverseMissing

__all__ = ["guarded", "split_pair", "sum_entries"]


def split_pair(result: Any) -> tuple[Any, Any]:
    """Split a result into images and log-determinant: the images have the entries of the input."""
    if not isinstance(result, tuple | list):
        return result, None
    result = [part for part in result if part is not None]
    if len(result) == 1:
        return result[0], None
    if len(result) > 1:
        sizes = [getattr(part, "shape", None) for part in result[:2]]
        if sizes[0] is not None and len(sizes[0]) <= 1 < len(sizes[1] or ()):
            return result[1], result[0]  # the log-determinant first
    return result[0], result[1]


def sum_entries(log_det: Any, x: Any, event_dim: int | None = None) -> Any:
    """Sum elementwise log-determinants over the entries of an image, as torch.distributions do.

    A transform of events of `event_dim` axes may return any shape that broadcasts over the others.
    """
    if event_dim is not None and hasattr(log_det, "expand"):
        log_det = log_det.expand(x.shape[: x.ndim - event_dim])
    while log_det.ndim > 1:
        log_det = log_det.sum(-1)
    return log_det


def _without_inverse(error):
    """Return whether an exception says that there is no inverse."""
    name, text = type(error).__name__, str(error).lower()
    return (
        isinstance(error, NotImplementedError)
        or "InverseNotAvailable" in name
        or "not invertible" in text
        or "no analytical inverse" in text
        or "no algebraic inverse" in text
        or (isinstance(error, KeyError) and "intermediates cache" in text)
    )


def guarded(inverse: Callable[..., Any]) -> Callable[..., Any]:
    """Translate a library's way of having no inverse to `InverseMissing`."""

    def guarded(y):
        try:
            return inverse(y)
        except Exception as error:
            if _without_inverse(error):
                reason = str(error) or type(error).__name__
                raise InverseMissing(reason) from error
            raise

    return guarded
