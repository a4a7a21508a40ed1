"""Options whose arrays do not fit into memory are refused in one sentence, before any are made."""

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import _validate, bench, bijections, flows, sampling, theory
from cinc_ref.errors import OptionError

LARGE = 10**6
KERNEL = np.array([[[[2.0, 1.0], [1.0, 3.0]]]])
SINGULAR = np.array([[[[2.0, 1.0], [1.0, 0.0]]]])
HALF_PLANE = np.array([[[[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]]])
GENERAL = theory.Convolution(np.array([[[[2, 1], [1, 3]]]]))
SIZE = (LARGE, LARGE)
ONE = np.zeros((1, 4, 4, 4))


def build(**options):
    shape = {"image_shape": (1, 4, 4), "levels": 1, "depth": 1, "width": 4}
    return flows.build("cinc", "affine", **shape | options)


@pytest.fixture(scope="module")
def model():
    flow = build()
    return flow, flow.init(0, np.zeros((2, 1, 4, 4), np.float32))


CALLS = {
    "condition_number": ("size", lambda _: theory.condition_number(KERNEL, SIZE)),
    "exact condition_number": (
        "size",
        lambda _: theory.condition_number(KERNEL.astype(int), (10**30, 10**30)),
    ),
    "dilated": ("size", lambda _: theory.condition_number(KERNEL, SIZE, dilation=2)),
    "half-plane": (
        "size",
        lambda _: theory.condition_number(HALF_PLANE, (9, 10**5), anchor=(1, 1)),
    ),
    "stability": ("size", lambda _: theory.stability(KERNEL, SIZE)),
    "explain": ("size", lambda _: theory.explain(KERNEL, SIZE)),
    "null_image": ("size", lambda _: theory.null_image(SINGULAR, SIZE)),
    "padded_matrix": ("size", lambda _: theory.padded_matrix(KERNEL, (1000, 1000), "same")),
    "matrix": ("size", lambda _: cr.convolution_matrix(KERNEL, SIZE, sparse=True)),
    "Convolution.matrix": (
        "the shape of the matrix",
        lambda _: GENERAL.matrix((1000, 1000)),
    ),
    "Convolution.sparse": ("size", lambda _: GENERAL.matrix(SIZE, sparse=True)),
    "Convolution.rank": ("size", lambda _: GENERAL.rank(SIZE)),
    "Convolution.determinant": ("size", lambda _: GENERAL.determinant(SIZE)),
    "Convolution.null_vectors": ("size", lambda _: GENERAL.null_vectors(SIZE)),
    "flow of a width": ("width", lambda _: build(width=10**9)),
    "flow of a depth": ("image_shape, levels, depth, width", lambda _: build(depth=10**9)),
    "flow of large images": ("image_shape", lambda _: build(image_shape=(1, LARGE, LARGE))),
    "flow of channels": (
        "image_shape, levels, depth, width",
        lambda _: build(image_shape=(LARGE, 4, 4)),
    ),
    "quad coupling": (
        "width",
        lambda _: bijections.QuadCoupling(width=10**9).init(0, ONE),
    ),
    "kernel": ("kernel_size", lambda _: bijections.InvertibleConv(LARGE)),
    "emerging kernel": ("kernel_size", lambda _: bijections.EmergingConv(LARGE + 1)),
    "sample": ("n", lambda model: model[0].sample(model[1], 0, 10**30)),
    "sampler": ("batch", lambda model: model[0].sampler(model[1], batch=10**12)),
    "draw": ("n", lambda model: model[0].sampler(model[1]).draw(0, 10**12)),
    "sampling.draw": ("count", lambda model: sampling.draw(*model, 10**12)),
    "sweep": ("n", lambda model: flows.temperature_sweep(*model, 0, 10**12, [1.0])),
    "interpolate": (
        "steps",
        lambda model: cr.interpolate(*model, *np.zeros((2, 1, 4, 4), np.float32), 10**12),
    ),
    "warm_up channels": ("channels", lambda _: cr.warm_up(channels=LARGE)),
    "warm_up batch": ("batch", lambda _: cr.warm_up(channels=3, batch=10**12)),
    "check": (
        "shape",
        lambda _: cr.testing.check(bijections.ActNorm(), shape=(LARGE, LARGE, 4)),
    ),
    "bench": (
        "channels, size, batch",
        lambda _: bench.convolution_group(LARGE, (8, 8), 1, "float32"),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_does_not_fit_into_memory_is_one_sentence(name, model, monkeypatch):
    monkeypatch.setattr(_validate, "memory", lambda: 2**33)
    option, call = CALLS[name]
    with pytest.raises(OptionError) as raised:
        call(model)
    message = str(raised.value)
    assert message.startswith(f"{option} must leave a")
    assert "; got " in message and "use " in message.rpartition(": ")[2]
    assert "\n" not in message


def test_the_limit_is_the_memory_of_the_machine(monkeypatch):
    monkeypatch.setattr(_validate, "memory", lambda: 2**30)
    _validate.check_memory("n", 3, 2**30, "use fewer")
    with pytest.raises(OptionError) as raised:
        _validate.check_memory("n", 3, 3 * 2**29, "use fewer")
    assert str(raised.value) == (
        "n must leave arrays that fit into memory, 1 GiB; got 3, which takes 1.5 GiB: use fewer"
    )


def test_numbers_beyond_all_floats_are_refused_as_well(monkeypatch):
    monkeypatch.setattr(_validate, "memory", lambda: 2**30)
    with pytest.raises(OptionError, match=r"which takes 9.3.*e.290 GiB: use fewer"):
        _validate.check_memory("n", 3, 10**400, "use fewer")


def test_nothing_is_refused_where_the_system_does_not_tell(monkeypatch):
    monkeypatch.delattr(_validate.os, "sysconf", raising=False)
    _validate.memory.cache_clear()
    try:
        assert _validate.memory() == float("inf")
        _validate.check_memory("n", 3, 10**400, "use fewer")
    finally:
        _validate.memory.cache_clear()


def test_the_machine_tells():
    assert 2**28 < _validate.memory()
