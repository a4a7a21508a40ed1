"""The contract of the demonstration on a busy machine; it takes minutes and all cores."""

import os
import re
import subprocess
import sys
import time
from itertools import pairwise

import pytest

pytestmark = pytest.mark.slow

MOST_SECONDS, MOST_SILENCE, MOST_BITS = 8 * 60, 5.0, 2.40


@pytest.fixture
def busy_cores():
    """One endless loop on each core, so that half of each is left."""
    loop = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"
    cores = sorted(os.sched_getaffinity(0))
    loops = [subprocess.Popen([sys.executable, "-c", loop, str(core)]) for core in cores]
    yield
    for process in loops:
        process.kill()
        process.wait()


def follow(command, environment):
    """Run a command to a pipe; return its output as pairs of seconds and bytes, and its length."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    pieces = []
    while piece := os.read(process.stdout.fileno(), 65536):
        pieces.append((time.monotonic() - started, piece))
    assert process.wait() == 0, b"".join(piece for _, piece in pieces).decode()
    return pieces, time.monotonic() - started


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="loops cannot be pinned here")
def test_the_demo_on_a_busy_machine_with_nothing_compiled(busy_cores, tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "cinc_ref", "demo", "--out", str(tmp_path / "demo")]
    pieces, seconds = follow(command, environment)
    text = b"".join(piece for _, piece in pieces).decode()
    print(text)
    times = [0.0, *(moment for moment, _ in pieces), seconds]
    silences = [(end - begin, begin) for begin, end in pairwise(times)]
    bits = float(re.search(r"([\d.]+) bits/dim *[|│]?\n", text)[1])
    print(
        f"{seconds:.0f} s in all; longest silence and its begin: {max(silences)}; {bits} bits/dim"
    )
    assert max(silences)[0] <= MOST_SILENCE, max(silences)
    assert seconds <= MOST_SECONDS
    assert bits <= MOST_BITS
