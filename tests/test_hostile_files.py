"""Files that are made to hang, to fill the memory or to raise something foreign: one sentence each.

Each is tried on every reader that takes such a file, and on `load`.
"""

import gzip
import io
import os
import resource
import socket
import struct
import tarfile
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

import cinc_ref as cr
from cinc_ref import _reading
from cinc_ref.data import image_set, picture
from cinc_ref.errors import CheckpointError, DataError
from tests.support.checkout import ROOT
from tests.support.processes import run_code

SECONDS = 2.0
"""Time of the processor in which every file here is refused, in seconds."""

CIFAR = [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]


def refused(call, error=DataError):
    """Return the sentence with which a call refuses its file, within the time and 200 MiB."""
    started, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert time.process_time() - started < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200 * 2**10
    return message


def array(path):
    return lambda: image_set("array", path=path)


def refused_everywhere(path):
    """Refuse one file as an array, a checkpoint, an archive, a picture, an idx file, a batch."""
    messages = [refused(array(path)), refused(lambda: cr.load(path), CheckpointError)]
    messages.append(refused(lambda: image_set("cifar10", path=path)))
    links = {
        "mnist": "train-images-idx3-ubyte.gz",
        "folder": "picture.png",
        "imagenet32": "train_data_batch_1.npz",
        "cifar10": "data_batch_1.bin",
    }
    for name, link in links.items():
        folder = path.with_name(f"{path.name} {name}")
        folder.mkdir()
        (folder / link).symlink_to(path)
        if name == "folder":
            for k in range(2):
                Image.new("L", (4, 4)).save(folder / f"{k}.png")
        messages.append(refused(lambda name=name, folder=folder: image_set(name, path=folder)))
        assert link in messages[-1]
    assert all(path.name in message for message in messages)


# ---- what is no regular file ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pipe", "socket", "null", "zero", "empty", "text"])
def test_what_is_no_regular_file_is_refused_everywhere(tmp_path, kind):
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    elif kind in ("null", "zero"):
        path.symlink_to(f"/dev/{kind}")
    else:
        path.write_text("" if kind == "empty" else "no images\n")
    refused_everywhere(path)


@pytest.mark.parametrize("path", ["a\0b", "\0", "a" * 5000, "a/" * 3000, "\udcff"])
@pytest.mark.parametrize("name", ["array", "cifar10", "mnist", "emnist", "imagenet32", "folder"])
def test_paths_that_cannot_be(path, name):
    refused(lambda: image_set(name, path=path))
    message = refused(lambda: cr.load(path), CheckpointError)
    assert ("NUL" in message) == ("\0" in path)


# ---- npy headers ---------------------------------------------------------------------------------


def npy(header, version=1, data=b""):
    text = header.encode("latin-1")
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


HEADERS = {
    "tokens": b"\x93NUMPY\x01\x00\x02\x00(1",
    "syntax": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,4,4)"),
    "empty": npy(""),
    "deep": npy("(" * 3000),
    "minus": npy("-" * 3000 + "1"),
    "long": npy("{'descr': '|u1'" + " " * 60_000 + "}"),
    "longer": b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
    "code": npy("{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': (3,)}"),
    "tib": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1024, 1000000, 1000000), }"),
    "negative": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-3, 4, 4), }"),
    "overflow": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775807, ), }"),
    "digits": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (" + "9" * 150 + ", 4, 4), }"),
    "axes": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (" + "1," * 60 + "), }"),
    "twice": npy("{'descr': '|u1', 'descr': '|u1', 'shape': (3, 4, 4), }"),
    "more": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,4,4), 'x': 1}"),
    "bool shape": npy("{'descr': '|u1', 'fortran_order': False, 'shape': True, }"),
    "no bool": npy("{'descr': '|u1', 'fortran_order': (3,), 'shape': (3,), }"),
    "records": npy("{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (3,), }"),
    "dtype": npy("{'descr': '|V999999999', 'fortran_order': False, 'shape': (3,), }"),
    "no dtype": npy("{'descr': 'O8,i4', 'fortran_order': False, 'shape': (3,), }"),
    "objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", data=b"cos\n("),
    "version": b"\x93NUMPY\x03\x00" + npy("{}")[8:],
    "nan": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (nan,), }"),
}  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
def test_headers_of_arrays_are_parsed_strictly(tmp_path, header):
    content = HEADERS[header]
    path = tmp_path / "images.npy"
    path.write_bytes(content)
    assert "images.npy" in refused(array(path))
    path = tmp_path / "images.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.npy", content)
        archive.writestr("data.npy", content)
    assert "images.npz" in refused(array(path))
    assert "images.npz" in refused(lambda: cr.load(path), CheckpointError)
    path.rename(tmp_path / "train_data_batch_1.npz")
    assert "batch_1.npz" in refused(lambda: image_set("imagenet32", path=tmp_path))


@pytest.mark.parametrize("text", [
    "{'shape': (9, 4, 4), 'fortran_order': False, 'descr': '|u1'}",
    "{'descr':'|u1','fortran_order':False,'shape':(9,4,4)}   \n",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (9L, 4L, 4L), }",
    "{'descr': 'u1', 'fortran_order': False, 'shape': (9, 4, 4, ), }",
])  # fmt: skip
def test_headers_that_other_writers_make_are_read(tmp_path, text):
    (tmp_path / "images.npy").write_bytes(npy(text, data=bytes(9 * 16)))
    assert image_set("array", path=tmp_path / "images.npy").image_shape == (1, 4, 4)


@pytest.mark.parametrize("shape", [(12, 5, 4), (12, 3, 5, 4), (12, 5, 4, 3)])
def test_arrays_in_fortran_order(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for order in "CF":
        np.save(tmp_path / f"{order}.npy", np.array(images, order=order))
    one, other = (image_set("array", path=tmp_path / f"{order}.npy") for order in "CF")
    for part in ("train", "validation", "test"):
        assert np.array_equal(getattr(one, part), getattr(other, part))


@pytest.mark.parametrize(
    "bins", [-5, 0, 1, 257, 2**62, 3.7, 2.0, "12", True, np.nan, 1 + 2j, b"12"]
)
def test_bins_of_an_array_are_levels_of_a_byte(tmp_path, bins):
    np.savez(tmp_path / "images.npz", images=np.zeros((9, 4, 4), np.uint8), bins=bins)
    message = refused(array(tmp_path / "images.npz"))
    assert "images.npz" in message


def test_bins_of_many_numbers_are_not_read(tmp_path):
    path = tmp_path / "images.npz"
    np.savez_compressed(path, images=np.zeros((9, 4, 4), np.uint8), bins=np.zeros(10**6, np.int64))
    assert "bins in" in refused(array(path))


# ---- archives ------------------------------------------------------------------------------------


def _images_npz(path, compression=zipfile.ZIP_STORED, count=9):
    content = io.BytesIO()
    np.save(content, np.zeros((count, 4, 4), np.uint8))
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("images.npy", content.getvalue())
    return path


def _set_everywhere(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


@pytest.mark.parametrize("flags", [b"\1\0", b"\x40\0", b"\x41\0"])
def test_encrypted_entries_are_refused(tmp_path, flags):
    path = _images_npz(tmp_path / "images.npz")
    content = bytearray(path.read_bytes())
    local, central = content.index(b"PK\3\4"), content.index(b"PK\1\2")
    content[local + 6 : local + 8] = content[central + 8 : central + 10] = flags
    path.write_bytes(content)
    assert "encrypted" in refused(array(path))
    assert "encrypted" in refused(lambda: cr.load(path), CheckpointError)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_kinds_of_compression_are_refused(tmp_path, compression):
    path = _images_npz(tmp_path / "images.npz", compression)
    assert "compressed in an unknown way" in refused(array(path))


def test_very_many_entries_are_refused(tmp_path):
    path = tmp_path / "many.npz"
    name = b"0000000"
    local = b"PK\3\4" + bytes(22) + struct.pack("<HH", len(name), 0)
    central = b"PK\1\2" + bytes(24) + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0)
    with open(path, "wb") as file:
        for k in range(200_000):
            file.write(local + b"%07d" % k)
        start = file.tell()
        for k in range(200_000):
            file.write(central + b"%07d" % k)
        size = file.tell() - start
        file.write(
            b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 200_000, 200_000, size, start)
        )
        file.write(b"PK\6\7" + struct.pack("<IQI", 0, start + size, 1))
        file.write(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, size, start, 0))
    assert "200,000 entries" in refused(array(path))
    assert "200,000 entries" in refused(lambda: cr.load(path), CheckpointError)


@pytest.mark.parametrize("size", [2**33, 2**62])
def test_an_entry_that_claims_to_be_larger_is_refused(tmp_path, size):
    path = tmp_path / "images.npz"
    header = npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size}, 1, 1), }}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", header + bytes(10**6))
    message = refused(array(path))
    assert "does not have the size" in message or "header is damaged" in message


def _zeros(path, opened, count, header=b""):
    """Write many zeros to a compressed file, a piece at a time."""
    with opened(path) as file:
        file.write(header)
        for _ in range(count // 2**24):
            file.write(bytes(2**24))


@pytest.mark.parametrize("claimed", [2**30, 2**40])
def test_a_small_gzip_that_unpacks_to_gigabytes(tmp_path, claimed):
    header = struct.pack(">IIII", 0x803, claimed // 2**14, 128, 128)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    _zeros(path, lambda path: gzip.open(path, "wb", 1), 2**30, header)
    assert "unpacks to more than" in refused(lambda: image_set("mnist", path=tmp_path))


def test_a_small_npz_that_unpacks_to_gigabytes(tmp_path):
    path = tmp_path / "images.npz"
    header = npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**16}, 128, 128), }}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        _zeros(None, lambda _: archive.open("images.npy", "w"), 2**30, header)
    assert "unpacks to more than" in refused(array(path))
    path.rename(tmp_path / "train_data_batch_1.npz")
    assert "unpacks to more than" in refused(lambda: image_set("imagenet32", path=tmp_path))


def test_a_gzip_of_very_many_members(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(b"") * 200_000)
    assert "first bytes are" in refused(lambda: image_set("mnist", path=tmp_path))


def test_a_gzip_of_several_members_and_padding_is_read(tmp_path):
    content = struct.pack(">IIII", 0x803, 9, 4, 4) + bytes(range(144))
    packed = b"".join(gzip.compress(content[k : k + 50]) for k in range(0, len(content), 50))
    for name in ("train", "t10k"):
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(packed + bytes(100))
    assert np.array_equal(image_set("mnist", path=tmp_path).test.ravel(), np.arange(144))


def _tar(path, *members):
    """Write an archive of headers of any kind and size, without the contents they claim."""
    with tarfile.open(path, "w:gz") as archive:
        for name, kind, size in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, size
            archive.fileobj.write(info.tobuf(tarfile.GNU_FORMAT))
    return path


@pytest.mark.parametrize("kind", [b"0", b"L", b"K", b"x", b"S", b"5", b"Z"])
@pytest.mark.parametrize("size", [2**60, 2**33 - 1, 2**32])
def test_a_tiny_archive_with_a_huge_member(tmp_path, kind, size):
    path = _tar(tmp_path / "cifar.tar.gz", ("cifar/data_batch_1.bin", kind, size))
    refused(lambda: image_set("cifar10", path=path))


def test_long_names_in_an_archive_are_not_read(tmp_path):
    path = tmp_path / "cifar.tar.gz"
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = b"L", 2**30
    _zeros(path, lambda path: gzip.open(path, "wb", 1), 2**30, info.tobuf(tarfile.GNU_FORMAT))
    assert "unpacks to more than" in refused(lambda: image_set("cifar10", path=path))
    info.size = 2**20
    _zeros(path, lambda path: gzip.open(path, "wb", 1), 2**24, info.tobuf(tarfile.GNU_FORMAT))
    assert "a name in the archive" in refused(lambda: image_set("cifar10", path=path))


def _cifar_archive(path, change=lambda members: members, mode="w:gz"):
    members = [(name, bytes(3073 * 2)) for name in CIFAR]
    with tarfile.open(path, mode) as archive:
        for name, data in change(members):
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_an_archive_in_any_order_and_with_long_names(tmp_path):
    long = [(300 * "a", b"text")]
    path = _cifar_archive(tmp_path / "a.tar.gz", lambda members: members[::-1] + long)
    assert len(image_set("cifar10", path=path).test) == 2
    path = _cifar_archive(tmp_path / "b.tar.gz", lambda members: [*members, members[0]])
    assert "data_batch_1.bin twice" in refused(lambda: image_set("cifar10", path=path))


@pytest.mark.parametrize("position", range(0, 512, 7))
def test_every_damaged_header_of_an_archive_is_noticed(tmp_path, position):
    path = _cifar_archive(tmp_path / "a.tar", mode="w")
    content = bytearray(path.read_bytes())
    content[position] ^= 4
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(content, 1))
    assert "a.tar.gz" in refused(lambda: image_set("cifar10", path=tmp_path / "a.tar.gz"))


# ---- checkpoints ---------------------------------------------------------------------------------


def _checkpoint(path, **config):
    """Save a small model, and change its configuration and nothing else."""
    flow = cr.flows.build("glow", "affine", (1, 4, 4), levels=1, depth=1, width=2, bins=4)
    rng = np.random.default_rng(0)
    cr.save(path, flow, flow.init(rng, rng.uniform(-0.5, 0.5, (4, 1, 4, 4))))
    with np.load(path) as file:
        arrays = {name: file[name] for name in file}
    arrays["more"] = np.zeros(30_000)
    text = arrays["header"].tobytes().decode()
    for name, value in config.items():
        old = f'"{name}": {flow.config()[name]}'
        assert old in text
        text = text.replace(old, f'"{name}": {value}')
    arrays["header"] = np.frombuffer(text.encode(), np.uint8)
    with open(path, "wb") as file:
        np.savez(file, **arrays)
    return path


@pytest.mark.parametrize("config", [
    {"depth": 20_000},
    {"width": 100_000},
    {"levels": 10**9},
    {"levels": -1},
    {"image_shape": "[1, 1073741824, 1073741824]"},
    {"image_shape": "[2, 8388608, 8388608]", "levels": 20},
    {"image_shape": "[30000, 2, 2]"},
    {"image_shape": "[1, -4, -4]"},
    {"image_shape": "[]"},
    {"depth": "1e400"},
    {"depth": "[" * 3000 + "]" * 3000},
    {"bins": "9" * 5000},
])  # fmt: skip
def test_a_configuration_larger_than_its_file_is_refused(tmp_path, config):
    path = _checkpoint(tmp_path / "model.npz", **config)
    assert "model.npz" in refused(lambda: cr.load(path), CheckpointError)


# ---- pictures ------------------------------------------------------------------------------------


def _picture(name, folder, content):
    for k in range(2):
        Image.new("L", (4, 4)).save(folder / f"{k}.png")
    (folder / name).write_bytes(content)
    return refused(lambda: image_set("folder", path=folder, size=4))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, content", [
    ("a.avif", b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B" + bytes(64)),
    ("a.dds", b"DDS " + struct.pack("<7I", 124, 0x1007, 4, 4, 0, 0, 0) + bytes(44)
     + struct.pack("<2I4s5I", 32, 4, b"NOPE", 0, 0, 0, 0, 0) + bytes(20)),
    ("a.gif", b"GIF89a"),
    ("a.tif", b"II*\0\x08\0\0\0\xff\xff"),
    ("a.jpg", b"\xff\xd8\xff\xe0\0\0"),
    ("a.pgm", b"P5 99999 99999 255\n"),
    ("a.pgm", b"P5 " + b"9" * 5000 + b" 1 255\n"),
    ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n"),
    ("a.webp", b"RIFF\xff\xff\xff\xffWEBPVP8 "),
])  # fmt: skip
def test_pictures_that_cannot_be_decoded_are_named(tmp_path, name, content):
    assert name in _picture(name, tmp_path, content)


def test_a_jpeg_of_very_many_scans_is_refused(tmp_path):
    content = io.BytesIO()
    Image.new("L", (2000, 2000)).save(content, "JPEG", progressive=True)
    head, *scans, last = content.getvalue().split(b"\xff\xda")
    least = min(scans, key=len)
    path = b"\xff\xda".join([head, *scans, *(20_000 * [least]), last])
    assert "scans, more than 200" in _picture("a.jpg", tmp_path, path)


# ---- processes, and the memory of readers --------------------------------------------------------

READERS = """
import sys, zlib
sys.path.insert(0, {root!r})
import numpy.testing  # which runs lscpu in NumPy 2.0
events = []
sys.addaudithook(lambda name, args: events.append(name) if name in {forbidden!r} else None)
from cinc_ref.data import image_set
import PIL.Image
if {name!r} != "load":
    images = image_set({name!r}, path={path!r}, **{options!r})
else:
    from cinc_ref.training import load
    load({path!r})
assert not events, events
"""

FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn",
             "os.spawn", "pty.spawn")  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_no_reader_starts_a_process(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k, ending in enumerate((".png", ".jpg", ".bmp", ".gif", ".tif", ".webp", ".tga")):
        Image.fromarray(images[k]).save(folder / f"{k}{ending}")
    text = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    (folder / "a.eps").write_bytes(text)
    np.save(tmp_path / "images.npy", images)
    _cifar_archive(tmp_path / "cifar.tar.gz")
    _checkpoint(tmp_path / "model.npz")
    cases = [
        ("folder", folder, {"size": 4}),
        ("array", tmp_path / "images.npy", {}),
        ("cifar10", tmp_path / "cifar.tar.gz", {}),
        ("load", tmp_path / "model.npz", {}),
    ]
    for name, path, options in cases:
        code = READERS.format(
            root=os.getcwd(), name=name, path=str(path), options=options, forbidden=FORBIDDEN
        )
        run_code(code)


MEASURE = """
import sys, resource
sys.path.insert(0, {root!r})
import numpy as np
import PIL.Image
from cinc_ref.data import image_set
import cinc_ref.data.rows, cinc_ref.data.stack
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024
image_set({name!r}, path={small!r})
before = peak()
images = image_set({name!r}, path={path!r})
size = sum(part.nbytes for part in (images.train, images.validation, images.test))
print(size, peak() - before)
"""

COUNT = 40_000
"""Images, 117 MiB: twice as much would be 24 MiB above the bound."""


def _write_array(folder, count, rng):
    images = rng.integers(0, 8, (count, 3, 32, 32), dtype=np.uint8)
    path, content = folder / "images.npz", io.BytesIO()
    np.save(content, images)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("images.npy", content.getbuffer())
    return path


def _write_plain_array(folder, count, rng):
    np.save(folder / "images.npy", rng.integers(0, 8, (count, 32, 32, 3), dtype=np.uint8))
    return folder / "images.npy"


def _write_mnist(folder, count, rng):
    for name in ("train", "t10k"):
        header = struct.pack(">IIII", 0x803, count, 48, 64)
        images = rng.integers(0, 8, (count, 48, 64), dtype=np.uint8)
        with gzip.open(folder / f"{name}-images-idx3-ubyte.gz", "wb", 1) as file:
            file.write(header + images.tobytes())
        count //= 8
    return folder


def _write_cifar(folder, count, rng):
    with tarfile.open(folder / "cifar.tar.gz", "w:gz", compresslevel=1) as archive:
        for name in CIFAR:
            records = rng.integers(0, 8, (count // 6, 3073), dtype=np.uint8)
            info = tarfile.TarInfo(name)
            info.size = records.nbytes
            archive.addfile(info, io.BytesIO(records.tobytes()))
    return folder / "cifar.tar.gz"


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from /proc")
@pytest.mark.parametrize("name, write", [
    ("array", _write_array),
    ("array", _write_plain_array),
    ("mnist", _write_mnist),
    ("cifar10", _write_cifar),
])  # fmt: skip
def test_readers_need_little_more_than_they_return(tmp_path, name, write):
    rng = np.random.default_rng(0)
    paths = {}
    for size, count in (("small", 60), ("path", COUNT)):
        (tmp_path / size).mkdir()
        paths[size] = str(write(tmp_path / size, count, rng))
    code = MEASURE.format(root=os.getcwd(), name=name, **paths)
    size, growth = map(int, run_code(code).stdout.split())
    assert size > 100 * 2**20
    assert growth < 1.25 * size + 64 * 2**20


def test_the_security_page_gives_the_bounds_of_the_code():
    page = " ".join((ROOT / "SECURITY.md").read_text(encoding="utf-8").split())
    budget = _reading.Budget(2**30)
    assert budget.limit == 100 * 2**30 and budget._seconds == 30 + budget.limit / 2**20
    assert _reading.Budget(0).limit == 64 * 2**20
    assert "64 MiB or to 100 times their size" in page
    assert "may take 30 seconds and one more for each MiB of that" in page
    assert f"at most {picture.MAX_PIXELS:,} pixels" in page
    assert f"{picture.FREE_PIXELS:,} or {picture.PIXELS_PER_BYTE} for each byte" in page
    assert "JPEG 2000 is not read" in page and not {".jp2", ".j2k"} & picture.ENDINGS
    assert "PostScript" in page and not {".eps", ".ps"} & picture.ENDINGS
