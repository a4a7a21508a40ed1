"""Ctrl-C as a wish to stop, granted between two steps."""

import signal
import threading
from contextlib import contextmanager


class Interrupt:
    """Whether Ctrl-C was pressed; the second time it raises KeyboardInterrupt as usual."""

    def __init__(self):
        self.requested = False

    def handle(self, number, frame):
        """Take the signal."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def interruptible():
    """Catch Ctrl-C in this block, and put the former handler back after it.

    Only the main thread can; in any other the block gets an `Interrupt` that never comes.
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
