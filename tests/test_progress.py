"""Progress on the error stream: on a terminal, to a pipe, and around work that reports nothing."""

import io
import os
import sys
import time

import pytest

from cinc_ref import _progress
from tests.support.processes import run_code


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture(params=[False, True], ids=["pipe", "terminal"])
def stream(request, monkeypatch):
    stream = Stream(request.param)
    stream.install = lambda: monkeypatch.setattr(sys, "stderr", stream)  # pytest sets its own
    monkeypatch.setattr(_progress, "SILENCE", 0.3)
    monkeypatch.setattr(_progress, "TICK", 0.05)
    monkeypatch.setattr(_progress, "_last_output", time.monotonic())
    return stream


def test_work_that_reports_nothing_is_not_silent(stream):
    stream.install()
    with _progress.progress("work") as shown:
        shown.update(0, "step 3")
        time.sleep(1)
    pieces = stream.getvalue().split("\r" if stream.terminal else "\n")
    assert sum("work" in piece and "step 3" in piece for piece in pieces) >= 3


def test_the_last_state_stays_unless_the_work_fails(stream):
    stream.install()
    with _progress.progress("work", 1) as shown:
        shown.update(1, "done")
    assert "work: 100%" in stream.getvalue() and "done" in stream.getvalue()
    stream.truncate(0)
    with pytest.raises(ValueError, match="no"), _progress.progress("other", 1):
        raise ValueError("no")
    assert "other" not in stream.getvalue().split("\r")[-1]
    assert stream.terminal or "other" not in stream.getvalue()


def test_only_the_innermost_is_shown(stream):
    stream.install()
    with _progress.progress("outer", lasting=False), _progress.progress("inner"):
        stream.truncate(0)
        time.sleep(0.8)
    assert "inner" in stream.getvalue() and "outer" not in stream.getvalue()


def test_a_list_is_shown_on_a_terminal_or_within_a_command(stream):
    stream.install()
    assert list(_progress.tracked("abc", "letters", 3)) == ["a", "b", "c"]
    assert ("letters" in stream.getvalue()) == stream.terminal
    with _progress.progress("command", lasting=False, patient=True):
        for _ in _progress.tracked("abc", "letters", 3):
            time.sleep(0.4)
    assert "letters" in stream.getvalue()


def test_compiled_functions_are_counted(stream):
    stream.install()
    with _progress.progress("work") as shown:
        assert "compiled" not in shown.line()
        _progress.count_compilation()
        assert shown.line().endswith("work: 1 function compiled")
        _progress.count_compilation()
        assert shown.line().endswith("2 functions compiled")


def test_a_quick_command_shows_nothing(stream):
    stream.install()
    with _progress.progress("command", lasting=False, patient=True):
        pass
    assert stream.getvalue() == ""


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "gbk", "utf-8"])
def test_every_encoding_can_be_written(encoding):
    code = (
        "import sys; sys.stderr.isatty = lambda: True\n"
        "from cinc_ref._progress import tracked\n"
        "list(tracked('abc', 'letters', 3))"
    )
    environment = os.environ | {"PYTHONIOENCODING": f"{encoding}:strict"}
    assert b"letters" in run_code(code, env=environment, text=False).stderr
