"""One process, and one thread of it, works in a folder at a time."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

import cinc_ref
from cinc_ref import demo
from cinc_ref._locks import check_unlocked, locked
from cinc_ref.comparison import compare
from cinc_ref.errors import CheckpointError, OutputError
from cinc_ref.flows import build
from tests.support.commands import assert_one_line_error, run

ROOT = Path(__file__).parents[1]
FLOW = build("cinc", "additive", (1, 2, 2), levels=1, depth=1, width=1, bins=4)
IMAGES = np.random.default_rng(0).integers(4, size=(8, 1, 2, 2))
HERE = f"in use by process {os.getpid()} on {socket.gethostname()}"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="locks of this kind are POSIX's")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("cinc_ref._locks.PATIENCE", 0.1)


def fit(folder, **options):
    return cinc_ref.train(FLOW, IMAGES, IMAGES, out=folder, batch_size=4, **{"steps": 2, **options})


@pytest.fixture
def other_process(tmp_path):
    """A process that holds the lock of a folder until it is killed."""
    code = (
        "import sys, time\nfrom cinc_ref._locks import locked\n"
        f"with locked({str(tmp_path)!r}):\n    print(flush=True)\n    time.sleep(100)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_the_refusal_names_the_process_and_its_host(tmp_path):
    with locked(tmp_path):
        with pytest.raises(OutputError, match=f"^{re.escape(str(tmp_path))} is {HERE}: wait until"):
            with locked(tmp_path):
                pass
        with pytest.raises(OutputError, match=HERE):
            check_unlocked(tmp_path)
    check_unlocked(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_lock_ends_with_an_error_and_can_be_taken_again(tmp_path):
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), locked(tmp_path):
            _ = 1 / 0
    assert os.listdir(tmp_path) == []


def test_the_lock_of_a_killed_process_does_not_block(other_process, tmp_path):
    name = f"process {other_process.pid} on"
    for act in (check_unlocked, fit, demo.run):
        with pytest.raises(OutputError, match=name) as caught:
            act(tmp_path)
        assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match=name):
        compare(tmp_path, systems=["glow"], couplings=["affine"], seeds=1, steps=1)
    assert sorted(os.listdir(tmp_path)) == [".lock", ".lock.holder"]
    other_process.kill()
    other_process.wait()
    assert os.path.exists(tmp_path / ".lock.holder")  # it could not remove it
    fit(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["best.npz", "history.json", "last.npz"]


def test_commands_are_refused_with_one_sentence(other_process, tmp_path, capsys):
    small = ["--steps", 1, "--levels", 1, "--depth", 1, "--width", 1]
    for command in (["train", *small], ["train", *small, "--resume"], ["compare", *small]):
        code, out, err = run(capsys, *command, "--out", tmp_path)
        assert code == 1 and out == ""
        assert_one_line_error(err)
        assert f"in use by process {other_process.pid} on" in err


def test_a_second_training_is_refused_in_threads_and_within_itself(tmp_path):
    """Threads: the first to begin waits in its report until the other one was refused."""
    refused = threading.Event()

    def wait(_):
        assert refused.wait(30)

    thread = threading.Thread(target=fit, args=(tmp_path,), kwargs={"progress": wait})
    thread.start()
    try:
        while not (tmp_path / "best.npz").exists():
            thread.join(0.01)
            assert thread.is_alive()
        for options in ({}, {"resume": True}):
            with pytest.raises(OutputError, match=HERE):
                fit(tmp_path, **options)
    finally:
        refused.set()
        thread.join()

    def nested(_):
        with pytest.raises(OutputError, match=HERE):
            fit(tmp_path, resume=True)

    assert fit(tmp_path, resume=True, steps=4, progress=nested).step == 4


def test_of_many_threads_one_at_a_time_holds_the_lock(tmp_path):
    """A file that is removed and made anew must not let two of them in."""
    inside, most, refused = [], [], []

    def work():
        held = 0
        while held < 10:
            try:
                with locked(tmp_path):
                    held += 1
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
            except OutputError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 40 and max(most) == 1
    assert all("in use by" in text for text in refused)


def test_a_folder_is_free_after_an_error(tmp_path):
    for resume, error in ((True, CheckpointError), (False, None), (False, OutputError)):
        with pytest.raises(error) if error else ExitStack():
            fit(tmp_path, resume=resume)
        check_unlocked(tmp_path)


def test_the_refused_process_leaves_the_temporary_files_of_the_other(other_process, tmp_path):
    (tmp_path / ".last.npz.0123abcd.tmp").touch()
    with pytest.raises(OutputError):
        fit(tmp_path)
    assert (tmp_path / ".last.npz.0123abcd.tmp").exists()


def test_a_name_that_is_no_text_or_no_file_harms_nothing(tmp_path):
    with locked(tmp_path):
        for content in (b"", b"\xff\xff", b"a\nb" + 1000 * b"c", None):
            (tmp_path / ".lock.holder").unlink(missing_ok=True)
            if content is None:
                os.mkfifo(tmp_path / ".lock.holder")
            else:
                (tmp_path / ".lock.holder").write_bytes(content)
            with pytest.raises(OutputError, match=r"in use by (another process|a bc+):") as caught:
                check_unlocked(tmp_path)
            assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)


def test_a_pipe_in_the_place_of_the_lock_is_refused(tmp_path):
    os.mkfifo(tmp_path / ".lock")
    with pytest.raises(OutputError, match=r"cannot write .*\.lock: it is a named pipe"):
        fit(tmp_path)


def test_the_lock_is_released_by_the_signal_that_ends_a_process(other_process, tmp_path):
    other_process.send_signal(signal.SIGTERM)
    other_process.wait()
    with locked(tmp_path):
        pass
    assert os.listdir(tmp_path) == []
