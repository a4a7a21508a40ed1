"""Checkpoints: what was saved comes back, and everything else is refused in one sentence."""

import io
import json
import os
import re
import tracemalloc
import zipfile

import numpy as np
import pytest

from cinc_ref._trees import named_leaves, rebuild
from cinc_ref.errors import CheckpointError, OutputError, ParamsError
from cinc_ref.flows import DIRECTIONS, SYSTEMS, build
from cinc_ref.training import load, npz_file, save
from cinc_ref.training.flat_params import FlatParams

FLOW = build("cinc", "affine", (1, 2, 2), levels=1, depth=1, width=2, bins=4)


def make_params(dtype, flow=FLOW):
    rng = np.random.default_rng(0)
    batch = rng.uniform(-0.5, 0.5, (4, *flow.image_shape)).astype(dtype)
    params = flow.init(rng, batch)
    flat = FlatParams.of(params)
    vector = flat.vector(params)
    return flat.params(vector + 0.1 * rng.normal(size=vector.shape).astype(dtype))


def leaves_equal(first, second):
    first, second = named_leaves(first), named_leaves(second)
    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype and np.array_equal(first[name], second[name])
        for name in first
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a good checkpoint."""
    path = tmp_path_factory.mktemp("good") / "model.npz"
    save(path, FLOW, make_params(np.float32))
    return path.read_bytes()


def arrays_of(content):
    with np.load(io.BytesIO(content)) as file:
        return dict(file)


def rewrite(path, content, arrays=(), header=(), drop=()):
    """A checkpoint with some arrays or header entries changed, and all checksums right."""
    changed = arrays_of(content)
    head = json.loads(changed["header"].tobytes()) | dict(header)
    changed["header"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    changed |= dict(arrays)
    np.savez(path, **{name: array for name, array in changed.items() if name not in drop})


def refused(path):
    """The message with which a file is refused: one line that names the file."""
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


# ---- what was saved comes back -----------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("coupling", ["additive", "quad"])
def test_flow_and_parameters_come_back_bit_for_bit(path, coupling, dtype):
    flow = build("cinc", coupling, (2, 4, 4), levels=2, depth=2, width=3, corner_block="plu")
    params = make_params(dtype, flow)
    save(path, flow, params)
    loaded_flow, loaded = load(path)
    assert loaded_flow == flow
    assert leaves_equal(loaded, params)
    x = np.random.default_rng(1).uniform(-0.5, 0.5, (3, 2, 4, 4)).astype(dtype)
    assert np.array_equal(flow.log_prob(params, x), loaded_flow.log_prob(loaded, x))


def test_loaded_parameters_can_be_changed(path):
    save(path, FLOW, make_params(np.float32))
    for leaf in named_leaves(load(path)[1]).values():
        leaf += 1


def test_numpy_alone_can_read_the_file(content):
    """No pickle, readable names, the configuration as JSON."""
    arrays = arrays_of(content)
    header = json.loads(arrays["header"].tobytes())
    assert header["format"] == "cinc_ref checkpoint" and header["version"] == 1
    assert build(**header["config"]) == FLOW
    assert arrays["params/levels/0/1/1/taps"].shape == (4, 4, 8)


def test_order_and_byte_order_of_memory_do_not_matter(path):
    params = make_params(np.float64)
    swapped = {name: leaf.astype(">f8", order="F") for name, leaf in named_leaves(params).items()}
    save(path, FLOW, rebuild(params, iter(swapped.values())))
    assert leaves_equal(load(path)[1], params)


def test_the_same_model_gives_the_same_bytes(path, content):
    save(path, FLOW, make_params(np.float32))
    assert path.read_bytes() == content


# ---- damaged files -----------------------------------------------------------------------------


def test_every_truncation_is_refused(path, content, interpreted):
    lengths = range(0, len(content), 97 if interpreted else 11)
    for length in [*lengths, len(content) - 1]:
        path.write_bytes(content[:length])
        refused(path)


def test_a_flipped_bit_is_refused_or_changes_nothing(path, content, interpreted):
    """Bits that nobody reads, such as time stamps in the archive, may flip."""
    expected = make_params(np.float32)
    harmless = 0
    positions = range(0, len(content), 131 if interpreted else 7)
    for position in positions:
        flipped = bytearray(content)
        flipped[position] ^= 1 << (position % 8)
        path.write_bytes(flipped)
        try:
            flow, params = load(path)
        except CheckpointError as error:
            assert "\n" not in str(error)
        else:
            assert flow == FLOW and leaves_equal(params, expected)
            harmless += 1
    assert harmless < len(positions) / 2


def test_every_byte_of_every_array_is_under_a_checksum(path, content):
    weight = arrays_of(content)["params/levels/0/1/2/0/second/weight"].tobytes()
    start = content.index(weight)
    for position in range(start, start + len(weight)):
        flipped = bytearray(content)
        flipped[position] ^= 1
        path.write_bytes(flipped)
        refused(path)


# ---- foreign files -----------------------------------------------------------------------------


@pytest.mark.parametrize("foreign", [b"", b"Hello.\n" * 100, b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_other_files_are_refused(path, foreign):
    path.write_bytes(foreign)
    assert "no checkpoint of cinc_ref" in refused(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    assert "is missing" in refused(tmp_path / "none.npz")
    assert "is a folder" in refused(tmp_path)


def test_a_file_that_may_not_be_read_is_refused(path, content, monkeypatch):
    def forbidden(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    path.write_bytes(content)
    monkeypatch.setattr(zipfile, "ZipFile", forbidden)
    assert "cannot read" in refused(path)


def test_an_npz_of_somebody_else_is_refused(path):
    np.savez(path, weight=np.zeros((2, 2)))
    assert "no header" in refused(path)
    np.savez(path, header=np.frombuffer(b'{"config": 1}', np.uint8))
    assert "not ours" in refused(path)
    np.savez(path, header=np.frombuffer(b"[" * 100_000, np.uint8))
    refused(path)


def test_pickles_are_not_opened(path, content):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(path) + ".exploded",)

    bomb = np.array([Bomb()], dtype=object)
    rewrite(path, content, arrays={"params/top/mean": bomb})
    refused(path)
    assert not os.path.exists(str(path) + ".exploded")


def test_a_newer_format_asks_for_an_update(path, content):
    rewrite(path, content, header={"version": 2})
    assert "update cinc_ref" in refused(path)


# ---- arrays and configuration that do not fit --------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arrays": {"params/top/mean": np.zeros((2, 2), np.float32)}}, "top/mean must have shape"),
        ({"drop": ["params/top/mean"]}, r"top/mean of shape .* is missing"),
        ({"drop": ["params/levels/0/1/0/bias"]}, "is missing"),
        ({"arrays": {"params/top/extra": np.zeros(2, np.float32)}}, "top/extra is unknown"),
        ({"arrays": {"params/top/mean": np.zeros((4, 1, 1))}}, "some float64"),
        ({"arrays": {"params/top/mean": np.zeros((4, 1, 1), np.int32)}}, "float32 or float64"),
        ({"arrays": {"params/top/mean": np.zeros((4, 1, 1), ">f4")}}, "float32 or float64"),
        ({"header": {"config": {**FLOW.config(), "depth": 2}}}, "is missing"),
        ({"header": {"config": {**FLOW.config(), "coupling": "cubic"}}}, "coupling must be one"),
        ({"header": {"config": {**FLOW.config(), "shape": 1}}}, "unexpected keyword"),
        ({"header": {"config": None}}, "damaged"),
        ({"header": {"config": {}}}, "levels"),
    ],
)
def test_arrays_that_do_not_fit_the_configuration_are_refused(path, content, changes, message):
    rewrite(path, content, **changes)
    assert re.search(message, refused(path))


@pytest.mark.parametrize(
    "config",
    [
        {"width": 10**9},
        {"depth": 10**12},
        {"levels": 10**6},
        {"levels": 0},
        {"levels": -3},
        {"width": -(10**6)},
        {"image_shape": [1, 2**40, 2**40]},
        {"image_shape": [2**20, 2, 2]},
        {"image_shape": 7},
        {"width": "wide"},
    ],
)
def test_a_configuration_cannot_ask_for_more_memory_than_the_file_justifies(path, content, config):
    rewrite(path, content, header={"config": {**FLOW.config(), **config}})
    assert peak_memory(lambda: refused(path)) < 50e6


def test_the_header_of_an_array_cannot_ask_for_terabytes(path, content):
    crafted = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (4, 10**12)}
    np.lib.format.write_array_header_1_0(crafted, header)
    replace_member(path, content, "params/top/mean.npy", crafted.getvalue())
    assert peak_memory(lambda: refused(path)) < 50e6
    # nor may it make a configuration look plausible that asks for gigabytes
    rewrite(path, content, header={"config": {**FLOW.config(), "width": 20_000}})
    replace_member(path, path.read_bytes(), "params/top/mean.npy", crafted.getvalue())
    assert peak_memory(lambda: refused(path)) < 50e6


def test_compressed_arrays_are_refused(path, content):
    """A megabyte of zeros compresses to a kilobyte; ours are never compressed."""
    np.savez_compressed(path, **arrays_of(content))
    refused(path)


def test_an_archive_cannot_hold_more_than_its_size(path, content):
    bomb = np.zeros(10**6, np.float32)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("header.npy", "w") as file:
            np.lib.format.write_array(file, bomb)
    assert "larger than the file" in refused(path)


def test_two_arrays_of_one_name_are_refused(path, content):
    path.write_bytes(content)
    with pytest.warns(UserWarning), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("header.npy", b"")
    assert "same name" in refused(path)


def replace_member(path, content, name, data):
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            new.writestr(member, data if member == name else old.read(member))


def peak_memory(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# ---- writing -----------------------------------------------------------------------------------


def test_parameters_of_another_flow_are_not_saved(path):
    params = make_params(np.float32)
    wider = build(**{**FLOW.config(), "width": 3})
    with pytest.raises(ParamsError, match=r"params must fit this flow: .*\(3, 2, 3, 3\)"):
        save(path, wider, params)
    mixed = {**params, "top": make_params(np.float64)["top"]}
    with pytest.raises(
        ParamsError, match=r"top/mean must have the dtype of .*, float32; got float64"
    ):
        save(path, FLOW, mixed)
    with pytest.raises(ParamsError, match="top/mean must be float32 or float64; got int64"):
        save(path, FLOW, {**params, "top": {"mean": np.zeros(4, int), "log_std": np.zeros(4)}})
    assert not path.exists()


@pytest.mark.parametrize("failing", ["replace", "fsync"])
def test_a_failed_write_leaves_the_former_file_and_nothing_else(
    path, content, failing, monkeypatch
):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    path.write_bytes(content)
    monkeypatch.setattr(os, failing, full)
    with pytest.raises(OutputError, match=r"cannot write .*model\.npz: No space left on device"):
        save(path, FLOW, make_params(np.float64))
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["model.npz"]


def test_a_place_that_cannot_be_written_is_an_output_error(path, tmp_path):
    for place in (tmp_path, tmp_path / "none" / "model.npz"):
        with pytest.raises(OutputError, match="cannot write"):
            save(place, FLOW, make_params(np.float32))
    assert os.listdir(tmp_path) == []


def test_the_file_is_on_the_disk_before_it_has_its_name(path, monkeypatch):
    events = []
    real_fsync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (events.append("fsync"), real_fsync(file)))
    monkeypatch.setattr(os, "replace", lambda *a: (events.append("replace"), real_replace(*a)))
    save(path, FLOW, make_params(np.float32))
    assert events == ["fsync", "replace", "fsync"]  # the last one of the folder


def test_a_link_stays_a_link(path, tmp_path):
    target = tmp_path / "target.npz"
    target.write_bytes(b"")
    path.symlink_to(target)
    save(path, FLOW, make_params(np.float32))
    assert path.is_symlink() and load(target)[0] == FLOW


def test_non_finite_values_never_enter_the_header(path):
    with pytest.raises(ValueError):
        npz_file.write(path, {"kind": "model", "value": float("nan")}, {})
    assert not path.exists()


def test_parameters_that_are_not_finite_are_refused(path, content):
    name, array = next(
        (name, array) for name, array in arrays_of(content).items() if name.endswith("bias")
    )
    rewrite(path, content, {name: np.full_like(array, np.nan)})
    assert f"{name.removeprefix('params/')} are not finite" in refused(path)


@pytest.mark.parametrize("stable", [False, True])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_shapes_are_known_without_images_of_full_size(system, direction, stable):
    sizes = {"levels": 2, "depth": 2, "width": 3, "dilation": 1}
    flow = build(system, "quad", (2, 16, 8), **sizes, stable=stable, direction=direction)
    rng = np.random.default_rng(0)
    params = flow.init(rng, rng.uniform(-0.5, 0.5, (2, 2, 16, 8)))
    shapes = {name: leaf.shape for name, leaf in named_leaves(params).items()}
    assert flow.template.shapes == shapes
