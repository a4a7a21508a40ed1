"""Timing on one core: what is timed, how often, and that everything is restored afterwards."""

import os
import time

import pytest
from threadpoolctl import ThreadpoolController

import cinc_ref._blas
from cinc_ref.errors import CincError, OptionError
from cinc_ref.timing import OneCore, Timing, measure, measure_in_turn, one_core

CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None  # before any test
pins = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot pin processes here")


def blas_threads():
    return [p["num_threads"] for p in ThreadpoolController().info() if p["user_api"] == "blas"]


def test_median_and_minimum():
    timing = Timing((3.0, 1.0, 2.0, 10.0), OneCore(0, ()))
    assert timing.median == 2.5
    assert timing.minimum == 1.0


def test_a_ratio_compares_within_turns():
    """The machine is slow in two turns of three; the short function is called more often in one."""
    short = Timing((1.0,) * 20 + (10.0,) * 4, OneCore(0, ()), (1.0, 10.0, 10.0))
    long = Timing((100.0, 1000.0, 1000.0), OneCore(0, ()), (100.0, 1000.0, 1000.0))
    assert long.over(short) == 100
    assert long.median / short.median == 1000


def test_turns_are_the_medians_of_what_was_called_in_them():
    timing = measure_in_turn({"": lambda: None}, repeat=3, turn=0.001)[""]
    assert len(timing.turns) == 3 < len(timing.seconds)
    assert timing.minimum <= min(timing.turns) and max(timing.turns) <= max(timing.seconds)


def test_warm_up_calls_are_not_timed():
    calls = []
    timing = measure(lambda: calls.append(1), repeat=3, warm_up=2)
    assert len(calls) == 5
    assert len(timing.seconds) == 3
    assert all(seconds >= 0 for seconds in timing.seconds)


@pins
def test_one_core_and_one_thread_inside_and_as_before_after_it():
    threads = blas_threads()
    seen = []
    timing = measure(lambda: seen.append((os.sched_getaffinity(0), blas_threads())), repeat=1)
    assert timing.conditions.core in CORES
    inside_cores, inside_threads = seen[-1]
    assert inside_cores == {timing.conditions.core}
    assert set(inside_threads) <= {1}
    assert len(timing.conditions.blas) == len(inside_threads)
    assert os.sched_getaffinity(0) == CORES
    assert blas_threads() == threads


@pins
def test_an_error_restores_too():
    with pytest.raises(ZeroDivisionError), one_core():
        _ = 1 / 0
    assert os.sched_getaffinity(0) == CORES


def test_a_system_that_cannot_pin_processes(monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    with one_core() as conditions:
        assert conditions.core is None
    assert "not pinned" in str(conditions)
    assert "core 3" in str(OneCore(3, ()))


def test_a_library_that_keeps_its_threads_is_named(monkeypatch):
    class Stubborn(ThreadpoolController):
        def info(self):
            return [{"user_api": "blas", "num_threads": 4, "filepath": "libstubborn.so"}]

    monkeypatch.setattr(cinc_ref._blas, "ThreadpoolController", Stubborn)
    with pytest.raises(CincError, match=r"libstubborn\.so.*uses 4"):
        measure(lambda: None)


@pytest.mark.parametrize("options", [{"repeat": 0}, {"repeat": 1.5}, {"warm_up": -1}])
def test_nonsense_numbers_are_refused(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        measure(lambda: None, **options)


def test_functions_take_turns():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "AB"}
    found = measure_in_turn(functions, repeat=3, warm_up=0)
    assert "".join(calls) == "ABABAB"
    assert [len(timing.seconds) for timing in found.values()] == [3, 3]


def test_a_turn_lasts_as_long_as_its_option():
    functions = {"quick": lambda: None, "slow": lambda: time.sleep(0.02)}
    found = measure_in_turn(functions, repeat=2, warm_up=1, turn=0.01)
    assert len(found["slow"].seconds) == 2
    assert len(found["quick"].seconds) > 20
