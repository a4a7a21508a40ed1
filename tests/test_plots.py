"""Pictures: what they show, not how they look."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_hex

from cinc_ref.errors import ShapeError
from cinc_ref.plots import ANCHOR, image_grid, inverse_figure, matrix_figure
from cinc_ref.theory import convolution_matrix


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def drawn_colours(axes):
    """The face colours of a table of cells, as an array of hexadecimal strings."""
    (mesh,) = axes.collections
    mesh.update_scalarmappable()
    rows, columns = mesh.get_array().shape
    return np.array([to_hex(c) for c in mesh.get_facecolors()]).reshape(rows, columns)


def assert_draws(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    assert buffer.getvalue().startswith(b"\x89PNG")


@pytest.mark.parametrize("channels", [1, 3])
def test_image_grid_shows_every_image(rng, channels):
    figure = image_grid(rng.normal(size=(7, channels, 4, 5)), columns=3, title="seven")
    assert len(figure.axes) == 7
    assert_draws(figure)


def test_image_grid_spans_the_value_range():
    images = np.array([-0.5, 0.5]).reshape(1, 1, 1, 2)
    pixels = image_grid(images, value_range=(-0.5, 1.5)).axes[0].images[0].get_array()
    assert np.array_equal(pixels.squeeze(), [0, 0.5])


def test_constant_images_can_be_drawn():
    assert_draws(image_grid(np.zeros((1, 1, 2, 2), dtype=np.uint8)))


def test_inverse_figure_has_a_row_an_image_and_the_error_last(rng):
    images = rng.normal(size=(3, 1, 4, 5))
    figure = inverse_figure(images, 2 * images, images + 0.25)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 3 * 4
    assert np.allclose(panels[3].images[0].get_array(), 0.25)
    assert_draws(figure)


def test_inverse_figure_without_any_error():
    images = np.zeros((1, 1, 2, 2))
    assert_draws(inverse_figure(images, images, images))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"corner": "bottom-right"},
        {"corner": "top-right", "dilation": 2},
        {"anchor": (1, 1)},
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_matrix_figure_colours_every_nonzero_entry_by_its_tap(rng, channels, options):
    kernel = rng.normal(size=(channels, channels, 2, 3))
    if "anchor" in options:
        kernel[:, :, 1, 2] = 0
    figure = matrix_figure(kernel, (4, 5), **options)
    matrix = convolution_matrix(kernel, (4, 5), **options)
    colours = drawn_colours(figure.axes[0])
    legend = drawn_colours(figure.axes[1])
    assert np.array_equal(colours == "#ffffff", matrix == 0)
    for a, b in np.ndindex(2, 3):
        of_tap = np.isin(matrix, kernel[:, :, a, b]) & (matrix != 0)
        assert set(colours[of_tap]) <= {legend[a, b]}
    assert len(np.unique(legend)) == legend.size
    assert_draws(figure)


def test_matrix_figure_paints_the_diagonal_blocks_in_the_anchor_colour(rng):
    colours = drawn_colours(matrix_figure(rng.normal(size=(1, 1, 3, 3)), (3, 4)).axes[0])
    assert set(np.diag(colours)) == {ANCHOR}


def test_axis_labels_name_the_order(rng):
    figure = matrix_figure(rng.normal(size=(2, 2, 2, 2)), (2, 3))
    for label in (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()):
        assert "pixel-major" in label
        assert "(i·W + j)·C + c" in label


@pytest.mark.parametrize("shape", [(8, 8), (1, 2, 8, 8), (0, 1, 8, 8)])
def test_image_grid_refuses_other_shapes(shape):
    with pytest.raises(ShapeError, match="got"):
        image_grid(np.zeros(shape))


@pytest.mark.parametrize("shape", [(8, 8), (1, 2, 8, 8), (0, 1, 8, 8), (2, 1, 8, 8)])
def test_inverse_figure_refuses_other_shapes(shape):
    with pytest.raises(ShapeError, match="got"):
        inverse_figure(np.zeros(shape), np.zeros((1, 1, 8, 8)), np.zeros(shape))


def test_matrix_figure_refuses_what_convolution_matrix_refuses():
    with pytest.raises(ShapeError, match="kernel"):
        matrix_figure(np.zeros((3, 3)), (4, 4))
