"""A run at the terminal: its progress bar, and Ctrl-C or SIGTERM as a request to stop."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import FrameType
from typing import Any

from cinc_ref._progress import progress as shown_progress

__all__ = ["Interrupt", "StepTimer", "interruptible", "reporting"]


SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Signals that ask a run to stop: that of Ctrl-C, and that of ``kill`` and of job schedulers."""


class Interrupt:
    """A record of the signal that asked to stop; after it, another raises KeyboardInterrupt.

    Parameters
    ----------
    at_once : bool
        Whether the first signal raises KeyboardInterrupt, too.

    Attributes
    ----------
    number : int or None
        The signal.
    """

    number: int | None

    def __init__(self, at_once: bool = False) -> None:
        self.number, self._at_once = None, at_once

    @property
    def requested(self) -> bool:
        """The fact that a signal came."""
        return self.number is not None

    @property
    def exit_code(self) -> int:
        """The exit code, by custom, of a process that the signal ended: 130 or 143."""
        return 128 + (self.number or signal.SIGINT)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        again, self.number = self.requested, number
        if again or self._at_once:
            raise KeyboardInterrupt


@contextmanager
def interruptible(at_once: bool = False) -> Iterator[Interrupt]:
    """Catch Ctrl-C and SIGTERM in this block, and restore the former handlers after it.

    Only the main thread can; in any other thread the `Interrupt` is never requested. A signal in
    a block within another is recorded by both.

    Parameters
    ----------
    at_once : bool
        Whether the first signal, too, raises KeyboardInterrupt, outside of blocks within.

    Yields
    ------
    Interrupt
    """
    interrupt = Interrupt(at_once)
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    with ExitStack() as stack:
        for number in SIGNALS:
            stack.enter_context(_handled(number, interrupt))
        yield interrupt


@contextmanager
def _handled(number, interrupt):
    """Hand a signal to an `Interrupt` in this block, and then to the former handler again."""
    former = signal.signal(number, interrupt.handle)
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL if former is None else former)
        outer = getattr(former, "__self__", None)
        if isinstance(outer, Interrupt) and interrupt.requested:
            outer.number = interrupt.number


@contextmanager
def reporting(
    progress: bool | Callable[[dict[str, Any]], None] | None,
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield the function that takes the reports, for the option `progress` of `train`."""
    if callable(progress):
        yield progress
    elif progress:
        with shown_progress("train", 1) as shown:
            yield partial(_show, shown)
    else:
        yield lambda report: None


def _show(shown, report):
    """Move a progress whose total is the run's budget, 1."""
    text = (
        f"step {report['step']}, train {report['train']:.3f}, "
        f"validation {report['validation']:.3f} bits/dim, "
        f"{report['images_per_second']:.0f} images/s"
    )
    shown.update(report["fraction"], text)


class StepTimer:
    """An exponential average over about 20 steps of the seconds that a step takes."""

    seconds: float | None

    def __init__(self) -> None:
        self.seconds = None

    def add(self, seconds: float) -> None:
        """Take one more step into account."""
        former = seconds if self.seconds is None else self.seconds
        self.seconds = former + 0.05 * (seconds - former)
