"""State of the whole process is claimed in one place and restored when the last block ends."""

import ast
import os
import re
import signal
import threading
import warnings
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import cinc_ref
from cinc_ref._claims import claimed
from cinc_ref.sampling import draw
from cinc_ref.timing import measure, one_blas_thread, one_core
from cinc_ref.training.console import interruptible

pins = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot pin threads here")


def blas_threads():
    return {p["filepath"]: p["num_threads"] for p in ThreadpoolController().info()}


@pytest.fixture(autouse=True)
def two_blas_threads():
    """Let the libraries have two threads before each test, as on a machine with two cores."""
    with ThreadpoolController().limit(limits=2):
        yield


def overlap(first, second):
    """Enter the first block, then the second, in threads; leave in the same order."""
    entered, left = threading.Event(), threading.Event()
    errors = []

    def run_first():
        try:
            with first():
                entered.set()
                assert second_entered.wait(10)
        except ZeroDivisionError:
            pass
        except BaseException as error:
            errors.append(error)
        finally:
            left.set()

    second_entered = threading.Event()
    thread = threading.Thread(target=run_first)
    thread.start()
    assert entered.wait(10)
    with second() as value:
        second_entered.set()
        assert left.wait(10)
        inside = blas_threads()
    thread.join()
    assert not errors
    return inside, value


@pytest.mark.parametrize("block", [one_blas_thread, one_core])
def test_the_last_of_overlapping_blocks_restores_the_threads_of_blas(block):
    before = blas_threads()
    inside, _ = overlap(block, block)
    assert blas_threads() == before
    blas = {p["filepath"] for p in ThreadpoolController().info() if p["user_api"] == "blas"}
    assert blas and {inside[path] for path in blas} == {1}  # also after the first has ended


def test_overlapping_blocks_restore_the_threads_of_torch_and_of_openmp():
    torch = pytest.importorskip("torch")
    with ThreadpoolController().limit(limits=2):  # OpenMP's number is that of each thread
        before = blas_threads(), torch.get_num_threads()
        inside, _ = overlap(one_core, one_core)
        assert (blas_threads(), torch.get_num_threads()) == before
        assert set(inside.values()) == {1}


def test_an_error_in_the_first_block_ends_its_claim_only():
    class Failing(ExitStack):
        def __enter__(self):
            self.enter_context(one_blas_thread())
            return super().__enter__()

        def __exit__(self, *details):
            super().__exit__(ZeroDivisionError, ZeroDivisionError(), None)

    before = blas_threads()
    inside, _ = overlap(Failing, one_blas_thread)
    assert blas_threads() == before != inside


def test_overlapping_trainings_in_threads():
    """Two trainings, each of which waits in its report until the other one runs, then ends."""
    flow = cinc_ref.flows.build("cinc", "additive", (1, 2, 2), levels=1, depth=1, width=1, bins=4)
    images = np.random.default_rng(0).integers(4, size=(8, 1, 2, 2))
    before, barrier, errors, inside = blas_threads(), threading.Barrier(2, timeout=60), [], []

    def train(steps):
        def report(_):
            if not reports:
                barrier.wait()
            reports.append(blas_threads())

        reports = []
        try:
            cinc_ref.train(flow, images, images, steps=steps, batch_size=4, progress=report)
        except BaseException as error:
            errors.append(error)
        inside.extend(reports)

    threads = [threading.Thread(target=train, args=(steps,)) for steps in (1, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and blas_threads() == before
    blas = {p["filepath"] for p in ThreadpoolController().info() if p["user_api"] == "blas"}
    assert {state[path] for state in inside for path in blas} == {1}


def test_many_threads_that_come_and_go():
    before = blas_threads()

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(5):
            try:
                with one_blas_thread():
                    threading.Event().wait(rng.uniform(0, 0.002))
                    _ = 1 / int(rng.integers(2))
            except ZeroDivisionError:
                pass

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert blas_threads() == before


@pins
def test_blocks_of_one_thread_that_end_in_the_order_in_which_they_began():
    before = os.sched_getaffinity(0)
    first, second = one_core(), one_core()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert len(os.sched_getaffinity(0)) == 1
    second.__exit__(None, None, None)
    assert os.sched_getaffinity(0) == before


@pins
def test_only_the_thread_that_measures_is_pinned():
    if len(os.sched_getaffinity(0)) == 1:
        pytest.skip("one core")
    before = os.sched_getaffinity(0)
    thread = threading.Thread(target=measure, args=(lambda: None,))
    measure(lambda: thread.is_alive() or thread.ident or thread.start(), repeat=3, warm_up=1)
    thread.join()
    assert os.sched_getaffinity(0) == before


def test_torch_is_limited_while_it_is_measured_and_restored():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen = []
        measure(lambda: seen.append(torch.get_num_threads()), repeat=1, warm_up=0)
        assert seen == [1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_setting_that_cannot_be_changed_is_not_claimed():
    value = [4]

    def write(number):
        if number == 1:
            raise OSError("no")
        value[:] = [number]

    for _ in range(2):
        with pytest.raises(OSError), claimed("a test's setting", lambda: value[0], write, 1):
            pass
    with claimed("a test's setting", lambda: value[0], write, 3):
        assert value == [3]
    assert value == [4]


def test_the_handler_of_ctrl_c_is_restored_by_nested_runs_and_errors():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), interruptible(), interruptible():
        _ = 1 / 0
    assert signal.getsignal(signal.SIGINT) is before


def test_filters_of_warnings_are_restored_by_overlapping_draws():
    """The draw that begins first ends first."""
    flow = cinc_ref.flows.build("cinc", "additive", (1, 2, 2), levels=1, depth=1, width=1, bins=4)
    params = flow.init(0, np.random.default_rng(0).uniform(-0.5, 0.5, (8, 1, 2, 2)))
    before = list(warnings.filters)

    def work(count):
        for _ in range(10):
            draw(flow, params, count)

    threads = [threading.Thread(target=work, args=(count,)) for count in (1, 2, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


PLACES = {  # what changes the state of the whole process: the modules that may
    "set_num_threads": {"_blas.py"},
    "sched_setaffinity": {"timing.py"},
    "signal.signal": {"training/console.py"},
    "gc.disable": {"kernels/_jit.py"},
    "gc.enable": {"kernels/_jit.py"},
    "threadpool_limits": set(),
    "catch_warnings": {"sampling.py", "testing/collect.py"},  # exclusive, as is what follows
    "simplefilter": {"sampling.py", "testing/collect.py"},
    "filterwarnings": set(),
    "resetwarnings": set(),
    "seterr": set(),
    "set_printoptions": set(),
    "random.seed": {"testing/frameworks.py"},  # within the block of testing/collect.py
    "manual_seed": {"testing/frameworks.py"},
    "rcParams": set(),
    "rc_context": set(),
    "matplotlib.use": set(),
    "pyplot": set(),
    "os.putenv": set(),
    "os.chdir": set(),
    "os.umask": set(),
    "setrecursionlimit": set(),
    "setlocale": set(),
    "set_int_max_str_digits": set(),
}


def _names_by_module():
    """Return the last two parts of every name that each module of the package uses or changes."""
    root = Path(cinc_ref.__file__).parent
    return {
        path.relative_to(root).as_posix(): {
            ".".join(ast.unparse(node).split(".")[-2:])
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute | ast.Name)
        }
        for path in root.rglob("*.py")
    }


def test_each_kind_of_global_state_is_changed_in_one_place():
    modules = _names_by_module()
    for name, places in PLACES.items():
        users = {
            m for m, names in modules.items() if any(f".{n}".endswith(f".{name}") for n in names)
        }
        assert users <= places, name


def test_the_environment_is_read_only():
    root = Path(cinc_ref.__file__).parent
    changes = re.compile(r"os\.environ(\[[^]]*\]\s*=[^=]|\.(update|setdefault|pop|clear)\()")
    for path in root.rglob("*.py"):
        assert not changes.search(path.read_text(encoding="utf-8")), path
