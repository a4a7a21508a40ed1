"""What a picture is: which files are read, and what every mode, tag and orientation becomes."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, features

from cinc_ref.data import image_set
from cinc_ref.data.picture import ENDINGS
from cinc_ref.errors import DataError

SIZE = 8


def _read(folder, channels=1):
    """Write the file three times over, if it is one, and return its image."""
    images = image_set("folder", path=folder, size=SIZE, channels=channels)
    return images.train[0]


def _thrice(folder, ending, save):
    """Write a picture three times; older Pillows write fewer modes."""
    for k in range(3):
        try:
            save(folder / f"{k}{ending}")
        except (KeyError, OSError) as error:
            pytest.skip(f"this Pillow does not write it: {error}")
    return folder


def _ramp(dtype=np.uint8, top=255):
    return np.linspace(0, top, SIZE * SIZE).astype(dtype).reshape(SIZE, SIZE)


# ---- which files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hidden",
    [
        ".ipynb_checkpoints/0-checkpoint.png",
        "._0.png",
        ".0.png",
        "__MACOSX/0.png",
        "@eaDir/0.png",
        ".Trash/a/0.png",
        "Thumbs.db",
        "desktop.ini",
        "a/.thumbnails/0.png",
    ],
)
def test_hidden_files_and_folders_are_not_read(tmp_path, hidden):
    _thrice(tmp_path, ".png", Image.fromarray(_ramp()).save)
    (tmp_path / hidden).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / hidden).write_bytes(b"no picture")
    images = image_set("folder", path=tmp_path, size=SIZE)
    assert sum(map(len, (images.train, images.validation, images.test))) == 3


@pytest.mark.parametrize(
    "ending", [".eps", ".ps", ".pdf", ".h5", ".mpg", ".wmf", ".grib", ".jp2", ".ico"]
)
def test_endings_that_pillow_does_not_decode_by_itself_are_ignored(tmp_path, ending):
    _thrice(tmp_path, ".png", Image.fromarray(_ramp()).save)
    (tmp_path / f"more{ending}").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    images = image_set("folder", path=tmp_path, size=SIZE)
    assert sum(map(len, (images.train, images.validation, images.test))) == 3


def test_postscript_under_the_name_of_a_picture_is_refused(tmp_path):
    text = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    _thrice(tmp_path, ".png", lambda path: path.write_bytes(text))
    with pytest.raises(DataError, match=r"3 of 3 pictures .* cannot be read: 0.png, 1.png, 2.png"):
        image_set("folder", path=tmp_path)


@pytest.mark.parametrize(
    "ending", [".bmp", ".gif", ".pcx", ".png", ".pgm", ".sgi", ".tga", ".tif", ".PNG"]
)
def test_formats_without_loss_return_every_level(tmp_path, ending):
    image = _read(_thrice(tmp_path, ending, Image.fromarray(_ramp()).save))
    assert np.array_equal(image[0], _ramp())


def test_every_ending_is_one_that_pillow_opens():
    openable = {
        ending for ending, name in Image.registered_extensions().items() if name in Image.OPEN
    }
    known_to_few = {".avif", ".avifs", ".pfm", ".qoi", ".mpo"}
    assert openable | known_to_few >= ENDINGS
    assert not ENDINGS & {".eps", ".ps", ".pdf", ".h5", ".hdf", ".mpg", ".mpeg", ".wmf", ".emf"}


# ---- modes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode, ending",
    [
        ("1", ".png"),
        ("L", ".png"),
        ("P", ".png"),
        ("RGB", ".png"),
        ("CMYK", ".tif"),
        ("YCbCr", ".tif"),
        ("LAB", ".tif"),
    ],
)
def test_modes_of_8_bits_are_converted_by_pillow(tmp_path, mode, ending):
    colours = np.stack([_ramp(), _ramp()[::-1], _ramp().T], axis=2)
    picture = Image.fromarray(colours)
    if mode == "LAB":
        picture = Image.fromarray(np.full((SIZE, SIZE, 3), (200, 128, 128), np.uint8), "LAB")
    picture = picture.convert(mode)
    _thrice(tmp_path, ending, picture.save)
    try:
        Image.open(tmp_path / f"0{ending}").load()
    except OSError as error:
        pytest.skip(f"this Pillow does not read what it wrote: {error}")
    image = _read(tmp_path, channels=3)
    assert np.array_equal(image, np.asarray(picture.convert("RGB")).transpose(2, 0, 1))


@pytest.mark.parametrize("ending", [".png", ".tif", ".pgm"])
def test_levels_of_16_bits_are_divided_by_256(tmp_path, ending):
    levels = _ramp(np.uint16, 65535)
    image = _read(_thrice(tmp_path, ending, Image.fromarray(levels).save))
    assert np.array_equal(image[0], levels // 256)
    colour = _read(tmp_path, channels=3)
    assert np.array_equal(colour, np.stack(3 * [levels // 256]))


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B"])
def test_either_byte_order_of_16_bits(tmp_path, mode):
    levels = _ramp(np.uint16, 65535)
    order = ">u2" if mode == "I;16B" else "<u2"
    picture = Image.frombytes(mode, (SIZE, SIZE), levels.astype(order).tobytes())
    image = _read(_thrice(tmp_path, ".tif", picture.save))
    assert np.array_equal(image[0], levels // 256)


def test_16_bits_where_0_is_white(tmp_path):
    levels = _ramp(np.uint16, 65535)
    _thrice(tmp_path, ".tif", Image.fromarray(levels).save)
    for path in tmp_path.iterdir():  # Pillow writes the tag 262: 1, as a short
        content = path.read_bytes()
        entry = struct.pack("<HHIH", 262, 3, 1, 1)
        assert entry in content
        path.write_bytes(content.replace(entry, struct.pack("<HHIH", 262, 3, 1, 0)))
    assert np.array_equal(_read(tmp_path)[0], 255 - levels // 256)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_wide_levels_are_scaled_from_the_range_that_is_declared(tmp_path, dtype):
    levels = _ramp(dtype, 1000)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[340], tags[341] = 0.0, 1000.0
    tags.tagtype[340] = tags.tagtype[341] = 12
    _thrice(tmp_path, ".tif", lambda path: Image.fromarray(levels).save(path, tiffinfo=tags))
    expected = np.minimum(levels.astype(float) / 1000 * 256, 255).astype(np.uint8)
    assert np.array_equal(_read(tmp_path)[0], expected)


@pytest.mark.parametrize("dtype, mode", [(np.float32, "F"), (np.int32, "I")])
def test_wide_levels_of_unknown_range_are_refused_by_name_and_mode(tmp_path, dtype, mode):
    _thrice(tmp_path, ".tif", Image.fromarray(_ramp(dtype, 1000)).save)
    with pytest.raises(DataError, match=rf"0.tif \(mode {mode}, whose range of levels is unknown"):
        _read(tmp_path)


def test_levels_that_are_no_numbers_are_refused(tmp_path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[340], tags[341] = 0.0, 1.0
    tags.tagtype[340] = tags.tagtype[341] = 12
    picture = Image.fromarray(np.full((SIZE, SIZE), np.nan, np.float32))
    _thrice(tmp_path, ".tif", lambda path: picture.save(path, tiffinfo=tags))
    with pytest.raises(DataError, match=r"0.tif \(mode F, and levels that are no numbers"):
        _read(tmp_path)


# ---- transparency --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparent_parts_are_white_whatever_colour_they_hide(tmp_path, mode, channels):
    pixels = np.full((SIZE, SIZE, len(mode)), 77, np.uint8)
    pixels[..., -1] = 255
    pixels[:4, :, -1] = 0
    pixels[:2, :, :-1] = 13  # the colour that cannot be seen
    image = _read(_thrice(tmp_path, ".png", Image.fromarray(pixels, mode).save), channels)
    assert (image[:, :4] == 255).all() and (image[:, 4:] == 77).all()


def test_half_transparent_parts_are_mixed_with_white(tmp_path):
    pixels = np.full((SIZE, SIZE, 4), (0, 100, 200, 51), np.uint8)  # 51/255 = 1/5
    image = _read(_thrice(tmp_path, ".png", Image.fromarray(pixels).save), 3)
    assert np.array_equal(image[:, 0, 0], [204, 224, 244])


@pytest.mark.parametrize("ending", [".png", ".gif"])
def test_a_transparent_colour_of_a_palette_is_white(tmp_path, ending):
    picture = Image.fromarray(
        np.repeat([[0], [1]], 4, axis=0).repeat(SIZE, 1).astype(np.uint8), "P"
    )
    picture.putpalette([200, 10, 10, 10, 200, 10] + 254 * [0, 0, 0])
    _thrice(tmp_path, ending, lambda path: picture.save(path, transparency=0))
    image = _read(tmp_path, 3)
    assert (image[:, :4] == 255).all()
    assert (image[:, 4:] == np.array([10, 200, 10])[:, None, None]).all()


@pytest.mark.parametrize("picture, transparent", [
    (Image.new("L", (SIZE, SIZE), 60), 60),
    (Image.new("RGB", (SIZE, SIZE), (1, 2, 3)), (1, 2, 3)),
    (Image.fromarray(np.full((SIZE, SIZE), 300, np.uint16)), 300),
])  # fmt: skip
def test_a_transparent_level_or_colour_is_white(tmp_path, picture, transparent):
    _thrice(tmp_path, ".png", lambda path: picture.save(path, transparency=transparent))
    assert (_read(tmp_path) == 255).all()


# ---- orientation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(tmp_path, orientation, ending):
    if ending == ".webp" and not features.check("webp"):
        pytest.skip("this Pillow has no WebP")
    upright = _ramp()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    more = {"lossless": True} if ending == ".webp" else {}
    picture = Image.fromarray(np.ascontiguousarray(stored))
    _thrice(tmp_path, ending, lambda path: picture.save(path, exif=exif, **more))
    assert np.array_equal(_read(tmp_path)[0], upright)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"]
)
def test_damaged_exif_data_do_not_matter(tmp_path, exif):
    picture = Image.fromarray(_ramp())
    _thrice(tmp_path, ".png", lambda path: picture.save(path, exif=exif))
    assert np.array_equal(_read(tmp_path)[0], _ramp())


# ---- sizes ---------------------------------------------------------------------------------------


def _flat_png(path, side):
    """Write a PNG of one black square of 1 bit a pixel."""
    rows = zlib.compress(bytes((side + 7) // 8 + 1) * side, 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    content = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize("side, message", [
    (3000, "3000x3000 pixels in a file of [0-9,]+ bytes"),
    (9000, "9000x9000 pixels, more than 67,108,864"),
    (13_000, "13000x13000 pixels, more than"),
    (20_000, "more than 67,108,864 pixels"),
])  # fmt: skip
def test_pictures_that_unpack_to_far_more_are_refused_by_name(tmp_path, side, message):
    for k in range(3):
        _flat_png(tmp_path / f"{k}.png", SIZE)
    _flat_png(tmp_path / "bomb.png", side)
    with pytest.raises(DataError, match=rf"1 of 4 pictures .*: bomb.png \({message}"):
        _read(tmp_path)


def test_a_large_photograph_is_read(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2100, 2100), dtype=np.uint8)
    image = _read(_thrice(tmp_path, ".jpg", Image.fromarray(noise).save))
    assert image.shape == (1, SIZE, SIZE)


@pytest.mark.parametrize("shape", [(9, 32, 32, 4), (9, 5, 4, 4), (9, 8, 8, 2)])
def test_arrays_of_images_with_transparency_are_refused(tmp_path, shape):
    np.save(tmp_path / "images.npy", np.zeros(shape, np.uint8))
    problem = rf"transparency \(N, H, W, {shape[3]}\) have: lay them .* {shape[3] - 1}\)$"
    with pytest.raises(DataError, match=problem):
        image_set("array", path=tmp_path / "images.npy")


@pytest.mark.parametrize("shape, image", [
    ((9, 32, 30, 1), (1, 32, 30)),
    ((9, 32, 30, 3), (3, 32, 30)),
    ((9, 4, 6, 5), (4, 6, 5)),
    ((9, 4, 8, 4), (4, 8, 4)),
    ((9, 2, 8, 4), (2, 8, 4)),
])  # fmt: skip
def test_the_channels_of_an_array(tmp_path, shape, image):
    np.save(tmp_path / "images.npy", np.zeros(shape, np.uint8))
    assert image_set("array", path=tmp_path / "images.npy").image_shape == image
