"""Kills, full disks, signals and files that are none: nothing is lost, no folder needs a hand."""

import errno
import json
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import _files, demo, sampling
from cinc_ref._files import check_replaceable, write_text
from cinc_ref.comparison import compare
from cinc_ref.errors import CheckpointError, OutputError
from cinc_ref.theory.cases import Case
from cinc_ref.theory.evidence import Counterexample
from cinc_ref.training.trainer import Trainer
from tests.support.commands import assert_one_line_error, few_digits, run
from tests.support.processes import assert_ended, run_code, run_module
from tools.kill_campaign import FLOW, IMAGES, OPTIONS, advance, contents

ROOT = Path(__file__).parents[1]
SMALL = ("--levels", 1, "--depth", 1, "--width", 2)

posix = pytest.mark.skipif(os.name != "posix", reason="pipes and limits of POSIX")


def python(code, *arguments, **options):
    """Run code in a process of its own, with the compiler off.

    It leaves no bytecode: Python would cut what it writes where a process limits the size of files.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "1"}
    return run_code(code, *arguments, flags=["-B"], env=environment, timeout=120, **options)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    advance(folder, resume=False)
    return folder


@pytest.fixture(scope="module")
def model(undisturbed):
    return cr.load(undisturbed / "best.npz")


# ---- kills ---------------------------------------------------------------------------------------


class Died(BaseException):
    """Stands for the end of the process: what it was about to do is not done."""


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("call", range(1, 8))
def test_death_at_each_of_the_first_files_leaves_a_folder_that_a_command_takes(
    call, resume, undisturbed, tmp_path, monkeypatch
):
    calls = []

    def replace(*names):
        calls.append(names)
        if len(calls) == call:
            raise Died
        real(*names)

    real = os.replace
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(_files.Path, "unlink", lambda self, missing_ok=False: None)
    with pytest.raises(Died):
        advance(tmp_path, resume=False)
    monkeypatch.undo()
    assert any(name.endswith(".tmp") for name in os.listdir(tmp_path))
    advance(tmp_path, resume)
    assert contents(tmp_path) == contents(undisturbed)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign forks")
def test_a_sample_of_the_campaign_of_kills_and_races():
    arguments = ("--kills", 15, "--races", 3)
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    result = run_module("tools.kill_campaign", *arguments, cwd=ROOT, env=environment, timeout=300)
    total, inside = map(int, re.match(r"(\d+) kills: (\d+) inside a save", result.stdout).groups())
    assert total == 15 and inside >= total / 2


def test_a_model_without_a_state_is_neither_overwritten_nor_resumed(undisturbed, tmp_path):
    shutil.copy(undisturbed / "best.npz", tmp_path)
    with pytest.raises(OutputError, match=r"another run \(best\.npz\); choose another folder$"):
        cr.train(FLOW, IMAGES, IMAGES, out=tmp_path, steps=1)
    with pytest.raises(CheckpointError, match=r"only a model \(best\.npz\).* another folder$"):
        cr.train(FLOW, IMAGES, IMAGES, out=tmp_path, steps=1, resume=True)


@pytest.mark.parametrize("damage", ["cut", "empty", "a bit", "a model", "another archive"])
def test_a_damaged_state_says_what_remains(damage, undisturbed, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    content = bytearray((folder / "last.npz").read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "a model":
        shutil.copy(folder / "best.npz", folder / "last.npz")
    elif damage == "another archive":
        np.savez(folder / "last.npz", a=np.zeros(2))
    else:
        damaged = {"cut": content[:-1000], "empty": b"", "a bit": content}
        (folder / "last.npz").write_bytes(damaged[damage])
    options = OPTIONS if damage == "a bit" else OPTIONS | {"steps": None}  # read in its header
    with pytest.raises(
        CheckpointError, match=r"cannot be resumed; its best model is in .*best"
    ) as e:
        cr.train(FLOW, IMAGES[:48], IMAGES[48:], out=folder, resume=True, **options)
    assert "\n" not in str(e.value) and "train anew in another folder" in str(e.value)
    (folder / "best.npz").unlink()
    with pytest.raises(CheckpointError, match="cannot be resumed; train anew in another folder"):
        cr.train(FLOW, IMAGES[:48], IMAGES[48:], out=folder, resume=True, **options)


# ---- what is no regular file ---------------------------------------------------------------------


def writers(model):
    """Return functions that write to a path, and the ending that the path must have."""
    counterexample = Counterexample(
        "c", "p", Case(np.ones((1, 1, 2, 2)), (3, 3), "top-left", 1, (1, 1))
    )
    samples = sampling.draw(*model, 2)
    return {
        "save": (lambda path: cr.save(path, *model), ""),
        "text": (lambda path: write_text(path, "text"), ""),
        "counterexample": (counterexample.save, ""),
        "npy": (lambda path: sampling.write(path, samples), ".npy"),
        "npz": (lambda path: sampling.write(path, samples), ".npz"),
        "png": (lambda path: sampling.write(path, samples), ".png"),
    }  # fmt: skip


def make(kind, path):
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))  # as /dev/null
        except PermissionError:
            pytest.skip("only root may make devices")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(os.fspath(path))
    elif kind == "folder":
        path.mkdir()


@posix
@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "folder"])
@pytest.mark.parametrize("linked", [False, True])
def test_what_is_no_regular_file_is_refused_and_stays(kind, linked, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    for name, (write, ending) in writers(model).items():
        path = Path(f"{name}{ending}")
        make(kind, path)
        before = path.lstat().st_ino
        target = path
        if linked:
            path = Path(f"link{name}{ending}")
            path.symlink_to(target.absolute())
        words = {"pipe": "a named pipe", "device": "a device"}.get(kind, f"a {kind}")
        with pytest.raises(OutputError, match=f"cannot write {path}: it is {words}, not a regular"):
            write(path)
        assert target.lstat().st_ino == before and not stat.S_ISREG(target.lstat().st_mode)
    assert not [name for name in os.listdir() if name.endswith(".tmp")]


def test_a_path_with_nul_is_refused_by_every_writer(model):
    work = {"train": lambda path: cr.train(FLOW, IMAGES, IMAGES, out=path, steps=1),
            "compare": lambda path: compare(path, steps=1), "demo": lambda path: demo.run(path),
            **{name: write for name, (write, _) in writers(model).items()}}  # fmt: skip
    endings = {name: ending for name, (_, ending) in writers(model).items()}
    for name, act in work.items():
        with pytest.raises(OutputError, match="must hold no NUL character; got 'a") as caught:
            act(f"a\0b{endings.get(name, '')}")
        assert "\n" not in str(caught.value) and "\0" not in str(caught.value)
        with pytest.raises(OutputError, match="must be text that file names can hold"):
            act(f"a\ud800b{endings.get(name, '')}")
    for resume, error in ((True, OutputError), (False, OutputError)):
        with pytest.raises(error, match="NUL"):
            cr.train(FLOW, IMAGES, IMAGES, out="a\0b", steps=1, resume=resume)
    with pytest.raises(CheckpointError, match="NUL"):
        cr.load("a\0b")


@posix
def test_commands_refuse_pipes_before_they_work(capsys, model, tmp_path):
    cr.save(tmp_path / "model.npz", *model)
    place = tmp_path / "pipe.png"
    make("pipe", place)
    commands = (
        ("sample", tmp_path / "model.npz", "--out", place),
        ("bench", "conv", "--json", place),
        ("verify", "--json", place),
        ("check", "torch.nn:Identity", "--json", place),
    )
    for command in commands:
        code, out, err = run(capsys, *command)
        assert code == 1 and out == ""
        assert_one_line_error(err)
        assert "it is a named pipe, not a regular file" in err
    assert stat.S_ISFIFO(place.stat().st_mode)


def test_links_stay_links_and_modes_stay(model, tmp_path):
    for name, (write, ending) in writers(model).items():
        target, link = tmp_path / f"{name}{ending}", tmp_path / f"link{name}{ending}"
        target.write_bytes(b"former")
        target.chmod(0o640)
        link.symlink_to(target)
        write(link)
        assert link.is_symlink() and target.read_bytes() != b"former"
        assert os.name != "posix" or stat.S_IMODE(target.stat().st_mode) == 0o640
        dangling = tmp_path / f"dangling{name}{ending}"
        dangling.symlink_to(tmp_path / f"new{name}{ending}")
        write(dangling)
        assert dangling.is_symlink() and (tmp_path / f"new{name}{ending}").exists()


def test_links_in_a_circle_are_an_error(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OutputError, match="cannot write"):
        check_replaceable(tmp_path / "a")


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_every_writer_leaves_the_former_file_where_it_fails(failing, model, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    acts = writers(model)
    for name, (_, ending) in acts.items():
        (tmp_path / f"{name}{ending}").write_text("former")
    monkeypatch.setattr(os, failing, full)
    for name, (write, ending) in acts.items():
        path = tmp_path / f"{name}{ending}"
        with pytest.raises(
            OutputError, match=f"cannot write {re.escape(str(path))}: No space left"
        ):
            write(path)
        assert path.read_text() == "former"
    assert len(os.listdir(tmp_path)) == len(acts)


# ---- signals -------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    """Let commands have 36 digits alone."""
    for place in ("cinc_ref.cli.train", "cinc_ref.cli.compare", "cinc_ref.comparison.job"):
        monkeypatch.setattr(f"{place}.image_set", lambda *name, **options: few_digits())


def signal_in_step(monkeypatch, number, step, times=1):
    """Send this process a signal, so many times, in the step of this number."""

    def step_and_stop(trainer):
        if trainer.state.step == step:
            for _ in range(times):
                signal.raise_signal(number)
        return real(trainer)

    real = Trainer.step
    monkeypatch.setattr(Trainer, "step", step_and_stop)


@pytest.mark.parametrize(("number", "expected"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_stops_training_which_can_be_continued(
    number, expected, few, capsys, monkeypatch, tmp_path
):
    before = [signal.getsignal(getattr(signal, name)) for name in ("SIGINT", "SIGTERM")]
    with monkeypatch.context() as patch:
        signal_in_step(patch, getattr(signal, number), step=1)
        code, out, err = run(capsys, "train", "--steps", 4, *SMALL, "--out", tmp_path)
    assert code == expected and "Traceback" not in err
    assert "Interrupted after 2 steps; everything is saved. To continue:" in out
    assert [signal.getsignal(getattr(signal, name)) for name in ("SIGINT", "SIGTERM")] == before
    command = shlex.split(out.splitlines()[-1])
    code, out, _ = run(capsys, *command[3:])
    assert code == 0 and "Finished 4 steps." in out


@pytest.mark.parametrize(("number", "expected"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("command", ["train", "compare"])
def test_a_second_signal_ends_a_command_at_once(
    command, number, expected, few, capsys, monkeypatch, tmp_path
):
    with monkeypatch.context() as patch:
        signal_in_step(patch, getattr(signal, number), step=1, times=2)
        more = ("--systems", "glow", "--couplings", "affine") if command == "compare" else ()
        code, out, err = run(capsys, command, "--steps", 4, *SMALL, *more, "--out", tmp_path)
    assert code == expected and "Traceback" not in err and "Finished" not in out
    assert not [path for path in tmp_path.rglob(".*")]  # neither locks nor temporary files
    code, out, _ = run(capsys, command, "--steps", 4, *SMALL, *more, "--out", tmp_path,
                       *["--resume"] * (command == "train"))  # fmt: skip
    assert code == 0


def test_sigterm_stops_a_comparison_which_the_same_command_continues(
    few, capsys, monkeypatch, tmp_path
):
    arguments = ("compare", "--systems", "glow,cinc", "--couplings", "affine", "--seeds", 1,
                 "--steps", 2, *SMALL, "--out", tmp_path)  # fmt: skip
    with monkeypatch.context() as patch:
        signal_in_step(patch, signal.SIGTERM, step=1)
        code, out, _ = run(capsys, *arguments)
    assert code == 143 and "To continue, repeat the command." in out
    with monkeypatch.context() as patch:  # between two trainings, too
        patch.setattr("cinc_ref.comparison.job.times", lambda *a: signal.raise_signal(15))
        code, out, _ = run(capsys, *arguments)
    assert code == 143 and "To continue, repeat the command." in out
    assert run(capsys, *arguments)[0] == 0
    assert json.loads((tmp_path / "comparison.json").read_text())["complete"]


def test_sigterm_in_the_demonstration(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "digits", lambda: few_digits().train[:10])
    monkeypatch.setattr(demo, "image_set", lambda name: few_digits())
    monkeypatch.setattr(demo.flow, "MODEL", {"system": "glow", "levels": 1, "depth": 1, "width": 2})
    monkeypatch.setattr(demo.flow, "SAMPLES", 4)
    signal_in_step(monkeypatch, signal.SIGTERM, step=0)
    code, out, _ = run(capsys, "demo", "--steps", 3, "--out", tmp_path)
    assert code == 143 and "after 1 of 3 steps" in out
    assert sorted(os.listdir(tmp_path)) == sorted(demo.FILES)


def test_the_library_stops_at_sigterm_and_hands_the_handlers_back(monkeypatch, tmp_path):
    def own(number, frame):
        raise AssertionError

    former = signal.signal(signal.SIGTERM, own)
    try:
        with monkeypatch.context() as patch:
            signal_in_step(patch, signal.SIGTERM, step=5)
            result = cr.train(FLOW, IMAGES[:48], IMAGES[48:], out=tmp_path, **OPTIONS)
        assert result.reason == "interrupted" and result.step == 6
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, former)


@posix
def test_sigterm_from_another_process(tmp_path):
    """A process that gets it from outside, in a step that takes long."""
    code = """
        import sys, time
        from cinc_ref.__main__ import main
        from cinc_ref.training.trainer import Trainer
        from tests.support.commands import few_digits
        import cinc_ref.cli.train as command
        command.image_set = lambda *name, **options: few_digits()
        step = Trainer.step
        def slow(trainer):
            print("step", flush=True)
            time.sleep(0.3)
            return step(trainer)
        Trainer.step = slow
        main(sys.argv[1:])
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", textwrap.dedent(code), "train", "--steps", "1000"]
    with subprocess.Popen(
        [*command, *map(str, SMALL), "--out", tmp_path], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        while process.stdout.readline().strip() != "step":
            assert process.poll() is None
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert_ended(process.returncode, 143, out, err)
    assert "Traceback" not in err
    assert "everything is saved. To continue:" in out and "--resume" in out
    assert not list(tmp_path.glob(".*"))


# ---- full disks ----------------------------------------------------------------------------------


def assert_full_then_resumed(result, folder, undisturbed):
    """Check a process that found no room, and that its run can be continued when there is."""
    assert_one_line_error(result.stderr)
    assert "cannot write" in result.stderr and "make room, or choose another" in result.stderr
    assert not list(folder.glob(".*"))
    advance(folder, resume=True)
    assert contents(folder) == contents(undisturbed)


TRAIN = """
    import errno, os, resource, sys
    from pathlib import Path
    from cinc_ref.errors import OutputError
    from tools.kill_campaign import FLOW, IMAGES, OPTIONS
    from cinc_ref.training import train
    from cinc_ref.training.trainer import Trainer
    folder, what = Path(sys.argv[1]), sys.argv[2]
    def fill(report):
        if report["step"] != int(sys.argv[3]):
            return
        if what == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        else:
            with open(folder.parent / "filler", "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(512))
                except OSError as error:
                    assert error.errno == errno.ENOSPC
    try:
        train(FLOW, IMAGES[:48], IMAGES[48:], out=folder, progress=fill, **OPTIONS)
    except OutputError as error:
        sys.exit(f"error: {error}")
"""


@posix
@pytest.mark.parametrize("step", [1, 6])
def test_a_limit_of_the_size_of_files_leaves_a_run_that_can_be_resumed(step, undisturbed, tmp_path):
    result = python(TRAIN, tmp_path / "run", "limit", step, exit_code=1)
    assert_full_then_resumed(result, tmp_path / "run", undisturbed)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if not mount or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@posix
@pytest.mark.parametrize("step", [1, 5])
def test_a_full_disk_leaves_a_run_that_can_be_resumed(step, undisturbed, small_disk):
    result = python(TRAIN, small_disk / "run", "disk", step, exit_code=1)
    before = contents(small_disk / "run")
    assert set(before) == {"best.npz", "history.json", "last.npz"}
    with pytest.raises(OutputError, match="No space left on device; make room"):
        advance(small_disk / "run", resume=True)  # while there is no room
    assert contents(small_disk / "run") == before
    (small_disk / "filler").unlink()
    assert_full_then_resumed(result, small_disk / "run", undisturbed)


@posix
def test_a_disk_that_is_full_from_the_start_holds_no_run(small_disk):
    with open(small_disk / "filler", "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(512))
    for _ in range(2):
        with pytest.raises(OutputError, match="make room"):
            advance(small_disk / "run", resume=False)
    (small_disk / "filler").unlink()
    assert advance(small_disk / "run", resume=False).reason == "steps"


@posix
def test_commands_that_find_no_room_say_so_in_one_line(model, tmp_path):
    code = """
        import resource, sys
        from cinc_ref.__main__ import main
        resource.setrlimit(resource.RLIMIT_FSIZE, (40, resource.RLIM_INFINITY))
        for out in sys.argv[2:]:
            try:
                main(["sample", sys.argv[1], "-n", "9", "--out", out])
            except SystemExit as error:
                assert error.code == 1
    """
    cr.save(tmp_path / "model.npz", *model)
    paths = [tmp_path / f"samples.{ending}" for ending in ("npy", "npz", "png")]
    for path in paths:
        path.write_bytes(b"former")
    result = python(code, tmp_path / "model.npz", *paths)
    lines = [line for line in result.stderr.splitlines() if not line.startswith("[")]
    advice = "File too large; make room, or choose another place"
    assert lines == [f"error: cannot write {path}: {advice}" for path in paths]
    assert all(path.read_bytes() == b"former" for path in paths)
    assert len(list(tmp_path.iterdir())) == 4
