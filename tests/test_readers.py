"""Image files on the user's disk: each reader on a small file of the true format."""

import gzip
import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

import cinc_ref as cr
from cinc_ref.data import image_set, stack
from cinc_ref.data.stack import Stack
from cinc_ref.errors import DataError

CIFAR = [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def _cifar_batches(rng):
    """Four images a batch, as bytes of label, red, green and blue."""
    images = {name: rng.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8) for name in CIFAR}
    labels = np.arange(4, dtype=np.uint8)[:, None]
    content = {k: np.hstack([labels, v.reshape(4, -1)]).tobytes() for k, v in images.items()}
    return images, content


def _write_cifar(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)


def _write_archive(path, content):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("kind", ["folder", "parent", "archive", "folder of the archive"])
def test_cifar10(tmp_path, rng, kind):
    images, content = _cifar_batches(rng)
    path = tmp_path / "cifar-10-batches-bin"
    if kind in ("folder", "parent"):
        _write_cifar(path, content)
        path = path if kind == "folder" else tmp_path
    else:
        path = tmp_path / "cifar-10-binary.tar.gz"
        _write_archive(path, content | {"batches.meta.txt": b"airplane\n"})
        path = path if kind == "archive" else tmp_path
    found = image_set("cifar10", path=path)
    train = np.concatenate([images[name] for name in CIFAR[:5]])
    assert (found.image_shape, found.bins) == ((3, 32, 32), 256)
    assert np.array_equal(np.concatenate([found.train, found.validation]), train)
    assert len(found.validation) == 2
    assert np.array_equal(found.test, images["test_batch.bin"])


@pytest.mark.parametrize("missing", CIFAR)
def test_cifar10_with_a_batch_missing(tmp_path, rng, missing):
    _, content = _cifar_batches(rng)
    del content[missing]
    _write_cifar(tmp_path, content)
    with pytest.raises(DataError, match=f"{missing} is missing"):
        image_set("cifar10", path=tmp_path)
    _write_archive(tmp_path / "all.tar.gz", content)
    with pytest.raises(DataError, match=f"{missing} is missing in .*all.tar.gz"):
        image_set("cifar10", path=tmp_path / "all.tar.gz")


def test_cifar10_truncated_foreign_or_pickled(tmp_path, rng):
    _, content = _cifar_batches(rng)
    _write_cifar(tmp_path / "short", content | {"data_batch_3.bin": b"\0" * 5000})
    with pytest.raises(DataError, match=r"data_batch_3.bin must be.*5,000 bytes.*truncated"):
        image_set("cifar10", path=tmp_path / "short")
    _write_cifar(tmp_path / "empty", content | {"test_batch.bin": b""})
    with pytest.raises(DataError, match=r"test_batch.bin must be"):
        image_set("cifar10", path=tmp_path / "empty")
    _write_cifar(tmp_path / "labels", content | {"data_batch_2.bin": b"\x0a" * 3073})
    with pytest.raises(DataError, match=r"data_batch_2.bin must be.*label 10"):
        image_set("cifar10", path=tmp_path / "labels")
    _write_archive(tmp_path / "whole.tar.gz", content)
    whole = (tmp_path / "whole.tar.gz").read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.tar.gz").write_text("not an archive")
    for name in ("half.tar.gz", "text.tar.gz"):
        with pytest.raises(DataError, match=f"{name} must be the archive"):
            image_set("cifar10", path=tmp_path / name)
    python = tmp_path / "python" / "cifar-10-batches-py"
    _write_cifar(python, {"data_batch_1": pickle.dumps({"data": 1})})
    for path in (python, python.parent):
        with pytest.raises(DataError, match=r"pickled: get the binary version"):
            image_set("cifar10", path=path)
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(DataError, match=r"is missing"):
            image_set("cifar10", path=path)


def _write_imagenet(folder, rng, side=32, save=np.savez, batches=2):
    rows = {f"train_data_batch_{k + 1}": 3 for k in range(batches)} | {"val_data": 2}
    arrays = {}
    for name, count in rows.items():
        arrays[name] = rng.integers(0, 256, (count, 3 * side**2), dtype=np.uint8)
        save(folder / f"{name}.npz", labels=np.arange(count), data=arrays[name], mean=np.zeros(3))
    return arrays


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("side", [32, 64])
def test_imagenet(tmp_path, rng, side, save):
    arrays = _write_imagenet(tmp_path, rng, side, save, batches=11)
    found = image_set(f"imagenet{side}", path=tmp_path)
    train = np.concatenate([arrays[f"train_data_batch_{k}"] for k in range(1, 12)])
    assert (found.image_shape, found.bins) == ((3, side, side), 256)
    together = np.concatenate([found.train, found.validation])
    assert np.array_equal(together, train.reshape(-1, 3, side, side))
    assert np.array_equal(found.test, arrays["val_data"].reshape(-1, 3, side, side))


def test_imagenet_larger_than_the_memory_is_read_by_rows(tmp_path, rng, monkeypatch):
    arrays = _write_imagenet(tmp_path, rng)
    monkeypatch.setattr(stack, "SMALL", 0)
    found = image_set("imagenet32", path=tmp_path, n_bits=3)
    train = np.concatenate([arrays["train_data_batch_1"], arrays["train_data_batch_2"]])
    train = train.reshape(-1, 3, 32, 32) >> 5
    assert isinstance(found.train, Stack) and found.bins == 8
    assert found.train.shape == (5, 3, 32, 32) and len(found.validation) == 1
    assert found.train.ndim == 4 and found.train.dtype == np.uint8
    assert np.array_equal(found.train[[4, 0, 2, 4]], train[[4, 0, 2, 4]])
    assert np.array_equal(found.train[1:4], train[1:4])
    assert np.array_equal(found.train[-1], train[4])
    assert np.array_equal(found.validation, train[5:])
    assert found.train[:0].shape == (0, 3, 32, 32)
    flow = cr.flows.build("glow", "affine", (3, 32, 32), 1, 1, 2, 8)
    result = cr.train(flow, found.train, found.validation, steps=1, batch_size=2)
    again = cr.train(flow, train[:5], train[5:], steps=1, batch_size=2)
    assert result.best_bits == again.best_bits
    evaluation = cr.evaluate(flow, result.params, found.test, draws=1)
    assert evaluation.images == 2


def test_imagenet_missing_truncated_foreign_or_pickled(tmp_path, rng):
    _write_imagenet(tmp_path, rng, batches=3)
    with pytest.raises(DataError, match=r"train_data_batch_1.npz must be.*\(N, 12288\)"):
        image_set("imagenet64", path=tmp_path)
    whole = (tmp_path / "val_data.npz").read_bytes()
    (tmp_path / "val_data.npz").write_bytes(whole[:-100])
    with pytest.raises(DataError, match=r"val_data.npz must be.*or damaged"):
        image_set("imagenet32", path=tmp_path)
    np.savez(tmp_path / "val_data.npz", data=np.array([{"a": 1}] * 2, dtype=object))
    with pytest.raises(DataError, match=r"val_data.npz must be.*pickled objects"):
        image_set("imagenet32", path=tmp_path)
    np.savez(tmp_path / "val_data.npz", pictures=np.zeros(3))
    with pytest.raises(DataError, match=r"val_data.npz must be.*data"):
        image_set("imagenet32", path=tmp_path)
    (tmp_path / "val_data.npz").unlink()
    with pytest.raises(DataError, match=r"val_data.npz is missing"):
        image_set("imagenet32", path=tmp_path)
    for number in (2, 1):
        (tmp_path / f"train_data_batch_{number}.npz").unlink()
        with pytest.raises(DataError, match=f"train_data_batch_{number}.npz is missing"):
            image_set("imagenet32", path=tmp_path)
    only_pickles = tmp_path / "pickles"
    only_pickles.mkdir()
    (only_pickles / "train_data_batch_1").write_bytes(pickle.dumps({"data": 1}))
    with pytest.raises(DataError, match=r"train_data_batch_1 is pickled"):
        image_set("imagenet32", path=only_pickles)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=r"train_data_batch_1.npz is missing"):
        image_set("imagenet32", path=empty)


def test_an_npz_whose_header_lies_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (9, 3072)}
    )
    with zipfile.ZipFile(tmp_path / "val_data.npz", "w") as archive:
        archive.writestr("data.npy", header.getvalue() + b"\0" * 3072)
    with pytest.raises(DataError, match=r"size of shape"):
        image_set("array", path=tmp_path / "val_data.npz")


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("name", ["arr_0", 300 * "a"])
def test_either_version_of_the_format_and_names_of_any_length(tmp_path, rng, version, name):
    images, content = rng.integers(0, 256, (9, 4, 4), dtype=np.uint8), io.BytesIO()
    np.lib.format.write_array(content, images, version)
    with zipfile.ZipFile(tmp_path / "images.npz", "w") as archive:
        archive.writestr(f"{name}.npy", content.getvalue())
    found = image_set("array", path=tmp_path / "images.npz")
    parts = np.concatenate([found.train, found.validation, found.test])
    assert np.array_equal(parts[:, 0], images[np.random.default_rng(0).permutation(9)])


def _idx(images):
    count, height, width = images.shape
    header = b"".join(n.to_bytes(4, "big") for n in (0x803, count, height, width))
    return header + images.tobytes()


def _write_mnist(folder, rng, zipped=True):
    images = [rng.integers(0, 256, (count, 7, 5), dtype=np.uint8) for count in (20, 3)]
    for name, part in zip(("train", "t10k"), images, strict=True):
        file = folder / f"{name}-images-idx3-ubyte"
        if zipped:
            file.with_name(file.name + ".gz").write_bytes(gzip.compress(_idx(part)))
        else:
            file.write_bytes(_idx(part))
    return images


@pytest.mark.parametrize("count, held_out", [(9, 1), (19, 1), (20, 2)])
def test_a_tenth_of_the_training_images_validates(tmp_path, rng, count, held_out):
    images = rng.integers(0, 256, (count, 1, 1), dtype=np.uint8)
    for name in ("train", "t10k"):
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(_idx(images))
    sizes = [len(part) for part in np.array_split(images, 5)] + [1]
    records = {name: bytes(3073 * size) for name, size in zip(CIFAR, sizes, strict=True)}
    _write_cifar(tmp_path, records)
    np.save(tmp_path / "images.npy", images)
    assert len(image_set("array", path=tmp_path / "images.npy").validation) == held_out
    for name in ("mnist", "cifar10"):
        found = image_set(name, path=tmp_path)
        assert [len(found.train), len(found.validation)] == [count - held_out, held_out]


@pytest.mark.parametrize("count, held_out", [(2, 1), (199, 1), (200, 2)])
def test_a_hundredth_of_imagenet_validates(tmp_path, count, held_out):
    for name in ("train_data_batch_1", "val_data"):
        np.savez(tmp_path / f"{name}.npz", data=np.zeros((count, 3072), np.uint8))
    found = image_set("imagenet32", path=tmp_path)
    assert [len(found.train), len(found.validation)] == [count - held_out, held_out]


@pytest.mark.parametrize("zipped", [True, False])
def test_mnist(tmp_path, rng, zipped):
    train, test = _write_mnist(tmp_path, rng, zipped)
    found = image_set("mnist", path=tmp_path)
    assert (found.image_shape, found.bins) == ((1, 7, 5), 256)
    assert np.array_equal(found.train, train[:18, None])
    assert np.array_equal(found.validation, train[18:, None])
    assert np.array_equal(found.test, test[:, None])


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda content: content[:-1], "104 *: it is truncated"),
        (lambda content: content + b"\0", "truncated, or damaged"),
        (lambda content: b"\0\0\x08\x01" + content[4:], "its first bytes are"),
        (lambda content: content[:9], "its first bytes are"),
    ],
)
def test_mnist_truncated_or_foreign(tmp_path, rng, spoil, said):
    _, test = _write_mnist(tmp_path, rng)
    file = tmp_path / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(spoil(_idx(test))))
    with pytest.raises(DataError, match=f"t10k-images-idx3-ubyte.gz must .*{said}"):
        image_set("mnist", path=tmp_path)


def test_mnist_damaged_missing_or_uneven(tmp_path, rng):
    _write_mnist(tmp_path, rng)
    file = tmp_path / "train-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    for content in (whole[: len(whole) // 2], b"plain text"):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz must be an idx file"):
            image_set("mnist", path=tmp_path)
    file.write_bytes(gzip.compress(_idx(np.zeros((4, 8, 8), np.uint8))))
    with pytest.raises(DataError, match=r"images of one shape"):
        image_set("mnist", path=tmp_path)
    file.unlink()
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz is missing"):
        image_set("mnist", path=tmp_path)


def _write_emnist(folder, rng, name="letters", ending=".gz"):
    images = [rng.integers(0, 256, (count, 7, 7), dtype=np.uint8) for count in (20, 3)]
    for part, upright in zip(("train", "test"), images, strict=True):
        content = _idx(upright.swapaxes(1, 2))
        file = folder / f"emnist-{name}-{part}-images-idx3-ubyte{ending}"
        file.write_bytes(gzip.compress(content) if ending else content)
    return images


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_emnist_is_turned_upright(tmp_path, rng, ending):
    train, test = _write_emnist(tmp_path, rng, ending=ending)
    found = image_set("emnist", path=tmp_path)
    assert np.array_equal(found.train, train[:18, None])
    assert np.array_equal(found.validation, train[18:, None])
    assert np.array_equal(found.test, test[:, None])


def test_one_of_several_sets_of_emnist(tmp_path, rng):
    with pytest.raises(DataError, match=r"must hold one set, emnist-SET.*; it holds none"):
        image_set("emnist", path=tmp_path)
    letters = _write_emnist(tmp_path, rng)
    _write_emnist(tmp_path, rng, "digits", "")
    with pytest.raises(DataError, match=r"holds the sets emnist-digits, emnist-letters: give"):
        image_set("emnist", path=tmp_path)
    found = image_set("emnist", path=tmp_path / "emnist-letters-train-images-idx3-ubyte.gz")
    assert np.array_equal(found.test, letters[1][:, None])
    (tmp_path / "emnist-digits-test-images-idx3-ubyte").unlink()
    with pytest.raises(DataError, match=r"emnist-digits-test-images-idx3-ubyte.gz is missing"):
        image_set("emnist", path=tmp_path / "emnist-digits-train-images-idx3-ubyte")


def _write_pictures(folder, count, rng, mode="RGB", size=(9, 7)):
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        pixels = rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{k:02}.png")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_of_pictures_of_all_kinds(tmp_path, rng, channels):
    _write_pictures(tmp_path / "a", 9, rng)
    _write_pictures(tmp_path / "b", 6, rng, "L", (5, 12))
    _write_pictures(tmp_path / "b" / "c", 5, rng, "RGBA", (4, 4))
    (tmp_path / "labels.csv").write_text("name,kind\n")
    found = image_set("folder", path=tmp_path, size=4, channels=channels)
    parts = (found.train, found.validation, found.test)
    assert [len(part) for part in parts] == [16, 2, 2]
    assert found.image_shape == (channels, 4, 4) and found.train.dtype == np.uint8
    assert found.bins == 256
    again = image_set("folder", path=tmp_path, size=4, channels=channels)
    assert np.array_equal(found.train, again.train)


def test_pictures_of_the_right_size_are_kept_as_they_are(tmp_path, rng):
    for part in ("train", "val", "test"):
        _write_pictures(tmp_path / part, 2, rng, size=(8, 8))
    found = image_set("folder", path=tmp_path, size=8)
    for name, part in {"train": found.train, "val": found.validation, "test": found.test}.items():
        for k, image in enumerate(part):
            pixels = np.asarray(Image.open(tmp_path / name / f"{k:02}.png"))
            assert np.array_equal(image, pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("count, parts", [(3, [1, 1, 1]), (9, [7, 1, 1]), (29, [25, 2, 2])])
def test_pictures_of_one_pixel_and_parts_of_at_least_one_picture(tmp_path, rng, count, parts):
    _write_pictures(tmp_path, count, rng)
    found = image_set("folder", path=tmp_path, size=1)
    assert found.image_shape == (3, 1, 1)
    assert [len(part) for part in (found.train, found.validation, found.test)] == parts


def test_pictures_are_upright_and_cut_to_the_middle(tmp_path):
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[0, 2:6] = [255, 0, 0]  # red on top, in the middle square
    pixels[:, :2] = pixels[:, 6:] = 9
    for k in range(3):
        Image.fromarray(pixels).save(tmp_path / f"{k}.png")
    found = image_set("folder", path=tmp_path, size=4)
    assert np.array_equal(found.test[0, 0, 0], [255] * 4)
    assert not found.test[0, 0, 1:].any() and not found.test[0, 1:].any()


def test_unreadable_pictures_are_listed(tmp_path, rng):
    _write_pictures(tmp_path, 14, rng)
    whole = (tmp_path / "03.png").read_bytes()
    (tmp_path / "03.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "05.png").write_text("no picture")
    with pytest.raises(DataError, match=r"2 of 14 pictures.*: 03.png, 05.png; mend or remove"):
        image_set("folder", path=tmp_path)
    for k in range(14):
        (tmp_path / f"{k:02}.png").write_text("no picture")
    with pytest.raises(DataError, match=r"and 4 more"):
        image_set("folder", path=tmp_path)


def test_too_few_pictures(tmp_path, rng):
    with pytest.raises(DataError, match=r"holds none"):
        image_set("folder", path=tmp_path)
    _write_pictures(tmp_path, 2, rng)
    with pytest.raises(DataError, match=r"at least 3"):
        image_set("folder", path=tmp_path)
    with pytest.raises(DataError, match=r"is missing"):
        image_set("folder", path=tmp_path / "nowhere")


@pytest.mark.parametrize(
    "shape, expected",
    [
        ((20, 6, 5), (1, 6, 5)),
        ((20, 3, 6, 5), (3, 6, 5)),
        ((20, 6, 5, 3), (3, 6, 5)),
        ((20, 3, 6, 3), (3, 6, 3)),
        ((20, 2, 6, 5), (2, 6, 5)),
        ((20, 6, 5, 1), (1, 6, 5)),
        ((20, 2, 6, 1), (1, 2, 6)),
        ((20, 1, 6, 3), (1, 6, 3)),
        ((20, 6, 5, 7), (6, 5, 7)),
    ],
)
@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
def test_one_array_in_a_file(tmp_path, rng, shape, expected, save):
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / ("images.npy" if save is np.save else "images.npz")
    save(path, images)
    found = image_set("array", path=path)
    parts = (found.train, found.validation, found.test)
    assert [len(part) for part in parts] == [16, 2, 2]
    assert (found.image_shape, found.bins) == (expected, 256)
    together = np.concatenate(parts)
    if images.ndim == 4 and expected[0] != shape[1]:
        images = images.transpose(0, 3, 1, 2)
    images = images.reshape(20, *expected)
    assert np.array_equal(together, images[np.random.default_rng(0).permutation(20)])


def test_parts_and_bins_in_an_npz(tmp_path, rng):
    parts = {
        name: rng.integers(0, 5, (count, 4, 4), dtype=np.uint8)
        for name, count in (("train", 5), ("validation", 2), ("test", 3))
    }
    np.savez(tmp_path / "images.npz", **parts, bins=5)
    found = image_set("array", path=tmp_path / "images.npz")
    assert found.bins == 5
    for name, part in parts.items():
        assert np.array_equal(getattr(found, name), part[:, None])


@pytest.mark.parametrize("count", range(1, 8))
def test_a_stack_is_split_as_an_array_is(rng, count):
    rows = rng.integers(0, 256, (8, 4), dtype=np.uint8)
    whole = Stack([rows[:3], rows[3:5], rows[5:]], (1, 2, 2))
    for part in (whole, whole.shifted(3)):
        images = np.asarray(part)
        first, last = part.split(count)
        assert np.array_equal(first, images[: 8 - count])
        assert np.array_equal(last, images[8 - count :])
        assert [len(first), len(last)] == [8 - count, count]


def test_bins_may_be_an_array_of_one_number(tmp_path, rng):
    path, images = tmp_path / "images.npz", rng.integers(0, 5, (9, 4, 4), dtype=np.uint8)
    np.savez(path, images=images, bins=np.array([5]))
    assert image_set("array", path=path).bins == 5
    np.savez(path, images=images, bins=np.array([5, 5]))
    with pytest.raises(DataError, match=r"must be an integer >= 2; got .*5, 5"):
        image_set("array", path=path)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "must be an npy or npz"),
        (b"plain text", "must be an npy or npz"),
        (pickle.dumps([1, 2, 3]), "must be an npy or npz"),
    ],
)
def test_foreign_files_are_no_array(tmp_path, content, said):
    (tmp_path / "images.npy").write_bytes(content)
    with pytest.raises(DataError, match=f"images.npy {said}"):
        image_set("array", path=tmp_path / "images.npy")


def test_arrays_that_are_no_images(tmp_path):
    path = tmp_path / "images.npy"
    for array in (
        np.zeros((9, 4, 4)),
        np.zeros((9, 4), np.uint8),
        np.zeros((0, 4, 4), np.uint8),
    ):
        np.save(path, array)
        with pytest.raises(DataError, match=r"images.npy must be.*unsigned bytes.*; got "):
            image_set("array", path=path)
    np.save(path, np.array([{}] * 4))
    with pytest.raises(DataError, match=r"images.npy must be an npy or npz"):
        image_set("array", path=path)
    images = np.zeros((9, 4, 4), np.uint8)
    np.save(path, images)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"images.npy must be"):
        image_set("array", path=path)
    with pytest.raises(DataError, match=r"nothing.npy is missing"):
        image_set("array", path=tmp_path / "nothing.npy")
    path = tmp_path / "images.npz"
    np.savez(path, one=images, two=images)
    with pytest.raises(DataError, match=r"one array, or train, validation, test; got one, two"):
        image_set("array", path=path)
    colour = np.zeros((9, 3, 4, 4), np.uint8)
    for other in (images[:, :2], images[:, :, :2], colour):
        np.savez(path, train=images, validation=images, test=other)
        with pytest.raises(DataError, match=r"images of one shape"):
            image_set("array", path=path)


def test_what_may_not_be_read(tmp_path, monkeypatch):
    from cinc_ref.data.reading import reading

    with (
        pytest.raises(DataError, match=r"cannot read secret: Permission denied"),
        reading("secret", "an npy"),
    ):
        raise PermissionError(13, "Permission denied")
