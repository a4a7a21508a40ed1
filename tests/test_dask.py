"""Workers of a Dask cluster in processes of their own, which may die: the bits stay the same."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import _cluster, streaming
from cinc_ref.comparison import compare
from cinc_ref.errors import CincError, MissingExtraError, NonFiniteError, OptionError
from cinc_ref.sampling import CHUNK
from cinc_ref.streaming import stream_samples
from tests.support.checkout import ROOT
from tests.support.commands import run
from tests.support.streams import chunks_in, slow_levels, small_model

pytest.importorskip("distributed", reason='pip install ".[stream]"')

COUNT = 20 * CHUNK + 300
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def expected(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("expected") / "s.npy"
    stream_samples(path, *model, COUNT)
    return path.read_bytes()


@contextmanager
def process(log, *command):
    """Run a program until the block ends; a file receives what it prints."""
    command = [sys.executable, *map(str, command)]
    with open(log, "w") as file:
        child = subprocess.Popen(command, env=ENVIRONMENT, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield child
    finally:
        child.kill()
        child.wait(timeout=30)


class Cluster:
    """A scheduler in a process of its own, and workers that can be added and killed."""

    def __init__(self, folder, stack):
        self._folder, self._stack, self.workers = folder, stack, []
        file = folder / "scheduler.json"
        options = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--no-show")
        program = ("-m", "distributed.cli.dask_scheduler", "--scheduler-file", file)
        log = folder / "scheduler.log"
        self.scheduler = stack.enter_context(process(log, *program, *options))
        deadline = time.monotonic() + 60
        self.address = None
        while self.address is None:
            assert time.monotonic() < deadline and self.scheduler.poll() is None, log.read_text()
            time.sleep(0.05)
            if file.exists() and file.read_text().strip().endswith("}"):
                self.address = json.loads(file.read_text())["address"]

    def add(self, count):
        """Start workers, and wait until the scheduler knows them."""
        from distributed import Client

        for _ in range(count):
            options = ("--nthreads", 1, "--no-nanny", "--no-dashboard")
            place = ("--local-directory", self._folder)
            log = self._folder / f"worker{len(self.workers)}.log"
            program = ("-m", "distributed.cli.dask_worker", self.address)
            self.workers.append(self._stack.enter_context(process(log, *program, *options, *place)))
        with Client(self.address, set_as_default=False) as client:
            try:
                client.wait_for_workers(len(self.workers), timeout=60)
            except TimeoutError as error:
                printed = [path.read_text() for path in sorted(self._folder.glob("worker*.log"))]
                raise AssertionError("\n".join(printed)) from error

    def kill(self):
        """Kill the first worker by its process id."""
        os.kill(self.workers[0].pid, signal.SIGKILL)
        self.workers.pop(0).wait()


@pytest.fixture
def cluster(tmp_path_factory):
    with ExitStack() as stack:
        yield Cluster(tmp_path_factory.mktemp("cluster"), stack)


def when(condition, action):
    """Do something in a thread as soon as a condition holds."""

    def watch():
        deadline = time.monotonic() + 60
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.005)
        action()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setattr(streaming, "draw_levels", slow_levels)


# ---- samples -------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_bits_do_not_depend_on_the_number_of_workers(
    model, expected, cluster, tmp_path, workers
):
    cluster.add(workers)
    result = stream_samples(tmp_path / "s.npy", *model, COUNT, dask=cluster.address)
    assert result.drawn == COUNT
    assert (tmp_path / "s.npy").read_bytes() == expected


def test_nor_on_one_that_is_killed(model, expected, cluster, tmp_path, slow):
    path = tmp_path / "s.npy"
    cluster.add(2)
    killer = when(lambda: chunks_in(path) >= 5, cluster.kill)
    stream_samples(path, *model, COUNT, dask=cluster.address)
    killer.join()
    assert path.read_bytes() == expected
    assert len(cluster.workers) == 1 and cluster.workers[0].poll() is None


def test_nor_on_all_of_them(model, expected, cluster, tmp_path, slow):
    """The workers that held the model die, and a new one gets it from the scheduler."""
    path = tmp_path / "s.npy"
    cluster.add(1)

    def replace():
        cluster.kill()
        cluster.add(1)

    replacer = when(lambda: chunks_in(path) >= 5, replace)
    stream_samples(path, *model, COUNT, dask=cluster.address)
    replacer.join()
    assert path.read_bytes() == expected


def test_a_killed_command_is_continued_with_or_without_workers(
    model, expected, cluster, tmp_path, capsys
):
    code = """
        import sys
        from cinc_ref import streaming
        from cinc_ref.__main__ import main
        from tests.support.streams import slow_levels
        streaming.draw_levels = slow_levels
        main(sys.argv[1:])
    """
    path = tmp_path / "s.npy"
    cr.save(tmp_path / "model.npz", *model)
    cluster.add(2)
    command = ["sample", tmp_path / "model.npz", "-n", COUNT, "--out", path]
    for least, here in ((3, False), (8, True)):
        more = [] if here else ["--dask", cluster.address]
        log = tmp_path / "command.log"
        with process(log, "-c", textwrap.dedent(code), *command, *more) as child:
            deadline = time.monotonic() + 60
            while chunks_in(path) < least:
                running = child.poll() is None and time.monotonic() < deadline
                assert running, log.read_text()
                time.sleep(0.005)
            os.kill(child.pid, signal.SIGKILL)
        assert not path.exists()
    code, out, err = run(capsys, *command, "--dask", cluster.address)
    assert (code, err) == (0, "")
    assert "of them drawn" in out
    assert path.read_bytes() == expected


def test_a_lost_image_is_the_error_of_this_process(model, cluster, tmp_path):
    flow, params = model
    steps = [list(level) for level in params["levels"]]
    actnorm = {**steps[0][1][0], "log_scale": steps[0][1][0]["log_scale"] - 200}
    steps[0][1] = [actnorm, *steps[0][1][1:]]
    cluster.add(1)
    with pytest.raises(NonFiniteError, match=r"1,000 of 1,000 are not .*ActNorm"):
        stream_samples(
            tmp_path / "s.npy", flow, params | {"levels": steps}, COUNT, dask=cluster.address
        )
    assert os.listdir(tmp_path) == []


# ---- comparisons ---------------------------------------------------------------------------------


@pytest.fixture
def comparison(tmp_path):
    """The options of a comparison that saves after each step."""
    levels = np.random.default_rng(0).binomial(3, 0.5, (60, 1, 4, 4)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", images=levels, bins=4)
    return {
        "systems": ["glow", "cinc"],
        "couplings": ["affine"],
        "data": "array",
        "data_options": {"path": tmp_path / "images.npz"},
        "seeds": 2,
        "steps": 40,
        "model": {"levels": 1, "depth": 1, "width": 4},
        "training": {"batch_size": 16, "save_every": 0.0},
    }


def judged(found):
    """Return what a comparison found, but for what was timed."""
    return {
        tuple(result["job"][key] for key in ("name", "coupling", "seed")): (
            result["steps"],
            result["validation_bits_per_dim"],
            result["test_bits_per_dim"],
        )
        for result in found.results
    }


@pytest.mark.parametrize("killed", [False, True])
def test_a_comparison_is_the_same_on_workers(comparison, cluster, tmp_path, monkeypatch, killed):
    monkeypatch.chdir(tmp_path)
    expected = judged(compare(tmp_path / "here", **comparison))
    assert len(expected) == 4
    cluster.add(2)
    if killed:
        killer = when(lambda: any((tmp_path / "there").glob("*/last.npz")), cluster.kill)
    found = compare("there", **comparison, dask=cluster.address)
    if killed:
        killer.join()
    assert found.complete
    assert len(cluster.workers) == 2 - killed
    assert judged(found) == expected


def test_workers_and_jobs_are_not_counted_twice(comparison, tmp_path):
    with pytest.raises(OptionError, match="n_jobs must be 1 with dask"):
        compare(tmp_path / "out", **comparison, n_jobs=2, dask="tcp://127.0.0.1:1")


# ---- what can be wrong with a cluster ------------------------------------------------------------


def die(job, shared):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(job, shared):
    raise ZeroDivisionError("no digits")


def test_a_scheduler_that_does_not_answer_is_one_sentence(model, tmp_path, monkeypatch):
    monkeypatch.setattr(_cluster, "PATIENCE", 0.5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
    for wrong in (address, "nonsense://127.0.0.1:80"):
        with pytest.raises(CincError, match=f"no Dask scheduler answers at {wrong}: start one"):
            stream_samples(tmp_path / "s.npy", *model, COUNT, dask=wrong)
    assert os.listdir(tmp_path) == []


def test_a_scheduler_without_workers_is_one_sentence(model, cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(_cluster, "PATIENCE", 1)
    with pytest.raises(CincError, match=r"has no workers: start some with dask worker tcp://"):
        stream_samples(tmp_path / "s.npy", *model, COUNT, dask=cluster.address)


def test_an_error_of_a_job_is_one_sentence(cluster):
    cluster.add(1)
    with pytest.raises(CincError, match=r"failed \(ZeroDivisionError: no digits\): workers need"):
        list(_cluster.completed(fail, range(3), None, cluster.address))


def test_a_job_that_kills_its_workers_is_one_sentence(cluster):
    cluster.add(4)
    with pytest.raises(CincError, match=r"die of a job .* repeat the command to continue"):
        list(_cluster.completed(die, range(1), None, cluster.address))


def test_a_scheduler_that_is_lost_keeps_what_is_drawn(
    model, expected, cluster, tmp_path, monkeypatch, slow
):
    path = tmp_path / "s.npy"
    cluster.add(1)
    killer = when(lambda: chunks_in(path) >= 3, cluster.scheduler.kill)
    with pytest.raises(CincError, match=r"scheduler at tcp://.* was lost: repeat the command"):
        stream_samples(path, *model, COUNT, dask=cluster.address)
    killer.join()
    assert not path.exists()
    assert stream_samples(path, *model, COUNT).drawn <= COUNT - 3 * CHUNK
    assert path.read_bytes() == expected


def test_without_distributed_the_extra_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r'distributed is not .* ".\[stream\]"'):
        stream_samples(tmp_path / "s.npy", *model, 3, dask="tcp://127.0.0.1:1")
    assert os.listdir(tmp_path) == []
