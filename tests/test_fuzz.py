"""The fuzz harness: it reports what it should, and a short run over all readers reports nothing."""

import os
import random
import time
from pathlib import Path

import numpy as np
import pytest

from cinc_ref.errors import CheckpointError, DataError
from tests.support import formats
from tools import fuzz

CORPUS = Path(__file__).parent / "data" / "fuzz"
INPUTS = 2000


@pytest.fixture(scope="module")
def watch():
    return fuzz.Watch()


def _fail(kind):
    raise kind("of a library")


def _wrapped():
    try:
        raise MemoryError
    except MemoryError as error:
        raise DataError("it is damaged") from error


def _loop():
    end = time.process_time() + fuzz.SECONDS + 0.1
    while time.process_time() < end:
        pass


WRONG = {
    "foreign": (lambda path: _fail(IndexError), "IndexError"),
    "recursion": (lambda path: _fail(RecursionError), "RecursionError"),
    "exit": (lambda path: _fail(SystemExit), "SystemExit"),
    "memory error": (lambda path: _wrapped(), "out of memory"),
    "lines": (lambda path: _fail(lambda _: DataError("one\ntwo")), "several lines"),
    "slow": (lambda path: _loop(), "slow"),
    "large": (lambda path: np.ones(fuzz.GROWTH // 8 + 2**24), "memory"),
    "write": (lambda path: path.with_name("other").write_text("x"), "to write"),
    "removal": (lambda path: path.unlink(), "os.remove"),
    "process": (lambda path: os.system("true"), "os.system"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_reported(tmp_path, watch, name):
    read, said = WRONG[name]
    path = tmp_path / "file"
    path.write_text("x")
    assert said in fuzz.try_input(read, path, watch)[0]


def test_what_is_right_is_not_reported(tmp_path, watch):
    assert fuzz.try_input(lambda path: None, tmp_path, watch) == (None, True)
    refusal = lambda path: _fail(lambda _: CheckpointError("it is damaged"))  # noqa: E731
    assert fuzz.try_input(refusal, tmp_path, watch) == (None, False)


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_every_seed_is_a_true_file(tmp_path, watch, target):
    for name, content in fuzz.seeds(target).items():
        alone = target in fuzz.ONE_AT_A_TIME
        fuzz._prepare(target, tmp_path, {name: content} if alone else fuzz.seeds(target))
        if name == "float.tif":  # its range is unknown
            continue
        assert fuzz.try_input(fuzz.TARGETS[target][0], tmp_path / name, watch) == (None, True), name


def test_inputs_depend_on_seed_and_number_alone():
    for target in ("array", "cifar10 archive", "load"):
        first, name = fuzz.make_input(target, 5, seed=3)
        random.seed(99)
        again, _ = fuzz.make_input(target, 5, seed=3)
        assert first == again and first[name] != fuzz.seeds(target)[name]
        assert fuzz.make_input(target, 5, seed=4)[0] != first


def test_a_short_run_reports_nothing(tmp_path):
    campaign = fuzz.Campaign(seed=2026, out=tmp_path / "out")
    campaign.run(range(INPUTS))
    assert not campaign.findings, campaign.findings[:5]
    totals = campaign.totals
    assert sum(totals.values()) == INPUTS
    for target in fuzz.TARGETS:  # the changes are neither too small nor too coarse
        assert totals[target, "refused"] > 50 and totals[target, "accepted"] > 0


def test_a_bit_of_a_model_is_refused_or_harmless(tmp_path):
    """`python -m tools.fuzz --flips` tries every bit; here it is every 97th."""
    content = formats.checkpoints()["model.npz"]
    assert not fuzz.flips(tmp_path / "model.npz", content, stride=97)


CASES = sorted(file for file in CORPUS.glob("*/*/*") if file.name != "finding.json")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parts[-3]} {case.parts[-2]}")
def test_files_that_were_reported_once_are_refused(tmp_path, watch, case):
    target = case.parts[-3]
    files = {} if target in fuzz.ONE_AT_A_TIME else fuzz.seeds(target)
    fuzz._prepare(target, tmp_path, {**files, case.name: case.read_bytes()})
    assert fuzz.try_input(fuzz.TARGETS[target][0], tmp_path / case.name, watch)[0] is None
