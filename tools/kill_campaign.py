"""Does a run survive kills and races? Processes that die while they save, and pairs in one folder.

    NUMBA_DISABLE_JIT=1 python -m tools.kill_campaign --kills 200 --races 50

kills training runs by SIGKILL, most of them inside a save or an evaluation, and continues each by
the command that the refusal of the other command names. Where it ends, its folder must hold the
bits of an undisturbed run. Then it starts two commands at once in one folder: one must train, the
other must end with one sentence that names the first, and where both are killed a third must be
able to finish. Exits with 1 if anything is otherwise. It needs a system that can fork.
"""

import argparse
import functools
import io
import json
import mmap
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

from cinc_ref import _files, _locks, plots  # noqa: F401  (plots: so that no child imports it)
from cinc_ref.__main__ import main as command_line
from cinc_ref.errors import CheckpointError, OutputError
from cinc_ref.flows import build
from cinc_ref.training import train, trainer

ELSEWHERE, EVALUATION, SAVE = range(3)
STAGES = ("elsewhere", "in an evaluation", "inside a save")
"""What a process does when it is killed."""

AIMS = {SAVE: (0.65, 400), EVALUATION: (0.15, 12), ELSEWHERE: (0.1, 30)}
"""For each stage the part of the kills that are aimed at it, and the largest number of the point in
it at which the process is killed. The remaining tenth comes at a random time."""

RUN_SECONDS = 1.0
"""Largest time after which a process is killed that is killed at a random time."""

TIMEOUT = 60.0
"""Seconds after which a process that should have ended counts as hanging."""

FLOW = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4, bins=4)
IMAGES = np.random.default_rng(0).binomial(3, 0.5, (60, 1, 4, 4))
OPTIONS = {"steps": 12, "batch_size": 16, "evaluate_every": 3, "save_every": 0.0, "patience": None}
"""A run that saves after each step, and its tiny model."""


# ---- processes -----------------------------------------------------------------------------------


def fork(work, log):
    """Run a function in a child, whose exit code it returns; stdout and stderr go to a file."""
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        with open(log, "wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        code = work() or 0
    except SystemExit as error:
        code = error.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def ended(pids, seconds=TIMEOUT):
    """Wait until one of these children ends; return its id and exit code, or None and None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for pid in pids:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return pid, os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None, None


def kill(pid):
    """Kill a child, and return its exit code, which is another if it had ended before."""
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Pauses:
    """Points of a child at which it waits to be killed, of which one is chosen.

    Parameters
    ----------
    shared : mmap
        Two bytes that parent and child share: the stage, and whether the child waits.
    stage, number : int
        The child waits at the point of this number in this stage.
    """

    def __init__(self, shared, stage, number):
        self._shared, self._stage, self._left = shared, stage, number

    def point(self):
        """Wait here, if this is the chosen point."""
        if self._shared[0] == self._stage:
            self._left -= 1
            if not self._left:
                self._shared[1] = 1
                time.sleep(TIMEOUT)
                os._exit(98)

    def around(self, function, stage=None):
        """Return a function with a point before and after it, and in this stage if there is one."""

        @functools.wraps(function)
        def wrapper(*arguments, **options):
            former = self._shared[0]
            self._shared[0] = former if stage is None else stage
            try:
                self.point()
                result = function(*arguments, **options)
                self.point()
            finally:
                self._shared[0] = former
            return result

        return wrapper

    def install(self):
        """Put points into the steps, evaluations and savings of this process."""
        run = trainer.Trainer
        run.save = self.around(run.save, SAVE)
        run._save_best = self.around(run._save_best, SAVE)
        run.validate = self.around(run.validate, EVALUATION)
        trainer.evaluate = self.around(trainer.evaluate)
        run.step = self.around(run.step)
        _locks._acquired = self.around(_locks._acquired)
        os.replace, os.fsync = self.around(os.replace), self.around(os.fsync)
        _files.open = self._open

    def _open(self, path, mode, encoding=None):
        self.point()
        file = PausingFile(io.FileIO(path, mode.removesuffix("b")))
        file.point = self.point
        return io.TextIOWrapper(file, encoding) if encoding else file


class PausingFile(io.BufferedWriter):
    """A file with a point in the middle of each writing, up to which it is on the disk."""

    def write(self, data):
        """Write bytes, in two halves."""
        data = memoryview(data).cast("B")
        super().write(data[: len(data) // 2])
        self.flush()
        self.point()
        super().write(data[len(data) // 2 :])
        return len(data)


# ---- kills ---------------------------------------------------------------------------------------


def advance(folder, resume):
    """Start or continue a run; if that is refused, do what the refusal says."""
    for attempt in (resume, not resume):
        try:
            return train(FLOW, IMAGES[:48], IMAGES[48:], out=folder, resume=attempt, **OPTIONS)
        except CheckpointError as error:
            if "leave out --resume" not in str(error) or not attempt:
                raise
        except OutputError as error:
            if "continue it with --resume" not in str(error) or attempt:
                raise
    raise OutputError(f"{folder} is taken by neither command")


def contents(folder):
    """Return what a folder holds, but for the seconds that the run took."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".npz":
            with np.load(path) as file:
                arrays = {name: file[name] for name in file.files}
            header = json.loads(arrays.pop("header").tobytes())
            found[path.name] = _timeless(header), {n: a.tobytes() for n, a in arrays.items()}
        elif path.suffix == ".json":
            found[path.name] = _timeless(json.loads(path.read_text()))
        else:
            found[path.name] = None
    return found


def _timeless(value):
    if isinstance(value, dict):
        return {name: _timeless(entry) for name, entry in value.items() if name != "seconds"}
    return [_timeless(entry) for entry in value] if isinstance(value, list) else value


class Kills:
    """Runs that are killed again and again until they are finished.

    Attributes
    ----------
    stages : Counter
        The number of kills in each stage.
    finished : int
        The number of runs that were finished, and had been killed at least once.
    wrong : list of str
    """

    def __init__(self, folder, seed):
        self.stages, self.finished, self.wrong = Counter(), 0, []
        self._folder, self._rng = folder, np.random.default_rng(seed)
        self._shared = mmap.mmap(-1, 2)
        advance(folder / "undisturbed", resume=False)
        self._expected = contents(folder / "undisturbed")

    def run(self, count):
        """Kill so many processes, and finish the last run."""
        while not self.wrong and (self.stages.total() < count or self._run.exists()):
            killed = self.stages.total() < count and self._kill_one()
            if not killed:
                self._finish()

    @property
    def _run(self):
        return self._folder / "killed"

    def _kill_one(self):
        """Start a process and kill it; return False if it had ended by itself."""
        pid = self._start(*self._aim())
        seconds = self._rng.uniform(0, RUN_SECONDS) if self._random_time else TIMEOUT
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._shared[1]:
            done, code = ended([pid], 0.005)
            if done:
                self._check(code)
                return False
        code = kill(pid)
        if code == -signal.SIGKILL:
            self.stages[self._shared[0]] += 1
        else:
            self._check(code)
        return code == -signal.SIGKILL

    def _aim(self):
        parts = [part for part, _ in AIMS.values()]
        stage = self._rng.choice([*AIMS, -1], p=[*parts, 1 - sum(parts)])
        self._random_time = stage == -1
        return int(stage), 0 if stage == -1 else int(self._rng.integers(1, AIMS[stage][1] + 1))

    def _start(self, stage, number):
        resume = bool(self._rng.integers(2))
        self._shared[0] = self._shared[1] = 0

        def work():
            if number:
                Pauses(self._shared, stage, number).install()
            else:
                Pauses(self._shared, ELSEWHERE, -1).install()
            advance(self._run, resume)

        return fork(work, self._folder / "log")

    def _finish(self):
        """Let the run end, compare it with the undisturbed one, and remove it."""
        done, code = ended([self._start(-1, 0)])
        self._check(code if done else "a process hangs")
        if not self.wrong and contents(self._run) != self._expected:
            self.wrong.append("a finished run differs from the undisturbed one")
        if not self.wrong:
            self.finished += 1
            shutil.rmtree(self._run)

    def _check(self, code):
        if code:
            text = (self._folder / "log").read_text()
            self.wrong.append(f"a process ended with {code}: {text}")


# ---- races ---------------------------------------------------------------------------------------


class Races:
    """Rounds of two commands that start at once in one folder.

    Attributes
    ----------
    rounds : Counter
        The number of rounds of each kind.
    wrong : list of str
    """

    KINDS = ("fresh", "resumed", "fresh", "resumed", "killed")

    def __init__(self, folder, seed):
        self.rounds, self.wrong = Counter(), []
        self._folder, self._rng = folder, np.random.default_rng(seed)
        self._shared = mmap.mmap(-1, 1)
        np.savez(folder / "images.npz", images=IMAGES.astype(np.uint8), bins=4)
        self._shared[0] = 1
        self._finish(folder / "begun", "--steps", "1")
        shutil.copytree(folder / "begun", folder / "resumed")
        self._finish(folder / "resumed", "--resume")
        self._finish(folder / "fresh")
        fresh, resumed = contents(folder / "fresh"), contents(folder / "resumed")
        self._expected = {"fresh": fresh, "resumed": resumed, "killed": fresh}

    def run(self, count):
        """Make so many rounds."""
        for number in range(count):
            if self.wrong:
                break
            kind = self.KINDS[number % len(self.KINDS)]
            self._round(kind, self._folder / "race")
            self.rounds[kind] += 1

    def _round(self, kind, run):
        resumed = kind == "resumed"
        if resumed:
            shutil.copytree(self._folder / "begun", run)
        more = ["--resume"] if resumed else []
        self._shared[0] = 0
        gate, opener = os.pipe()
        pids = [self._start(run, more, name, gate, opener) for name in ("a", "b")]
        os.close(gate)
        os.close(opener)  # the children read the end of the pipe, and begin
        if kind == "killed":
            time.sleep(self._rng.uniform(0, 3))
            for pid in pids:
                kill(pid)
            self._shared[0] = 1
            self._finish_killed(run)
        else:
            self._judge(pids)
        if not self.wrong and contents(run) != self._expected[kind]:
            self.wrong.append(f"{kind}: the run differs from the undisturbed one")
        if not self.wrong:
            shutil.rmtree(run)

    def _judge(self, pids):
        """Check that one is refused while the other trains, which it then finishes."""
        loser, code = ended(pids)
        self._shared[0] = 1
        winner, success = ended([pid for pid in pids if pid != loser])
        logs = dict(zip(pids, ("a", "b"), strict=True))
        texts = {pid: (self._folder / logs[pid]).read_text() for pid in pids}
        if not loser or not winner or not code or success:
            self.wrong.append(f"exit codes {code} and {success}: {texts}")
        elif not re.search(
            rf"(?:\A|\n)error: [^\n]* is in use by process {winner} on [^\n]*\n\Z", texts[loser]
        ):
            self.wrong.append(f"the one that is refused says: {texts[loser]}")

    def _start(self, run, more, name, gate=None, opener=None):
        def work():
            if gate is not None:
                os.close(opener)
                os.read(gate, 1)
            step = trainer.Trainer.step
            trainer.Trainer.step = lambda run: (self._wait(), step(run))[1]
            return command_line(self._arguments(run, *more))

        return fork(work, self._folder / name)

    def _wait(self):
        deadline = time.monotonic() + TIMEOUT
        while not self._shared[0] and time.monotonic() < deadline:
            time.sleep(0.01)

    def _arguments(self, run, *more):
        sizes = ["--levels", "1", "--depth", "1", "--width", "4", "--batch-size", "16"]
        steps = [] if "--steps" in more else ["--steps", "3"]
        data = ["--data", "array", "--path", str(self._folder / "images.npz")]
        return ["train", *data, *sizes, *steps, "--out", str(run), *more]

    def _finish(self, run, *more):
        done, code = ended([self._start(run, more, "log")])
        if not done or code:
            self.wrong.append(f"{more} ended with {code}: {(self._folder / 'log').read_text()}")

    def _finish_killed(self, run):
        """Begin the run again, or continue it if that is refused with this advice."""
        done, code = ended([self._start(run, [], "log")])
        text = (self._folder / "log").read_text()
        if done and code and "continue it with --resume" in text:
            self._finish(run, "--resume")
        elif not done or code:
            self.wrong.append(f"after two kills the command ended with {code}: {text}")


def main():
    """Read the options, make both campaigns and print figures; exit with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--races", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        if options.kills:
            kills = Kills(Path(folder), options.seed)
            kills.run(options.kills)
            parts = [f"{kills.stages[stage]} {STAGES[stage]}" for stage in (SAVE, EVALUATION, 0)]
            print(
                f"{kills.stages.total()} kills: {', '.join(parts)}; {kills.finished} runs finished"
            )
            wrong += kills.wrong
        if options.races:
            races = Races(Path(folder), options.seed)
            races.run(options.races)
            print("races:", ", ".join(f"{n} {kind}" for kind, n in races.rounds.items()))
            wrong += races.wrong
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(wrong)} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
