"""Output files: whole or not at all, and one error for those that cannot be written."""

import os

import numpy as np
import pytest

from cinc_ref._files import make_folder, output_errors, remove_unfinished, write_atomically
from cinc_ref.errors import OutputError
from cinc_ref.theory.cases import Case
from cinc_ref.theory.evidence import Counterexample, load_counterexample


def names(folder):
    return sorted(os.listdir(folder))


@pytest.mark.parametrize(("encoding", "content"), [(None, b"\x00\xff"), ("utf-8", "Bézout\n")])
def test_bytes_and_text_are_written(tmp_path, encoding, content):
    path = tmp_path / "file"
    with write_atomically(path, encoding) as file:
        file.write(content)
        assert not path.exists()
    data = content.encode(encoding) if encoding else content
    assert path.read_bytes() == data and names(tmp_path) == ["file"]


def test_an_error_in_the_block_leaves_the_former_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("former")
    with pytest.raises(ZeroDivisionError), write_atomically(path, "utf-8") as file:
        file.write("half")
        _ = 1 / 0
    assert path.read_text() == "former" and names(tmp_path) == ["file"]


def test_the_error_names_the_file_and_not_the_temporary_one(tmp_path):
    path = tmp_path / "none" / "file"
    with pytest.raises(OutputError) as caught, write_atomically(path):
        pass
    assert str(caught.value) == (
        f"cannot write {path}: No such file or directory; choose another place"
    )


def test_the_error_in_a_folder_names_the_file_in_it(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*none/file: No such file"):
        with output_errors(tmp_path):
            (tmp_path / "none" / "file").write_text("")


def test_only_the_unfinished_files_of_a_name_are_removed(tmp_path):
    for name in ("file", ".file.12.tmp", ".file.345.tmp", ".other.12.tmp"):
        (tmp_path / name).touch()
    remove_unfinished(tmp_path / "file")
    assert names(tmp_path) == [".other.12.tmp", "file"]


def test_what_a_killed_process_leaves_is_what_is_removed(tmp_path, monkeypatch):
    """A process that is killed cannot remove its temporary file."""
    monkeypatch.setattr("cinc_ref._files.Path.unlink", lambda self: None)
    monkeypatch.setattr(os, "replace", lambda *paths: 1 / 0)
    with pytest.raises(ZeroDivisionError), write_atomically(tmp_path / "file"):
        pass
    monkeypatch.undo()
    assert len(names(tmp_path)) == 1
    remove_unfinished(tmp_path / "file")
    assert names(tmp_path) == []


def test_a_folder_that_is_a_file_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        make_folder(tmp_path / "file" / "folder")
    assert make_folder(tmp_path / "new" / "folder").is_dir()


def test_a_counterexample_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    case = Case(np.ones((1, 1, 2, 2)), (3, 3), "top-left", 1, (1, 1))
    found = Counterexample("claim", "problem", case)
    path = tmp_path / "case"
    found.save(path)
    loaded = load_counterexample(path).case
    assert np.array_equal(loaded.kernel, case.kernel) and loaded.size == case.size

    def full(*arguments):
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        found.save(path)
    assert path.read_bytes() == before and names(tmp_path) == ["case"]
