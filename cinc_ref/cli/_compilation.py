"""Compilation during a command: a sentence at the first function, then their number."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from cinc_ref._progress import count_compilation, write_line
from cinc_ref.cli._common import COMPILING

__all__ = ["announced_compilation"]


class _Announcement(logging.Handler):
    """A sentence on stderr at the first log record of a compiled function, and other warnings."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.printed = False

    def emit(self, record):
        if not hasattr(record, "compiled_function"):
            if record.levelno >= logging.WARNING:
                write_line(record.getMessage())
            return
        if not self.printed:
            self.printed = True
            write_line(COMPILING)
        if record.levelno == logging.INFO:
            count_compilation()


@contextmanager
def announced_compilation() -> Iterator[None]:
    """Print `COMPILING` in this block as soon as a function is compiled, not found in the cache."""
    logger, handler = logging.getLogger("cinc_ref"), _Announcement()
    level = logger.level
    logger.setLevel(min(logging.INFO, logger.getEffectiveLevel()))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
