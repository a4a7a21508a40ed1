"""Small files of every format that is read, as bytes by the names that their readers expect."""

import gzip
import io
import struct
import tarfile
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

import cinc_ref as cr

CIFAR = [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]


def _npy(images):
    content = io.BytesIO()
    np.save(content, images)
    return content.getvalue()


def _npz(compression=zipfile.ZIP_STORED, **arrays):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, values in arrays.items():
            archive.writestr(f"{name}.npy", _npy(np.asarray(values)))
    return content.getvalue()


def _idx(images):
    return struct.pack(">IIII", 0x803, *images.shape) + images.tobytes()


def arrays():
    """Return files for the reader of arrays."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (9, 4, 4), dtype=np.uint8)
    parts = {"train": grey, "test": grey[:3], "bins": 256}
    return {
        "grey.npy": _npy(grey),
        "colour.npy": _npy(rng.integers(0, 256, (4, 3, 2, 3), dtype=np.uint8)),
        "fortran.npy": _npy(np.asfortranarray(grey)),
        "stored.npz": _npz(**parts),
        "deflated.npz": _npz(zipfile.ZIP_DEFLATED, **parts),
    }


def mnist():
    """Return the two files of MNIST."""
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    return {
        "train-images-idx3-ubyte.gz": gzip.compress(_idx(images), mtime=0),
        "t10k-images-idx3-ubyte": _idx(images[:2]),
    }


def emnist():
    """Return the two files of a set of EMNIST."""
    first, second = mnist().values()
    return {
        "emnist-letters-train-images-idx3-ubyte.gz": first,
        "emnist-letters-test-images-idx3-ubyte": second,
    }


def cifar():
    """Return the six batches of CIFAR-10."""
    return {name: bytes([k]) + bytes(3072) for k, name in enumerate(CIFAR)}


def cifar_archive():
    """Return CIFAR-10's archive, with a long name in it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        for name, data in {**cifar(), 120 * "a": b"text"}.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return {"cifar-10-binary.tar.gz": content.getvalue()}


def imagenet():
    """Return two batches of downsampled ImageNet and its test part."""
    rows = np.zeros((2, 3072), np.uint8)
    return {
        "train_data_batch_1.npz": _npz(data=rows, labels=[1, 2]),
        "train_data_batch_2.npz": _npz(zipfile.ZIP_DEFLATED, data=rows),
        "val_data.npz": _npz(zipfile.ZIP_DEFLATED, data=rows),
    }


def pictures():
    """Return a picture of every format that this Pillow writes, in several modes."""
    colours = np.random.default_rng(0).integers(0, 256, (5, 6, 4), dtype=np.uint8)
    wide = np.arange(30, dtype=np.uint16).reshape(5, 6) * 2000
    rgb, rgba, grey = (Image.fromarray(colours[..., part]) for part in (slice(3), slice(4), 0))
    palette = rgb.convert("P", palette=Image.Palette.ADAPTIVE)
    exif = Image.Exif()
    exif[0x0112] = 6
    table = {
        "rgb.png": (rgb, {"exif": exif}),
        "rgba.png": (rgba, {}),
        "palette.png": (palette, {"transparency": 0}),
        "wide.png": (Image.fromarray(wide), {}),
        "grey.png": (grey, {"transparency": 7}),
        "bits.png": (grey.convert("1"), {}),
        "rgb.bmp": (rgb, {}),
        "rgb.dib": (rgb, {}),
        "rgba.dds": (rgba, {}),
        "palette.gif": (palette, {"transparency": 0}),
        "rgb.jpg": (rgb, {"exif": exif}),
        "progressive.jpg": (rgb, {"progressive": True}),
        "cmyk.jpg": (rgb.convert("CMYK"), {}),
        "rgb.pcx": (rgb, {}),
        "rgb.ppm": (rgb, {}),
        "wide.pgm": (Image.fromarray(wide), {}),
        "bits.pbm": (grey.convert("1"), {}),
        "rgb.sgi": (rgb, {}),
        "rgb.tga": (rgb, {"compression": "tga_rle"}),
        "rgb.tif": (rgb, {"exif": exif}),
        "wide.tif": (Image.fromarray(wide), {}),
        "lzw.tif": (grey, {"compression": "tiff_lzw"}),
        "deflate.tif": (rgba, {"compression": "tiff_adobe_deflate"}),
        "jpeg.tif": (rgb, {"compression": "jpeg"}),
        "float.tif": (Image.fromarray(wide.astype(np.float32)), {}),
    }
    table |= {
        "rgb.webp": (rgb, {"exif": exif}),
        "rgba.webp": (rgba, {"lossless": True}),
        "rgb.avif": (rgb, {"speed": 10}),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, (picture, options) in table.items():
            with suppress(KeyError, OSError, ValueError):  # what this Pillow does not write
                picture.save(Path(folder, name), **options)
        return {file.name: file.read_bytes() for file in sorted(Path(folder).iterdir())}


def checkpoints():
    """Return a saved model, and the two files of a run of one step."""
    flow = cr.flows.build("glow", "affine", (1, 4, 4), levels=1, depth=1, width=2, bins=4)
    images = np.random.default_rng(0).integers(0, 4, (6, 1, 4, 4), dtype=np.uint8)
    origin = {"name": "digits", "options": {"path": "there"}, "test_images": "uint8[9]"}
    with tempfile.TemporaryDirectory() as folder:
        result = cr.train(flow, images, images, steps=1, out=folder, origin=origin)
        model = Path(folder, "model.npz")
        cr.save(model, flow, result.params)
        return {file.name: file.read_bytes() for file in sorted(Path(folder).glob("*.npz"))}
