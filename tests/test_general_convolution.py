"""The matrix of any convolution against direct computation, and what is read off it."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.signal

import cinc_ref as cr
from cinc_ref import theory
from cinc_ref.errors import DtypeError, OptionError, ShapeError
from cinc_ref.geometry import CORNERS
from cinc_ref.theory.exact import matrix_determinant
from cinc_ref.theory.general_convolution import PADDINGS
from cinc_ref.theory.padding import padded_matrix

PAD_MODES = {
    "circular": "wrap",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "replicate": "edge",
}


def random_convolution(rng):
    """A description of a convolution, and an image size that it takes."""
    dims = int(rng.integers(1, 4))
    groups, inputs, outputs = (int(n) for n in rng.integers(1, 3, 3))
    taps = rng.integers(1, 4 if dims < 3 else 3, dims)
    padding = str(rng.choice(list(PADDINGS)))
    dilation = rng.integers(1, 4, dims) if dims < 3 else rng.integers(1, 3, dims)
    size = rng.integers(1, 7 if dims < 3 else 4, dims)
    if padding == "valid":
        size = size + (taps - 1) * dilation
    kernel = rng.integers(-9, 10, (groups * outputs, inputs, *taps))
    options = {
        "dims": dims, "padding": padding, "groups": groups,
        "stride": tuple(map(int, rng.integers(1, 4, dims))),
        "dilation": tuple(map(int, dilation)),
        "corner": tuple(map(bool, rng.integers(2, size=dims))),
    }  # fmt: skip
    if padding != "valid":
        options["anchor"] = tuple(int(rng.integers(k)) for k in taps)
    return theory.Convolution(kernel, **options), tuple(map(int, size))


def directly(convolution, image):
    """The output by padding a flipped image with NumPy and correlating it with SciPy."""
    axes = [1 + axis for axis, backwards in enumerate(convolution.corner) if backwards]
    image = np.flip(image, axes)
    taps, dilation = convolution.kernel.shape[2:], convolution.dilation
    if convolution.padding != "valid":
        widths = [
            (anchor * d, (k - 1 - anchor) * d)
            for anchor, k, d in zip(convolution.anchor, taps, dilation, strict=True)
        ]
        mode = PAD_MODES.get(convolution.padding, "constant")
        image = np.pad(image, [(0, 0), *widths], mode=mode)
    inputs = convolution.kernel.shape[1]
    outputs = len(convolution.kernel) // convolution.groups
    result = []
    for o, weights in enumerate(convolution.kernel):
        spread = np.zeros((inputs, *((k - 1) * d + 1 for k, d in zip(taps, dilation, strict=True))))
        spread[(slice(None), *(slice(None, None, d) for d in dilation))] = weights
        first = o // outputs * inputs
        result.append(scipy.signal.correlate(image[first : first + inputs], spread, "valid")[0])
    strides = [slice(None, None, stride) for stride in convolution.stride]
    return np.flip(np.array(result)[(slice(None), *strides)], axes)


def test_the_matrix_is_that_of_direct_computation_in_300_descriptions():
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        convolution, size = random_convolution(rng)
        image = rng.integers(-9, 10, (convolution.channels[0], *size))
        expected = directly(convolution, image)
        assert expected.shape == (convolution.channels[1], *convolution.output_size(size))
        matrix = convolution.matrix(size)
        output = matrix @ np.moveaxis(image, 0, -1).ravel()
        output = np.moveaxis(output.reshape(*expected.shape[1:], len(expected)), -1, 0)
        assert np.abs(output - expected).max() < 1e-6, str(convolution)
        assert (convolution.matrix(size, sparse=True).toarray() == matrix).all()
        seen.add((convolution.dims, convolution.padding))
    assert len(seen) == 3 * len(PADDINGS)


def test_causal_padding_is_the_convolution_of_the_package():
    rng = np.random.default_rng(1)
    for corner in CORNERS:
        kernel = rng.integers(-9, 10, (2, 2, 2, 3))
        kernel[:, :, 1, 2] = 0
        options = {"corner": corner, "dilation": 2, "anchor": (1, 1)}
        matrix = theory.Convolution(kernel, **options).matrix((4, 5))
        assert (matrix == cr.convolution_matrix(kernel, (4, 5), **options)).all()


@pytest.mark.parametrize("padding", ["same", "circular", "causal"])
def test_paddings_are_those_of_theorem_6(padding):
    kernel = np.arange(1, 10).reshape(1, 1, 3, 3)
    matrix = theory.Convolution(kernel, padding=padding).matrix((4, 3))
    assert (matrix == padded_matrix(kernel, (4, 3), padding)).all()


def test_rank_determinant_and_null_vectors_agree():
    rng = np.random.default_rng(2)
    singular = 0
    for _ in range(60):
        kernel = rng.integers(-1, 2, (2, 2, 2, 2))
        padding = str(rng.choice(["same", "circular", "reflect", "replicate"]))
        convolution = theory.Convolution(kernel, padding=padding)
        matrix, vectors = convolution.matrix((2, 3)), convolution.null_vectors((2, 3))
        assert convolution.rank((2, 3)) + len(vectors) == 12
        assert (convolution.determinant((2, 3)) == 0) == bool(vectors)
        assert convolution.determinant((2, 3)) == matrix_determinant(matrix)
        if vectors:
            flat = np.array([np.moveaxis(vector, 0, -1).ravel() for vector in vectors])
            assert not (matrix @ flat.T).any()
            assert np.linalg.matrix_rank(flat.astype(float)) == len(vectors)
            assert (np.gcd.reduce(flat, axis=1) == 1).all()
        singular += bool(vectors)
    assert 5 < singular < 55


def test_the_kernel_of_ones():
    ones = np.ones((1, 1, 3, 3), int)
    assert theory.Convolution(ones, padding="same").rank((5, 5)) == 16
    assert theory.Convolution(ones, padding="circular").rank((3, 3)) == 1
    assert theory.Convolution(ones).determinant((5, 5)) == 1


def test_floats_and_fractions_are_exact():
    """Three taps fall on one entry: in floating point 0.1 + 0.2 - 0.3 is not 0, and it is not."""
    kernel = np.array([[[0.1, 0.2, -0.3]]])
    assert theory.Convolution(kernel, dims=1, padding="circular").determinant((1,)) == (
        Fraction(0.1) + Fraction(0.2) + Fraction(-0.3)
    )
    thirds = np.array([[[Fraction(1, 3), Fraction(1, 3), Fraction(-2, 3)]]])
    assert theory.Convolution(thirds, dims=1, padding="circular").determinant((1,)) == 0


def test_circular_determinants_are_products_over_the_fourier_points():
    rng = np.random.default_rng(3)
    for dims, size in ((1, (5,)), (2, (3, 4)), (3, (2, 2, 3))):
        for corner in (dims * (False,), dims * (True,)):
            kernel = rng.integers(-3, 4, (2, 2, *dims * (2,)))
            options = {"dims": dims, "padding": "circular", "corner": corner}
            convolution = theory.Convolution(kernel, **options)
            blocks = convolution.fourier_blocks(size)
            assert blocks.shape == (*size, 2, 2)
            product = np.prod(np.linalg.det(blocks))
            exact = convolution.determinant(size)
            largest = np.prod(np.linalg.norm(blocks, axis=(-2, -1)) ** 2)
            assert abs(product - exact) <= 1e-12 * largest  # each det P is off by eps ||P||^2
            wave = np.exp(2j * np.pi * np.indices(size)[-1] / size[-1])
            point = (*(dims - 1) * (0,), 1)
            image = np.array([wave, 2j * wave])
            output = convolution.matrix(size) @ np.moveaxis(image, 0, -1).ravel()
            expected = np.moveaxis(np.multiply.outer(blocks[point] @ [1, 2j], wave), 0, -1)
            assert np.allclose(output, expected.ravel(), rtol=0, atol=1e-10)


def test_triangular_in_an_order():
    taps = np.zeros((1, 1, 3, 3), int)
    taps[0, 0, 1, 1], taps[0, 0, 2, 0], taps[0, 0, 1, 0], taps[0, 0, 2, 1] = 5, 2, 3, 4
    convolution = theory.Convolution(taps, padding="same")
    assert not convolution.is_triangular((3, 4))
    assert not theory.Convolution([[[[0, 1, 1]]]], padding="same").is_triangular((1, 2))
    order = theory.causal_order(convolution.taps)
    assert convolution.is_triangular((3, 4), order.pixels((3, 4)))
    assert convolution.determinant((3, 4)) == 5**12
    centred = theory.Convolution(np.ones((1, 1, 3, 3)), padding="same")
    assert not theory.causal_order(centred.taps).exists
    at_the_right = theory.Convolution(taps, corner="top-right")  # whose anchor is tap (2, 2)
    assert at_the_right.taps == [(-1, 2), (-1, 1), (0, 2), (0, 1)]


def test_channel_major_order_is_not_triangular():
    kernel = np.array([[[[1, 5]], [[0, 3]]], [[[2, 7]], [[1, 1]]]])
    lower = kernel.copy()
    lower[0, 1, 0, 1] = 0
    for convolution in (theory.Convolution(kernel), theory.Convolution(lower)):
        assert convolution.is_triangular((1, 3))
    lower[0, 1, 0, 0] = 4
    assert not theory.Convolution(lower).is_triangular((1, 3), "channel-major")
    lower[0, 1] = 0
    assert theory.Convolution(lower).is_triangular((1, 3), "channel-major")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dims": 0}, "dims must be an integer >= 1; got 0"),
        (
            {"dims": 1},
            r"dims must be 2, the number of image axes of a kernel of shape \(3, 3, 2, 2",
        ),
        ({"padding": "zeros"}, "padding must be one of causal, same, valid, circular, reflect"),
        ({"groups": 2}, "groups must divide the kernel's 3 output channels; got 2"),
        ({"stride": 0}, r"stride must be an integer >= 1, or 2 of them; got 0"),
        ({"stride": (1, 2, 3)}, r"stride must be an integer >= 1, or 2 of them; got \(1, 2, 3\)"),
        ({"dilation": True}, "dilation must be an integer >= 1, or 2 of them; got True"),
        (
            {"corner": "left"},
            "corner must be one of top-left, top-right, bottom-left, bottom-right",
        ),
        ({"corner": (True,)}, "corner must be one of .*, or 2 truth values; got"),
        ({"anchor": (2, 0)}, r"anchor must be a tap of the kernel of \(2, 2\) taps; got \(2, 0\)"),
        ({"anchor": (1, 1), "padding": "valid"}, "anchor must be the first tap for valid padding"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(OptionError, match=f"^{message}"):
        theory.Convolution(np.ones((3, 3, 2, 2)), **options)


def test_wrong_kernels_and_sizes_are_refused():
    with pytest.raises(ShapeError, match=r"^kernel must have the axes .*; got shape \(2, 2\)"):
        theory.Convolution(np.ones((2, 2)))
    with pytest.raises(DtypeError, match=r"^kernel must hold real numbers; got complex128"):
        theory.Convolution(np.ones((1, 1, 1, 1), complex))
    convolution = theory.Convolution(np.ones((1, 1, 2, 2), int), stride=2)
    for call in (convolution.determinant, convolution.null_vectors):
        with pytest.raises(ShapeError, match=r"^the matrix must be square; its shape is \(4, 16\)"):
            call((4, 4))
    with pytest.raises(ShapeError, match=r"^the output must have the image's shape"):
        convolution.is_triangular((4, 4))
    with pytest.raises(
        ShapeError, match=r"^size must be 2 integers >= 1, one for each axis; got 4"
    ):
        convolution.matrix(4)
    with pytest.raises(ShapeError, match=r"^size must be larger than the kernel's reach"):
        theory.Convolution(np.ones((1, 1, 2, 2)), padding="valid").matrix((1, 1))
    with pytest.raises(OptionError, match=r"^fourier_blocks needs circular padding and stride 1"):
        convolution.fourier_blocks((4, 4))
    with pytest.raises(OptionError, match=r"^order must be one of pixel-major, channel-major, or"):
        theory.Convolution(np.ones((1, 1, 1, 1))).is_triangular((1, 2), [(0, 0)])
