"""Budgets of training: they begin after compilation, and a resumed run may have another one."""

import time

import numpy as np
import pytest
from numba.core import event

from cinc_ref.errors import CheckpointError, OptionError
from cinc_ref.flows import build
from cinc_ref.kernels import _jit
from cinc_ref.training import train
from cinc_ref.training.folder import Folder
from tests.support.commands import assert_one_line_error, run

FLOW = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4, bins=4)
IMAGES = np.random.default_rng(0).binomial(3, 0.4, (30, 1, 4, 4))
OPTIONS = {"batch_size": 8, "evaluate_every": 2, "warmup": 2, "learning_rate": 0.01}
VECTORS = ("parameters", "average", "moments")


def fit(**options):
    return train(FLOW, IMAGES[:22], IMAGES[22:], **OPTIONS | options)


def state(folder):
    """Return the arrays of a run's state."""
    with np.load(folder / "last.npz") as file:
        return {name: file[f"training/{name}"] for name in VECTORS}


def assert_same_state(first, second):
    first, second = state(first), state(second)
    for name in VECTORS:
        np.testing.assert_array_equal(first[name], second[name])


def stop_after(count):
    def report(state):
        if state["step"] == count:
            raise KeyboardInterrupt

    return report


# ---- compilation -------------------------------------------------------------------------------


class Dispatcher:
    py_func = staticmethod(train)


def pretend_to_compile(seconds, dispatcher=Dispatcher):
    """Broadcast that a function of cinc_ref is compiled, which takes so long."""
    data = {"dispatcher": dispatcher, "args": (), "return_type": None}
    with event.trigger_event("numba:compile", data=data):
        time.sleep(seconds)


def test_seconds_exclude_compilation():
    result = fit(steps=3, progress=lambda report: pretend_to_compile(0.4))
    assert result.seconds < 1.0  # of 1.2 seconds of compilation
    assert result.history[-1]["seconds"] < 1.0


def test_a_budget_of_minutes_is_not_spent_by_compilation():
    result = fit(minutes=1 / 60, steps=3, progress=lambda report: pretend_to_compile(0.6))
    assert result.reason == "steps"


def test_the_time_of_other_functions_and_of_nested_ones_is_right():
    clock = _jit.time.monotonic
    foreign = type("Foreign", (), {"py_func": staticmethod(np.linalg.norm)})
    before = clock() - _jit.without_compilation(clock)
    pretend_to_compile(0.2, foreign)
    assert clock() - _jit.without_compilation(clock) == pytest.approx(before, abs=0.1)
    data = {"dispatcher": Dispatcher, "args": (), "return_type": None}
    started = clock()
    with event.trigger_event("numba:compile", data=data):
        stopped = _jit.without_compilation(clock)
        pretend_to_compile(0.2)  # one function calls for another
        assert _jit.without_compilation(clock) == stopped
    spent = clock() - started  # no part of it counts twice
    assert 0.2 <= clock() - _jit.without_compilation(clock) - before < spent + 0.1


# ---- another budget ----------------------------------------------------------------------------


@pytest.mark.parametrize("first", [2, 4, 5])
def test_a_prolonged_run_with_a_constant_rate_is_that_of_the_whole(tmp_path, first):
    options = {"schedule": "constant", "polyak": 0.9, "dropout": 0.3}
    whole = fit(steps=8, out=tmp_path / "whole", **options)
    fit(steps=first, out=tmp_path / "parts", **options)
    prolonged = fit(steps=8, resume=True, out=tmp_path / "parts", **options)
    assert prolonged.step == whole.step == 8
    assert_same_state(tmp_path / "whole", tmp_path / "parts")
    rows = {row["step"]: row["validation"] for row in prolonged.history}
    assert rows.items() >= {row["step"]: row["validation"] for row in whole.history}.items()
    if first % OPTIONS["evaluate_every"] == 0:  # then there is no evaluation out of turn
        assert rows.keys() == {row["step"] for row in whole.history}


def test_a_run_that_is_shortened_with_a_constant_rate_is_that_of_the_shorter(tmp_path):
    fit(steps=6, out=tmp_path / "short", schedule="constant")
    with pytest.raises(KeyboardInterrupt):
        fit(
            steps=20_000, out=tmp_path / "long", schedule="constant", save_every=0,
            progress=stop_after(3),
        )  # fmt: skip
    result = fit(steps=6, resume=True, out=tmp_path / "long", schedule="constant")
    assert result.reason == "steps" and result.step == 6
    assert_same_state(tmp_path / "short", tmp_path / "long")


def test_the_cosine_continues_with_the_rates_of_the_new_budget(tmp_path):
    first = fit(steps=4, out=tmp_path)
    assert first.history[-1]["learning_rate"] == pytest.approx(0, abs=1e-12)
    second = fit(steps=8, resume=True, out=tmp_path)
    whole = {row["step"]: row["learning_rate"] for row in fit(steps=8).history}
    rates = {row["step"]: row["learning_rate"] for row in second.history}
    assert rates[6] == whole[6] and rates[8] == whole[8]
    assert rates[2] != whole[2]  # of the former budget


def test_fewer_steps_than_are_done_end_the_run_where_it_is(tmp_path):
    fit(steps=4, out=tmp_path)
    result = fit(steps=2, resume=True, out=tmp_path)
    assert (result.reason, result.step) == ("steps", 4)


def test_without_a_budget_a_resumed_run_has_its_own(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(steps=6, out=tmp_path, save_every=0, progress=stop_after(3))
    assert Folder(tmp_path).budget() == {"minutes": None, "steps": 6}
    assert fit(resume=True, out=tmp_path).step == 6


def test_minutes_may_become_steps_and_steps_minutes(tmp_path):
    fit(minutes=60, steps=2, out=tmp_path)
    assert fit(steps=3, resume=True, out=tmp_path).step == 3
    assert Folder(tmp_path).budget() == {"minutes": None, "steps": 3}
    result = fit(minutes=1e-9, resume=True, out=tmp_path)
    assert (result.reason, result.step) == ("minutes", 3)


@pytest.mark.parametrize(
    "options", [{"seed": 1}, {"batch_size": 4}, {"schedule": "constant"}, {"evaluate_every": 3}]
)
def test_other_options_are_still_refused(tmp_path, options):
    fit(steps=2, out=tmp_path)
    with pytest.raises(OptionError, match=f"was trained with {next(iter(options))}"):
        fit(steps=4, resume=True, out=tmp_path, **options)
    assert Folder(tmp_path).budget()["steps"] == 2


def test_a_missing_budget_needs_a_run(tmp_path):
    with pytest.raises(OptionError, match="minutes or steps"):
        fit(out=tmp_path)
    with pytest.raises(CheckpointError, match="holds no run to resume"):
        fit(out=tmp_path, resume=True)


COMMAND = ("train", "--coupling", "affine", "--levels", 1, "--depth", 1, "--width", 4)


def test_the_command_prolongs_and_says_so(capsys, tmp_path):
    command = (*COMMAND, "--out", tmp_path)
    assert run(capsys, *command, "--steps", 1)[0] == 0
    code, out, _ = run(capsys, *command, "--resume", "--steps", 3)
    assert code == 0 and "Finished 3 steps." in out
    assert "The budget was 1 steps, and is 3 steps from the start of the run." in out
    assert "learning rate" in out
    code, out, _ = run(capsys, *command, "--resume")
    assert code == 0 and "Finished 3 steps." in out and "budget" not in out
    code, _, err = run(capsys, *command, "--resume", "--steps", 3, "--seed", 5)
    assert code == 1 and "seed" in err
    assert_one_line_error(err)
