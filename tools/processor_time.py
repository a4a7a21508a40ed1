"""Where the processor time of the test suite goes: a pytest plugin.

    python -m pytest -p tools.processor_time -n 2

It lists the tests that took the most processor seconds, the part of them that the compiler took,
the seconds of their subprocesses, and the sums over all tests.
"""

import resource
import time

import pytest

SHOWN = 60
"""The number of tests that are listed."""


class _Compiler:
    """Adds up the seconds in the outermost calls of the compiler."""

    def __init__(self):
        self.depth, self.begin, self.seconds = 0, 0.0, 0.0

    def on_start(self, event):
        if self.depth == 0:
            self.begin = time.process_time()
        self.depth += 1

    def on_end(self, event):
        self.depth -= 1
        if self.depth == 0:
            self.seconds += time.process_time() - self.begin


compiler = _Compiler()


def pytest_configure(config):
    from numba.core import event

    class Listener(event.Listener):
        on_start = staticmethod(compiler.on_start)
        on_end = staticmethod(compiler.on_end)

    event.register("numba:compile", Listener())
    config.stash[_COSTS] = {}


_COSTS = pytest.StashKey()


def _now():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time(), children.ru_utime + children.ru_stime, compiler.seconds


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    item.stash[_COSTS] = _now()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "teardown":
        costs = [b - a for a, b in zip(item.stash[_COSTS], _now(), strict=True)]
        report.user_properties.append(("processor_time", costs))
    return report


def pytest_runtest_logreport(report):
    for name, value in report.user_properties:
        if name == "processor_time" and report.when == "teardown":
            _COLLECTED[report.nodeid] = value


_COLLECTED = {}


def pytest_terminal_summary(terminalreporter):
    rows = sorted(_COLLECTED.items(), key=lambda row: -(row[1][0] + row[1][1]))
    terminalreporter.section("processor seconds: test process, of it the compiler, subprocesses")
    own, children, compile_ = (sum(row[1][k] for row in rows) for k in range(3))
    for nodeid, (mine, others, compiled) in rows[:SHOWN]:
        terminalreporter.line(f"{mine:8.1f} {compiled:8.1f} {others:8.1f}  {nodeid}")
    terminalreporter.line(f"{own:8.1f} {compile_:8.1f} {children:8.1f}  all {len(rows)} tests")
