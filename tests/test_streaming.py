"""Samples in any number: memory, seeds of chunks, kills, full disks, and two processes at once."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import _progress, sampling, streaming
from cinc_ref._chunk_stores import NpyStore
from cinc_ref.errors import CheckpointError, NonFiniteError, OptionError, OutputError
from cinc_ref.flows import quantize
from cinc_ref.sampling import CHUNK, draw
from cinc_ref.streaming import stream_samples
from tests.support.checkout import ROOT
from tests.support.commands import assert_one_line_error, run
from tests.support.processes import assert_ended, run_code
from tests.support.streams import (
    COUNT,
    chunks_in,
    interrupt,
    small_model,
    stop_after,
    unfinished,
)


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def undisturbed(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("undisturbed") / "s.npy"
    stream_samples(path, *model, COUNT)
    return path.read_bytes()


@pytest.fixture
def file(model, tmp_path):
    cr.save(tmp_path / "model.npz", *model)
    return tmp_path / "model.npz"


# ---- the images ----------------------------------------------------------------------------------


def test_each_chunk_has_a_generator_of_its_own(model, undisturbed, tmp_path):
    flow, params = model
    sequences = [np.random.SeedSequence(0)]
    sequences += [np.random.SeedSequence(0, spawn_key=(k,)) for k in (1, 2)]
    sizes = (CHUNK, CHUNK, 300)
    expected = np.concatenate(
        [
            quantize(flow.sample(params, np.random.default_rng(sequence), size, 0.8), 17)
            for sequence, size in zip(sequences, sizes, strict=True)
        ]
    )
    np.save(tmp_path / "expected.npy", expected)
    assert (tmp_path / "expected.npy").read_bytes() == undisturbed
    assert len(np.unique(expected.reshape(COUNT, -1), axis=0)) > 0.9 * COUNT


@pytest.mark.parametrize("count", [1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_memory_and_disk_give_the_same_images(model, tmp_path, count):
    result = stream_samples(tmp_path / "s.npy", *model, count, temperature=0.6, seed=5)
    samples = draw(*model, count, temperature=0.6, seed=5)
    assert np.array_equal(np.load(result.path), samples.images)
    assert (result.count, result.drawn) == (count, count)
    assert os.listdir(tmp_path) == ["s.npy"]


def test_many_levels_are_16_bits(tmp_path):
    flow = cr.flows.build("cinc", "affine", (1, 2, 2), levels=1, depth=1, width=2, bins=300)
    params = flow.init(0, np.random.default_rng(0).uniform(-0.5, 0.5, (8, 1, 2, 2)))
    stream_samples(tmp_path / "s.npy", flow, params, 3)
    assert np.load(tmp_path / "s.npy").dtype == np.uint16


def test_a_link_stays_a_link(model, tmp_path):
    (tmp_path / "real.npy").write_bytes(b"former")
    (tmp_path / "real.npy").chmod(0o600)
    (tmp_path / "s.npy").symlink_to("real.npy")
    stream_samples(tmp_path / "s.npy", *model, 3)
    assert (tmp_path / "s.npy").is_symlink() and len(np.load(tmp_path / "real.npy")) == 3
    assert (tmp_path / "real.npy").stat().st_mode & 0o777 == 0o600


# ---- runs that are stopped -----------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [1, 2])
def test_an_interrupted_run_is_continued(model, undisturbed, tmp_path, monkeypatch, chunks):
    path = tmp_path / "s.npy"
    path.write_bytes(b"former")
    interrupt(monkeypatch, path, model, chunks)
    assert path.read_bytes() == b"former"
    result = stream_samples(path, *model, COUNT)
    assert result.drawn == COUNT - chunks * CHUNK
    assert path.read_bytes() == undisturbed
    assert os.listdir(tmp_path) == ["s.npy"]


def test_nothing_stays_of_a_run_that_drew_nothing(model, tmp_path, monkeypatch):
    interrupt(monkeypatch, tmp_path / "s.npy", model, 0)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("damage", ["data", "header", "size", "record", "no settings", "no data"])
def test_what_is_damaged_is_drawn_again(model, undisturbed, tmp_path, monkeypatch, damage):
    path = tmp_path / "s.npy"
    interrupt(monkeypatch, path, model, 2)
    folder = unfinished(path)
    content = bytearray((folder / "data.npy").read_bytes())
    if damage == "data":
        content[-300 * 4 - 5] ^= 1  # in the second chunk
    elif damage == "header":
        content[20] ^= 1
    elif damage == "size":
        del content[-1]
    (folder / "data.npy").write_bytes(content)
    if damage == "record":  # its second line was cut by the kill
        record = (folder / "chunks.txt").read_text()
        (folder / "chunks.txt").write_text(record[:-4])
    elif damage == "no settings":
        (folder / "run.json").unlink()
    elif damage == "no data":
        (folder / "data.npy").unlink()
    result = stream_samples(path, *model, COUNT)
    remains = CHUNK if damage in ("data", "record") else 0
    assert result.drawn == COUNT - remains
    assert path.read_bytes() == undisturbed


OTHERS = {
    "count": {"count": COUNT + 1},
    "seed": {"seed": 1},
    "temperature": {"temperature": 0.7},
    "model": {},
    "chunk": {},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_run_with_another_option_is_refused(
    model, undisturbed, file, tmp_path, monkeypatch, capsys, name
):
    path = tmp_path / "s.npy"
    interrupt(monkeypatch, path, model)
    before = {entry.name: entry.read_bytes() for entry in unfinished(path).iterdir()}
    flow, params = model
    options = {"count": COUNT} | OTHERS[name]
    with monkeypatch.context() as patch:
        if name == "model":
            top = {**params["top"], "mean": np.nextafter(params["top"]["mean"], np.float32(9))}
            params = params | {"top": top}
        elif name == "chunk":
            patch.setattr(streaming, "CHUNK", 7)
        with pytest.raises(OptionError, match=rf"begun with {name} .*; got .*: repeat .* delete"):
            stream_samples(path, flow, params, **options)
    assert {entry.name: entry.read_bytes() for entry in unfinished(path).iterdir()} == before
    if "seed" in options:
        code, _, err = run(capsys, "sample", file, "-n", COUNT, "--seed", 1, "--out", path)
        assert code == 2
        assert_one_line_error(err)
    stream_samples(path, *model, COUNT)
    assert path.read_bytes() == undisturbed


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"schema": "cinc_ref/samples/2"}'])
def test_settings_that_cannot_be_read_are_one_sentence(model, tmp_path, monkeypatch, content):
    path = tmp_path / "s.npy"
    interrupt(monkeypatch, path, model)
    (unfinished(path) / "run.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"run\.json"):
        stream_samples(path, *model, COUNT)
    assert (unfinished(path) / "data.npy").exists()


def test_lost_images_leave_nothing(model, tmp_path, monkeypatch):
    stop_after(monkeypatch, 1, NonFiniteError("samples must be finite"))
    with pytest.raises(NonFiniteError):
        stream_samples(tmp_path / "s.npy", *model, COUNT)
    assert os.listdir(tmp_path) == []


def test_warnings_come_once(model, tmp_path, monkeypatch):
    def warned(*arguments, **options):
        samples, _ = real(*arguments, **options)
        return samples, [cr.errors.IllConditionedWarning("few digits")]

    real = sampling.draw_chunk
    monkeypatch.setattr(streaming, "draw_chunk", warned)
    with pytest.warns(cr.errors.IllConditionedWarning, match="few digits") as caught:
        stream_samples(tmp_path / "s.npy", *model, COUNT)
    assert len(caught) == 1


# ---- other processes -----------------------------------------------------------------------------

SLOW = """
    import sys, time
    from cinc_ref import streaming
    from cinc_ref.__main__ import main
    real = streaming.draw_levels
    def slow(chunk, model):
        time.sleep(0.1)
        return real(chunk, model)
    streaming.draw_levels = slow
    main(sys.argv[1:])
"""
"""A command that waits before each chunk."""


def start(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", textwrap.dedent(SLOW), *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_chunks(process, path, count):
    deadline = time.monotonic() + 60
    while chunks_in(path) < count:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number, code", [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_command_and_the_same_command_continues(
    file, model, tmp_path, capsys, number, code
):
    path, count = tmp_path / "s.npy", 30 * CHUNK
    process = start("sample", file, "-n", count, "--seed", 2, "--out", path)
    wait_for_chunks(process, path, 2)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert_ended(process.returncode, code, out, err)
    assert ("repeat the command" in out) == (number == signal.SIGTERM)
    assert not path.exists()
    written = chunks_in(path)
    assert 2 <= written < 30
    code, out, err = run(capsys, "sample", file, "-n", count, "--seed", 2, "--out", path)
    assert (code, err) == (0, "")
    drawn = int(re.search(r"([\d,]+) of them drawn", out).group(1).replace(",", ""))
    assert 0 < drawn <= count - written * CHUNK
    stream_samples(tmp_path / "t.npy", *model, count, seed=2)
    assert path.read_bytes() == (tmp_path / "t.npy").read_bytes()


def test_a_second_process_is_refused(file, model, tmp_path, capsys):
    path = tmp_path / "s.npy"
    process = start("sample", file, "-n", COUNT, "--out", path)
    try:
        wait_for_chunks(process, path, 1)
        code, out, err = run(capsys, "sample", file, "-n", COUNT, "--out", path)
        assert (code, out) == (1, "")
        assert_one_line_error(err)
        assert f"is in use by process {process.pid} on" in err
    finally:
        out, err = process.communicate(timeout=60)
    assert_ended(process.returncode, 0, out, err)
    assert len(np.load(path)) == COUNT


def test_memory_does_not_grow_with_the_number_of_images(file, tmp_path):
    """A chunk of floats has 16 kB; 300 of them would have 4.8 MB, and as many Python objects."""
    code = """
        import resource, sys
        from cinc_ref import load
        from cinc_ref.streaming import stream_samples
        flow, params = load(sys.argv[1])
        for count in (5_000, 200_000):
            stream_samples(sys.argv[2], flow, params, count)
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    pytest.importorskip("resource", reason="there is none on Windows")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = run_code(code, file, tmp_path / "s.npy", env=environment)
    few, many = map(int, result.stdout.split())
    assert many - few < 2_000  # kB


# ---- the disk, and the command line --------------------------------------------------------------


def test_a_full_disk_keeps_what_is_written(model, undisturbed, tmp_path, monkeypatch):
    def full(store, index, rows):
        if index:
            raise OSError(28, "No space left on device")
        write(store, index, rows)

    path, write = tmp_path / "s.npy", NpyStore.write
    with monkeypatch.context() as patch:
        patch.setattr(NpyStore, "write", full)
        with pytest.raises(OutputError, match=r"cannot write .*s\.npy: No space .*; make room"):
            stream_samples(path, *model, COUNT)
    assert stream_samples(path, *model, COUNT).drawn == COUNT - CHUNK
    assert path.read_bytes() == undisturbed


def test_the_settings_have_a_schema(model, tmp_path, monkeypatch):
    interrupt(monkeypatch, tmp_path / "s.npy", model)
    settings = json.loads((unfinished(tmp_path / "s.npy") / "run.json").read_text())
    assert next(iter(settings.items())) == ("schema", "cinc_ref/samples/1")
    assert settings["count"] == COUNT and settings["seed"] == 0


@pytest.mark.parametrize("name", ["s.png", "s.npz"])
def test_workers_write_no_pictures(capsys, file, tmp_path, name):
    code, _, err = run(capsys, "sample", file, "--dask", "tcp://x:1", "--out", tmp_path / name)
    assert code == 2
    assert_one_line_error(err)
    assert ".npy, .zarr" in err


def test_the_progress_tells_the_rate(model, tmp_path, monkeypatch):
    lines = []
    update = _progress.Progress.update
    monkeypatch.setattr(
        _progress.Progress,
        "update",
        lambda shown, *state: (update(shown, *state), lines.append(shown.line())),
    )
    stream_samples(tmp_path / "s.npy", *model, COUNT, progress=True)
    assert len(lines) == 3
    assert re.fullmatch(rf"\[\d+ s\] sample: {COUNT} of {COUNT}, [\d,]+ images/s", lines[-1])


def test_what_is_no_flow_is_refused_before_there_is_a_folder(tmp_path, model):
    with pytest.raises(OptionError, match="flow must be"):
        stream_samples(tmp_path / "s.npy", None, model[1], 3)
    assert os.listdir(tmp_path) == []
