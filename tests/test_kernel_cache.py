"""The cache of compiled functions: no state of its files stops a call or changes its result."""

import ctypes
import importlib.util
import logging
import os
import shutil
import sys

import numba
import numpy as np
import pytest

from cinc_ref.kernels import _cache, _jit
from tests.support.checkout import PACKAGE
from tests.support.processes import run_code

SOURCE = "def twice_and(x):\n    return 2 * x + {}\n"
"""A module with one small function, which compiles in a tenth of a second."""


@pytest.fixture(autouse=True)
def compiles(interpreted):
    if interpreted:
        pytest.skip("nothing is compiled")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for the cache, and a process that has warned of nothing yet."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(_cache, "_warned", set())
    return tmp_path


def function(folder, addend=1):
    path = folder / "module.py"
    path.write_text(SOURCE.format(addend))
    spec = importlib.util.spec_from_file_location("module", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Numba imports the module of a function that it loads
    spec.loader.exec_module(module)
    return module.twice_and


def call(function, *values):
    """Compile or load a function as a new process would; return results and cache hits."""
    dispatcher = _jit.compiled(function)
    results = [dispatcher(value) for value in values or (3,)]
    return results, sum(dispatcher.stats.cache_hits.values())


def files(folder):
    """Return index and data file."""
    index, data = (next((folder / "cache").rglob(pattern)) for pattern in ("*.nbi", "*.nbc"))
    return {"index": index, "data": data}


def assert_repaired(own, caplog, warnings=1):
    """Check that the next call compiles, and the one after that finds it in the cache again."""
    assert call(own) == ([7], 0)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * warnings
    assert call(own) == ([7], 1)
    assert len(caplog.records) == warnings


def test_a_second_process_finds_all_types(folder, caplog):
    own = function(folder)
    assert call(own, 3, 0.5) == ([7, 2.0], 0)
    assert call(own, 3, 0.5) == ([7, 2.0], 2)
    assert not caplog.records  # the announcement is for functions of cinc_ref


@pytest.mark.parametrize("kind", ["index", "data"])
@pytest.mark.parametrize("part", [0.0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_a_cut_file_is_replaced(folder, caplog, kind, part):
    own = function(folder)
    call(own)
    path = files(folder)[kind]
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    assert_repaired(own, caplog)


@pytest.mark.parametrize("kind", ["index", "data"])
@pytest.mark.parametrize("seed", range(6))
def test_a_flipped_bit_is_found(folder, caplog, kind, seed):
    own = function(folder)
    call(own)
    path = files(folder)[kind]
    content = bytearray(path.read_bytes())
    content[np.random.default_rng(seed).integers(len(content))] ^= 1 << seed
    path.write_bytes(content)
    assert_repaired(own, caplog)


@pytest.mark.parametrize("kind", ["index", "data"])
@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"not a pickle", bytes(10_000), b"cos\nsystem\n"]
)
def test_foreign_content_is_replaced(folder, caplog, kind, content):
    own = function(folder)
    call(own)
    files(folder)[kind].write_bytes(content)
    assert_repaired(own, caplog)


@pytest.mark.parametrize(("kind", "warnings"), [("index", 1), ("data", 0)])
def test_a_folder_instead_of_a_file_is_replaced(folder, caplog, kind, warnings):
    own = function(folder)
    call(own)
    path = files(folder)[kind]
    path.unlink()
    path.mkdir()
    assert_repaired(own, caplog, warnings)


def test_a_full_folder_instead_of_a_file_is_left_alone(folder, caplog):
    own = function(folder)
    call(own)
    path = files(folder)["data"]
    path.unlink()
    path.mkdir()
    (path / "belongs to somebody").touch()
    for _ in range(2):
        assert call(own) == ([7], 0)
    (record,) = caplog.records  # once for both
    assert "cannot be kept in" in record.getMessage()


@pytest.mark.parametrize("kind", ["index", "data"])
def test_a_missing_file_is_no_damage(folder, caplog, kind):
    own = function(folder)
    call(own)
    files(folder)[kind].unlink()
    assert_repaired(own, caplog, warnings=0)


@pytest.mark.parametrize("kind", ["index", "data"])
def test_a_file_without_permission(folder, caplog, kind, monkeypatch):
    own = function(folder)
    call(own)
    path = files(folder)[kind]
    read = _cache._read

    def refuse(name):  # root may read everything
        if path.exists() and str(path) == str(name) and path.stat().st_mode & 0o777 == 0:
            raise PermissionError(13, "Permission denied")
        return read(name)

    monkeypatch.setattr(_cache, "_read", refuse)
    path.chmod(0)
    assert_repaired(own, caplog, warnings=kind == "index")


def test_an_older_file_under_the_name_of_an_entry_is_not_used(folder):
    own = function(folder)
    call(own)
    old = files(folder)["data"].read_bytes()
    changed = function(folder, addend=100)
    assert call(changed) == ([106], 0)
    files(folder)["data"].write_bytes(old)  # as if the new one had never been written
    assert call(changed) == ([106], 0)


@pytest.mark.parametrize("failing", ["open", "replace", "makedirs"])
def test_no_room_is_one_warning(folder, caplog, monkeypatch, failing):
    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    own = function(folder)
    call(own, 3)
    if failing == "open":
        monkeypatch.setattr(_cache.CheckedFile, "_open_for_write", fail)
    else:
        monkeypatch.setattr(os, failing, fail)
    dispatcher = _jit.compiled(own)
    assert [dispatcher(3), dispatcher(0.5), dispatcher(1j)] == [7, 2.0, 1 + 2j]
    if failing == "makedirs":  # Numba finds no folder for it
        assert dispatcher._cache.cache_path is None
        assert _jit._no_folder.pop() == "twice_and"
    else:
        (record,) = caplog.records
        assert "No space left on device" in record.getMessage()
        assert "NUMBA_CACHE_DIR" in record.getMessage()


USE = """
import resource, sys
import numpy as np
import cinc_ref as cr
limit = int(sys.argv[1])
if limit:
    sys.dont_write_bytecode = True  # Python would leave bytecode cut at the limit in the checkout
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
kernel = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
y = cr.conv(np.ones((1, 1, 2, 2)), kernel)
print(y.ravel().tolist())
"""


def use(cache, limit=0, **environment):
    """Convolve in a new process whose files may have so many bytes; return its stderr's lines."""
    done = run_code(USE, limit, env=os.environ | {"NUMBA_CACHE_DIR": str(cache)} | environment)
    assert done.stdout == "[4.0, 7.0, 6.0, 10.0]\n"
    return done.stderr.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_a_process_without_room_computes_and_the_next_one_repairs(tmp_path):
    announced, full = use(tmp_path, limit=2000)
    assert announced == _jit.ANNOUNCEMENT
    assert "compiled functions cannot be kept in" in full
    assert use(tmp_path) == [_jit.ANNOUNCEMENT]
    assert use(tmp_path) == []
    for path in tmp_path.rglob("*.nb?"):
        path.write_bytes(path.read_bytes()[:1000])
    announced, damaged = sorted(use(tmp_path), key=lambda line: "damage" in line or "anew" in line)
    assert announced == _jit.ANNOUNCEMENT and "cannot be used" in damaged
    assert use(tmp_path) == []


def respect_permissions():
    """Take root's capability to write everywhere from the program that is executed next."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)


PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
"""Numbers of Linux."""


@pytest.fixture
def installed(tmp_path):
    """A copy of the package with nothing compiled, and a home, which both cannot be written."""
    copy, home = tmp_path / "site" / "cinc_ref", tmp_path / "home"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir()
    folders = [home, copy, *(path for path in copy.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    yield copy.parent, home
    for path in folders:
        path.chmod(0o755)


@pytest.mark.skipif(sys.platform != "linux", reason="permissions of Linux")
@pytest.mark.parametrize("compiler", [True, False], ids=["compiler", "no compiler"])
def test_a_read_only_installation_and_home(installed, compiler):
    site, home = installed
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("NUMBA", "XDG", "PYTHON"))
    }
    environment = inherited | {
        "HOME": str(home),
        "NUMBA_DISABLE_JIT": str(int(not compiler)),
        "PYTHONPATH": str(site),
    }
    code = (
        f"{USE}\nassert cr.__file__.startswith({str(site)!r})\n"
        + """
import pathlib, pytest
with pytest.raises(PermissionError):
    pathlib.Path.home().joinpath("cache").mkdir()
"""
    )
    done = run_code(
        code,
        0,
        env=environment,
        cwd=home,
        preexec_fn=respect_permissions if os.geteuid() == 0 else None,
    )
    assert done.stdout == "[4.0, 7.0, 6.0, 10.0]\n"
    if compiler:
        announced, unwritable = done.stderr.splitlines()
        assert announced == _jit.ANNOUNCEMENT
        assert "compiled functions cannot be kept" in unwritable
    else:
        assert done.stderr == ""


def test_the_announcement_can_be_silenced(tmp_path):
    code = f"import logging; logging.getLogger('cinc_ref').setLevel('ERROR')\n{USE}"
    done = run_code(code, 0, env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)})
    assert done.stderr == ""


# ---- announcements -----------------------------------------------------------------------------


class Dispatcher:
    py_func = staticmethod(_jit.compiled)


def compile_one(log, begin, end, monkeypatch):
    event = type("Event", (), {"data": {"dispatcher": Dispatcher}})()
    monkeypatch.setattr(_jit.time, "monotonic", lambda: begin)
    log.on_start(event)
    monkeypatch.setattr(_jit.time, "monotonic", lambda: end)
    log.on_end(event)


def test_one_announcement_for_functions_compiled_one_after_another(caplog, monkeypatch):
    log = _jit._CompilationLog()
    with caplog.at_level(logging.WARNING, "cinc_ref"):
        for begin, end in [(100, 120), (121, 140), (148, 190)]:
            compile_one(log, begin, end, monkeypatch)
        assert [record.getMessage() for record in caplog.records] == [_jit.ANNOUNCEMENT]
        compile_one(log, 251, 260, monkeypatch)
        assert len(caplog.records) == 2
    for text in ("once", "seconds", "minutes", "cinc_ref.warm_up()", "python -m cinc_ref compile"):
        assert text in _jit.ANNOUNCEMENT


def test_no_announcement_of_what_was_asked_for(caplog, monkeypatch):
    log = _jit._log
    with _jit.expected_compilation():
        compile_one(log, 100, 101, monkeypatch)
    assert not caplog.records
    monkeypatch.setattr(log, "finished", -1e9)
