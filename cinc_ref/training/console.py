"""A run at the terminal: its progress bar, and Ctrl-C as a request to stop."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from cinc_ref._progress import progress as shown_progress

__all__ = ["Interrupt", "StepTimer", "interruptible", "reporting"]


class Interrupt:
    """A record of whether Ctrl-C was pressed; the second time it raises KeyboardInterrupt."""

    requested: bool

    def __init__(self) -> None:
        self.requested = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Catch Ctrl-C in this block, and restore the former handler after it.

    Only the main thread can; in any other thread the `Interrupt` is never requested.

    Yields
    ------
    Interrupt
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    former = signal.signal(signal.SIGINT, interrupt.handle)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if former is None else former)


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
