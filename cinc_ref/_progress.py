"""Progress of long work on the error stream: a bar on a terminal, elsewhere a line now and then.

A thread keeps it moving, so that work which reports nothing for minutes, the compiler's for
instance, is not silent. Of several that are open the one that was opened last is shown.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

__all__ = ["SILENCE", "Progress", "count_compilation", "progress", "tracked", "write_line"]

SILENCE = 2.0
"""Seconds without output after which a line is written."""

PATIENCE = 4.0
"""Seconds of silence before a whole command is shown: most wrong ones are refused earlier."""

TICK = 0.25
"""Seconds between two looks of the thread."""

ITEM = 1.0
"""Seconds, at least, between two lines that name items of a list."""

BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
NO_BAR = "{desc}: {elapsed}{postfix}"
"""Layouts of tqdm's, with and without a known total."""

Item = TypeVar("Item")

_lock = threading.RLock()
_open: list["Progress"] = []
_compiled = 0
_last_output = time.monotonic()


def count_compilation() -> None:
    """Count one more function that is compiled, which is then shown."""
    global _compiled
    _compiled += 1


def write_line(text: str) -> None:
    """Write a line to the error stream, above a bar if there is one."""
    global _last_output
    _last_output = time.monotonic()
    tqdm.write(text, file=sys.stderr)
    sys.stderr.flush()


class Progress:
    """The progress of one piece of work; `progress` opens and closes it.

    Parameters
    ----------
    title : str
    total : float, optional
        The value of `done` at the end; 1 if it is a fraction.
    patient : bool
        Whether nothing is shown before `PATIENCE` is over.
    """

    title: str
    total: float | None
    done: float
    text: str

    def __init__(self, title: str, total: float | None, patient: bool = False) -> None:
        self.title, self.total, self.done, self.text = title, total, 0.0, ""
        self._patient = patient
        self._silence = PATIENCE if patient else SILENCE
        self._start, self._compiled = time.monotonic(), _compiled
        self._in_place = _takes_bars()
        self._bar: tqdm | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="progress", daemon=True)

    def update(self, done: float, text: str | None = None) -> None:
        """Set how much is done, and what is said about it."""
        with _lock:
            self.done = done
            self.text = self.text if text is None else text
            if self._bar is not None and self._is_shown():
                self._set_bar()
                self._bar.update(0 if self.total is None else self.done - self._bar.n)

    def open(self) -> None:
        """Show it, instead of others that are open."""
        with _lock:
            for other in _open:
                other._hide()
            _open.append(self)
            if self._in_place and not self._patient:
                self._draw()
        self._thread.start()

    def close(self, lasting: bool) -> None:
        """End it, and leave its final state if it lasts."""
        self._closed.set()
        self._thread.join()
        with _lock:
            _open.remove(self)
            if lasting and self._in_place:
                self._draw()
            elif lasting:
                write_line(self.line())
            self._hide(leave=lasting)

    def line(self) -> str:
        """Return the state as a line of text."""
        parts = []
        if self.total == 1:
            parts.append(f"{100 * min(1.0, self.done):.0f}%")
        elif self.total is not None:
            parts.append(f"{self.done:.0f} of {self.total:.0f}")
        parts.append(self._postfix())
        state = ", ".join(filter(None, parts))
        return f"[{time.monotonic() - self._start:.0f} s] {self.title}{state and f': {state}'}"

    def _postfix(self):
        compiled = _compiled - self._compiled
        parts = [self.text, compiled and f"{compiled} function{'s' * (compiled > 1)} compiled"]
        return ", ".join(filter(None, parts))

    def _is_shown(self):
        return _open and _open[-1] is self

    def _beat(self):
        while not self._closed.wait(TICK):
            with _lock:
                if not self._is_shown():
                    continue
                silent = time.monotonic() - max(_last_output, self._start) >= self._silence
                if self._in_place and (self._bar is not None or not self._patient or silent):
                    self._draw()
                elif not self._in_place and silent:
                    write_line(self.line())

    def _draw(self):
        if self._bar is None:
            self._bar = tqdm(
                desc=self.title,
                total=self.total,
                initial=self.done,
                bar_format=NO_BAR if self.total is None else BAR,
                ncols=_columns(),
                nrows=20,  # asked of the terminal otherwise, which may not know
                file=sys.stderr,
            )
            self._bar.start_t -= time.monotonic() - self._start
        self._set_bar()
        self._bar.n, self._bar.ncols = self.done, _columns()
        self._bar.refresh()

    def _set_bar(self):
        self._bar.set_postfix_str(self._postfix(), refresh=False)

    def _hide(self, leave=False):
        if self._bar is not None:
            self._bar.leave = leave
            self._bar.close()
            self._bar = None


def _takes_bars():
    """Return whether the error stream is a terminal or a notebook, where a line can be redrawn."""
    return sys.stderr.isatty() or type(sys.stderr).__module__.startswith("ipykernel")


def _columns():
    """Return the width of the terminal; tqdm's own way shows nothing on one of unknown width."""
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):  # no file, as in notebooks
        width = 0
    return width or 80


@contextmanager
def progress(
    title: str, total: float | None = None, *, lasting: bool = True, patient: bool = False
) -> Iterator[Progress]:
    """Show the progress of the work in this block.

    Parameters
    ----------
    title, total, patient
        See `Progress`.
    lasting : bool
        Whether the final state stays on the screen, if the work does not fail.

    Yields
    ------
    Progress
    """
    shown = Progress(title, total, patient)
    shown.open()
    try:
        yield shown
    except BaseException:
        shown.close(lasting=False)
        raise
    shown.close(lasting)


def tracked(
    items: Iterable[Item], title: str, total: int, name: Callable[[Item], str] = str
) -> Iterator[Item]:
    """Iterate over items and show how many are done.

    It is shown on a terminal, and elsewhere within a command, which has a progress of its own.

    Parameters
    ----------
    items : iterable
    title : str
    total : int
        Number of items.
    name : callable
        Returns the name of an item, shown when the item comes.

    Yields
    ------
    object
        The items.
    """
    if not (_open or _takes_bars()):
        yield from items
        return
    with progress(title, total, lasting=False) as shown:
        for done, item in enumerate(items):
            shown.update(done, name(item))
            if not _takes_bars() and time.monotonic() - _last_output >= ITEM:
                write_line(shown.line())
            yield item
