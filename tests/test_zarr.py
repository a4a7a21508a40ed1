"""Samples in a Zarr array: the bits of the NumPy file, kills, and what is there already."""

import os
import sys

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import streaming
from cinc_ref.errors import MissingExtraError, OptionError, OutputError
from cinc_ref.sampling import CHUNK
from cinc_ref.streaming import stream_samples
from tests.support.checkout import ROOT
from tests.support.commands import run
from tests.support.processes import run_code
from tests.support.streams import COUNT, interrupt, small_model, unfinished

zarr = pytest.importorskip("zarr", minversion="3", reason='pip install ".[stream]"')


@pytest.fixture(scope="module")
def model():
    return small_model()


def levels(path):
    return zarr.open_array(store=str(path), mode="r")


@pytest.mark.parametrize("count", [1, CHUNK, COUNT])
def test_the_array_holds_the_levels_of_the_file(model, tmp_path, count):
    for name in ("s.npy", "s.zarr"):
        stream_samples(tmp_path / name, *model, count, temperature=0.6, seed=5)
    array = levels(tmp_path / "s.zarr")
    assert array.metadata.zarr_format == 3
    assert array.chunks == (min(CHUNK, count), 1, 2, 2)
    assert np.array_equal(array[:], np.load(tmp_path / "s.npy"))
    assert array.dtype == np.uint8
    attributes = dict(array.attrs)
    assert (attributes["seed"], attributes["temperature"], attributes["count"]) == (5, 0.6, count)
    assert sorted(os.listdir(tmp_path)) == ["s.npy", "s.zarr"]


@pytest.mark.parametrize("damage", [None, "a chunk is cut", "a chunk is gone", "the metadata"])
def test_an_interrupted_array_is_continued(model, tmp_path, monkeypatch, damage):
    path = tmp_path / "s.zarr"
    interrupt(monkeypatch, path, model, 2)
    assert not path.exists()
    data = unfinished(path) / "data.zarr"
    chunk = data / "c/1/0/0/0"
    if damage == "a chunk is cut":
        chunk.write_bytes(chunk.read_bytes()[:-3])
    elif damage == "a chunk is gone":
        chunk.unlink()
    elif damage == "the metadata":
        (data / "zarr.json").write_bytes(b"{")
    result = stream_samples(path, *model, COUNT)
    again = {None: 0, "the metadata": 2}.get(damage, 1)
    assert result.drawn == COUNT - 2 * CHUNK + again * CHUNK
    stream_samples(tmp_path / "s.npy", *model, COUNT)
    assert np.array_equal(levels(path)[:], np.load(tmp_path / "s.npy"))
    assert sorted(os.listdir(tmp_path)) == ["s.npy", "s.zarr"]


def test_another_seed_is_refused(model, tmp_path, monkeypatch):
    interrupt(monkeypatch, tmp_path / "s.zarr", model)
    with pytest.raises(OptionError, match="begun with seed 0; got 1"):
        stream_samples(tmp_path / "s.zarr", *model, COUNT, seed=1)


@pytest.mark.parametrize("kind", ["array", "folder", "file", "dangling link"])
def test_what_is_there_is_not_replaced(model, tmp_path, kind):
    path = tmp_path / "s.zarr"
    if kind == "array":
        stream_samples(path, *model, 3)
    elif kind == "folder":
        path.mkdir()
    elif kind == "file":
        path.touch()
    else:
        path.symlink_to("nowhere")
    with pytest.raises(OutputError, match=r"s\.zarr is there already: delete it"):
        stream_samples(path, *model, 3, seed=1)
    assert os.listdir(tmp_path) == ["s.zarr"]


def test_what_appears_meanwhile_is_not_replaced(model, tmp_path, monkeypatch):
    path, draw = tmp_path / "s.zarr", streaming.draw_levels

    def meanwhile(chunk, model):
        path.mkdir(exist_ok=True)
        (path / "other").touch()
        return draw(chunk, model)

    with monkeypatch.context() as patch:
        patch.setattr(streaming, "draw_levels", meanwhile)
        with pytest.raises(OutputError, match=r"cannot write .*s\.zarr"):
            stream_samples(path, *model, COUNT)
    assert os.listdir(path) == ["other"]
    (path / "other").unlink()
    path.rmdir()
    assert stream_samples(path, *model, COUNT).drawn == 0


def test_the_command_writes_an_array(model, tmp_path, capsys):
    cr.save(tmp_path / "model.npz", *model)
    path = tmp_path / "s.zarr"
    code, out, err = run(capsys, "sample", tmp_path / "model.npz", "-n", 7, "--out", path)
    assert (code, err) == (0, "")
    assert f"wrote {path}: 7 images" in out
    assert levels(path).shape == (7, 1, 2, 2)


def test_without_zarr_the_extra_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(
        MissingExtraError, match=r'zarr is not installed; pip install ".\[stream\]"'
    ):
        stream_samples(tmp_path / "s.zarr", *model, 3)
    assert os.listdir(tmp_path) == []


def test_the_package_loads_without_zarr_and_dask():
    code = "import sys, cinc_ref.streaming, cinc_ref.cli; print({'zarr', 'dask'} & {*sys.modules})"
    result = run_code(code, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert result.stdout.strip() == "set()"
