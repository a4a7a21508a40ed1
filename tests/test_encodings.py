"""The output of every command in six encodings, on a terminal and into a pipe."""

import functools
import io
import os
import re
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
import typer

import cinc_ref as cr
import cinc_ref.demo
from cinc_ref import theory
from cinc_ref.__main__ import main
from cinc_ref._streams import SYMBOLS, in_ascii, printable
from cinc_ref.bench import groups, machine
from cinc_ref.bench.rows import Row
from cinc_ref.cli import app
from cinc_ref.comparison import compare
from cinc_ref.compilation import Task
from cinc_ref.data import IMAGE_SETS
from cinc_ref.theory import Evidence
from tests.support.commands import few_digits
from tests.support.processes import run_module

ENCODINGS = ("ascii", "latin-1", "cp437", "cp932", "gbk", "utf-8")

STRANGE = "modèle 模型 \udcff ✓"
"""A name with letters of several scripts, a byte that is no text, and a symbol."""

WIDTHS = {"system": "cinc", "coupling": "quad", "levels": 2, "depth": 1, "width": 4}
SMALL = ("--levels", 1, "--depth", 1, "--width", 4, "--coupling", "affine", "--steps", 1)

COMMANDS = {
    "help": (["--help"], 0, "Commands"),
    "version": (["--version"], 0, "cinc_ref"),
    "demo": (["demo", "--steps", 1], 0, "bits/dim"),
    "verify": (["verify"], 1, "1 of 2 claims hold"),
    "verify --kernel": (["verify", "--kernel", "kernel.npy", "--size", "8x8"], 0, "Invertible"),
    "train": (["train", "--out", STRANGE + " new", *SMALL], 0, "Finished 1 step"),
    "sample": (["sample", "model.npz", "-n", 2, "--out", STRANGE + ".png"], 0, "images a second"),
    "evaluate": (["evaluate", "model.npz"], 0, "largest inversion error"),
    "interpolate": (["interpolate", "model.npz", "--pairs", 1, "--steps", 2], 0, "wrote"),
    "compare": (["compare", "--out", "comparison"], 0, "system, coupling"),
    "compile": (["compile"], 0, "compiled in"),
    "bench": (["bench", "sampling"], 0, "within bounds ± 1"),
    "check": (["check", "colorsys:no_such_" + "模型"], 2, "cannot be imported"),
    "no model": (["sample", STRANGE], 1, "is missing"),
    "no such option": (["train", "--" + STRANGE], 2, "No such option"),
    "no such name": (["train", "--out", "x", "--system", STRANGE], 2, "must be one of"),
    "no such command": ([STRANGE], 2, "No such command"),
    "no place": (["demo", "--out", f"kernel.npy/{STRANGE}"], 1, "cannot write"),
}
"""Arguments of commands, with the exit code and a part of the output."""

COMMANDS |= {
    f"{name} --help": ([name, "--help"], 0, f"Usage: cinc-ref {name}")
    for name in typer.main.get_command(app).commands
}


class Screen(io.BytesIO):
    """Bytes that claim to be a terminal, or a pipe."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model and a kernel."""
    place = tmp_path_factory.mktemp("place")
    np.save(place / "kernel.npy", np.array([[[[0.8, 0.2, 0.1], [-0.6, 0.05, 0.5]]]]))
    flow = cr.flows.build("cinc", "affine", (1, 8, 8), levels=1, depth=1, width=4, bins=17)
    images = np.random.default_rng(0).uniform(-0.5, 0.5, (8, 1, 8, 8)).astype(np.float32)
    cr.save(place / "model.npz", flow, flow.init(0, images))
    return place


@pytest.fixture(scope="module")
def quick_results(tmp_path_factory):
    """What demo and compare compute is computed once; other work is replaced by small results."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(IMAGE_SETS, "digits", few_digits)
        patch.setattr(cinc_ref.demo, "digits", lambda: few_digits().train[:10])
        patch.setattr(cinc_ref.demo, "image_set", lambda name: few_digits())
        patch.setattr(cinc_ref.demo.flow, "MODEL", WIDTHS)
        patch.setattr(cinc_ref.demo.flow, "SAMPLES", 10)
        folder = tmp_path_factory.mktemp("results")
        demonstration = cinc_ref.demo.run(folder / "demo", steps=1)
        comparison = compare(
            folder / "comparison",
            systems=["cinc"],
            couplings=["affine"],
            seeds=1,
            steps=1,
            model={"depth": 1, "width": 4},
        )
    claim = {"name": "gap ≤ 1", "statement": "|log det| × 1 ± 0", "source": "“paper”", "cases": 3}
    claim |= {"largest": "3×3", "worst": 0.5, "bound": 1.0}
    evidence = [
        Evidence(**claim, verdict="holds", theorems=(2,)),
        Evidence(**claim, verdict="fails", theorems=(9,), reason="C = 2 → no"),
    ]
    return demonstration, comparison, evidence


@pytest.fixture
def quick(monkeypatch, quick_results, place, tmp_path):
    demonstration, comparison, evidence = quick_results
    monkeypatch.setitem(IMAGE_SETS, "digits", few_digits)
    monkeypatch.setattr(cinc_ref.demo, "run", lambda *args, **options: demonstration)
    monkeypatch.setattr(theory, "verify", lambda *args, **options: evidence)
    cli = {name: sys.modules[f"cinc_ref.cli.{name}"] for name in ("compare", "compile")}
    monkeypatch.setattr(cli["compare"], "compare_systems", lambda *args, **options: comparison)
    monkeypatch.setattr(
        cli["compile"], "tasks", lambda *a, **o: [Task("N = 1 × 2 ✓", lambda: None)] * 2
    )
    rows = [Row("décodage ×", "a flow ±", median=1.0, minimum=0.9, ratios={"encode": 1.0})]
    group = groups.Group("title →", "within bounds ± 1 … ✓", (lambda: rows,))
    monkeypatch.setitem(groups.GROUPS, "sampling", group)
    monkeypatch.setattr(machine, "gemm_peak", lambda: {"float32": 10.0, "float64": 5.0})
    (tmp_path / "comparison").mkdir()
    for name in ("model.npz", "kernel.npy"):
        (tmp_path / name).write_bytes((place / name).read_bytes())
    monkeypatch.chdir(tmp_path)


def output_of(arguments, encoding, terminal, monkeypatch):
    """Run a command in this process; return its code and what it wrote, decoded strictly."""
    streams = [
        io.TextIOWrapper(Screen(terminal), encoding=encoding, write_through=True) for _ in range(2)
    ]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        patch.setenv("TERM", "xterm")
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
    assert [stream.errors for stream in streams] == ["strict", "strict"]
    texts = (stream.buffer.getvalue().decode(encoding) for stream in streams)
    return exit_.value.code, *(re.sub(r"\x1b\[[\d;]*m", "", text) for text in texts)  # colours


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_written(monkeypatch, quick, command, encoding, terminal):
    arguments, expected, part = COMMANDS[command]
    code, out, err = output_of(arguments, encoding, terminal, monkeypatch)
    assert code == expected, err
    assert printable(part, encoding) in (out + err)
    assert "Traceback" not in out + err
    if STRANGE in " ".join(map(str, arguments)) and command != "train":
        assert printable(STRANGE[:9], encoding) in out + err  # no letter of a name is lost


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", ["demo", "verify", "train", "evaluate", "compare", "bench"])
def test_tables_are_markdown_in_a_pipe(monkeypatch, quick, command, encoding):
    arguments = COMMANDS[command][0]
    piped = output_of(arguments, encoding, False, monkeypatch)[1]
    table = [line for line in piped.splitlines() if line.startswith("|")]
    assert len(table) >= 3
    assert any(set(line) <= set("|-: ") for line in table)
    assert not any(unicodedata.name(c, "").startswith("BOX") for c in piped)


def test_values_keep_their_meaning_in_ascii(monkeypatch, quick):
    _, out, _ = output_of(["evaluate", "model.npz"], "ascii", False, monkeypatch)
    assert " +- " in out
    _, out, _ = output_of(["evaluate", "model.npz"], "latin-1", False, monkeypatch)
    assert " ± " in out


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_frames_are_straight(monkeypatch, quick, encoding):
    out = output_of(["evaluate", "model.npz"], encoding, True, monkeypatch)[1]
    frame = [line for line in out.splitlines() if line and line[0] in "┏┃┡│└+|"]
    assert len(frame) >= 6
    assert len({len(line) for line in frame}) == 1


def test_every_symbol_of_the_package_has_a_meaning_in_ascii():
    """A symbol in a text of the package must not come out as an escape."""
    folder = os.path.dirname(cinc_ref.__file__)
    texts = ""
    for name in ("cli", "theory", "bench", "comparison", "demo", "flows", "training", "data"):
        for file in os.scandir(os.path.join(folder, name)):
            if file.name.endswith(".py"):
                with open(file, encoding="utf-8") as lines:
                    texts += lines.read()
    symbols = {character for character in texts if not character.isascii()}
    symbols = {s for s in symbols if not unicodedata.category(s).startswith("L")}
    assert symbols and {s for s in symbols if in_ascii(s).startswith("\\")} == set()
    assert all(text.isascii() for text in SYMBOLS.values())


# ---- real processes ------------------------------------------------------------------------------


def environment(encoding, way):
    base = dict(os.environ)
    for name in os.environ:
        if name.startswith("LC_") or name in ("LANG", "LANGUAGE", "PYTHONIOENCODING"):
            del base[name]
    base |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "0"}
    base |= {"PYTHONCOERCECLOCALE": "0", "NUMBA_DISABLE_JIT": "1", "TERM": "xterm"}
    return base | ({"PYTHONIOENCODING": encoding} if way == "variable" else {"LC_ALL": "C"})


PROCESSES = [
    (["sample", STRANGE], 1, "ascii", "locale"),
    (["evaluate", "model.npz"], 0, "ascii", "locale"),
    (["train", "--help"], 0, "cp437", "variable"),
    (["evaluate", "model.npz"], 0, "gbk", "variable"),
    (["sample", "model.npz", "--out", STRANGE + ".npy"], 0, "cp932", "variable"),
]


@pytest.mark.parametrize(("arguments", "expected", "encoding", "way"), PROCESSES)
def test_a_process_into_a_pipe(tmp_path, place, arguments, expected, encoding, way):
    (tmp_path / "model.npz").write_bytes((place / "model.npz").read_bytes())
    options = {"cwd": tmp_path, "env": environment(encoding, way), "text": False}
    result = run_module("cinc_ref", *arguments, exit_code=expected, **options)
    written = result.stdout + result.stderr
    assert b"Traceback" not in written
    assert written.decode(encoding)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudoterminals")
@pytest.mark.parametrize(("arguments", "expected", "encoding", "way"), PROCESSES)
def test_a_process_on_a_terminal(tmp_path, place, arguments, expected, encoding, way):
    import pty

    (tmp_path / "model.npz").write_bytes((place / "model.npz").read_bytes())
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cinc_ref", *arguments],
        cwd=tmp_path,
        env=environment(encoding, way),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b"".join(iter(functools.partial(_read, ours), b""))
    os.close(ours)
    assert process.wait() == expected, written
    assert b"Traceback" not in written
    assert written.decode(encoding)


def _read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux: the other side is closed
        return b""


def test_a_reader_that_goes_away_is_no_traceback(tmp_path):
    """As with ``| head -1``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cinc_ref", "train", "--help"],
        env=environment("utf-8", "variable"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait() == 1
    assert b"Traceback" not in err and b"error" not in err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_is_one_sentence():
    with open("/dev/full", "w") as full:
        result = run_module(
            "cinc_ref",
            "--version",
            exit_code=1,
            env=environment("utf-8", "variable"),
            capture_output=False,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert result.stderr.startswith("error: cannot write the output: No space left")
    assert result.stderr.count("\n") == 1
