"""Large results stand in memory that later ones use again, never in memory still in use."""

import gc
import mmap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cinc_ref.kernels.simd import pages

SIZE = pages.ALIGNED_BYTES
needs_lending = pytest.mark.skipif(
    not hasattr(mmap, "MADV_FREE"), reason="this system cannot be lent pages"
)


@pytest.fixture
def pool(monkeypatch):
    """Pages that are pool, from SIZE bytes on; none at first."""
    monkeypatch.setattr(pages, "LARGE_BYTES", SIZE)
    monkeypatch.setattr(pages, "SYSTEM_TAKES_FREE_PAGES", True)
    monkeypatch.setattr(pages, "_pool", [])
    return pages._pool


def _images(factor=1):
    return np.zeros((8, factor, SIZE // 64, 1))


def _address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("megabytes", [0.01, 1, 40])
def test_results_lie_as_their_images_do(megabytes):
    height = int(megabytes * 2**20) // 64
    for images in (np.zeros((4, 2, height, 1)), np.zeros((2, height, 1, 4)).transpose(3, 0, 1, 2)):
        result = pages.empty_like(images)
        assert (result.shape, result.dtype, result.strides) == (
            images.shape,
            images.dtype,
            images.strides,
        )
        assert result.nbytes < SIZE or _address(result) % pages.LINE_BYTES == 0
        assert result.flags.writeable and result.flags.aligned


@needs_lending
def test_memory_is_used_again_once_no_view_is_left(pool):
    result = pages.empty_like(_images())
    address = _address(result)
    result[:] = 1
    views = [result[1:], result.T.reshape(-1), memoryview(result), np.asarray(result).view("i8")]
    flat = result.base  # and what even that is a view of
    views += [np.frombuffer(flat.base).view("i8"), np.asarray(memoryview(flat.base)).view("f8")]
    del flat
    del result
    while views:
        other = pages.empty_like(_images())
        assert _address(other) != address
        other[:] = 2
        assert np.max(np.asarray(views.pop()).view("f8")) == 1
        del other
    gc.collect()
    assert len(pool) == 2
    assert address in [_address(result) for result in map(pages.empty_like, 2 * [_images()])]


@needs_lending
def test_pages_serve_results_of_half_their_size(pool):
    address = _address(pages.empty_like(_images(4)))
    assert len(pool) == 1
    assert _address(pages.empty_like(_images(1))) != address  # which would waste three quarters
    half = pages.empty_like(_images(2))
    assert _address(half) == address and half.shape == _images(2).shape


@needs_lending
def test_no_more_is_pool_than_the_limit(pool, monkeypatch):
    monkeypatch.setattr(pages, "MAX_POOL_BYTES", 5 * SIZE)
    several = [pages.empty_like(_images(factor)) for factor in (1, 2, 3, 4)]
    del several[:]
    assert sum(map(len, pool)) <= 5 * SIZE
    before = list(pool)
    too_large = pages.empty_like(_images(6))
    del too_large
    assert pool == before != []


@needs_lending
def test_pages_that_cannot_be_lent_leave_the_pool(pool):
    """As locked ones cannot, or these, which are shared."""
    pages._put_back(mmap.mmap(-1, SIZE))
    assert not pool


@needs_lending
def test_the_smallest_pages_that_fit_are_taken(pool):
    several = [pages.empty_like(_images(factor)) for factor in (4, 2, 3)]
    del several[:]
    taken = pages.empty_like(_images(2))
    assert sorted(len(pages) // SIZE for pages in pool) == [3, 4] and taken.size == _images(2).size


@needs_lending
def test_a_system_short_of_memory_gets_the_pool_back(pool, monkeypatch):
    pages.empty_like(_images())
    assert len(pool) == 1

    def refuse(*arguments, **options):
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr(pages.mmap, "mmap", refuse)
    result = pages.empty_like(_images(4))
    assert not pool and result.shape == _images(4).shape
    assert _address(result) % pages.LINE_BYTES == 0


@needs_lending
def test_threads_never_share_memory(pool):
    def fill(value):
        for _ in range(200):
            result = pages.empty_like(_images())
            result[:] = value
            if not np.all(result == value):
                return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(fill, range(8)))


@pytest.mark.parametrize(
    "setting, missing, takes",
    [
        ("always [madvise] never", None, True),
        ("[always] madvise never", None, True),
        ("always madvise [never]", None, False),
        ("[always] madvise never", "MADV_FREE", False),
        ("[always] madvise never", "MADV_HUGEPAGE", False),
        (None, None, False),
    ],
)
def test_pages_are_lent_where_the_system_takes_huge_ones(
    setting, missing, takes, monkeypatch, tmp_path
):
    class System:
        MADV_FREE, MADV_HUGEPAGE = 8, 14

    if missing:
        delattr(System, missing)
    if setting:
        (tmp_path / "enabled").write_text(setting, encoding="ascii")
    monkeypatch.setattr(pages, "mmap", System)
    monkeypatch.setattr(pages, "Path", lambda path: tmp_path / "enabled")
    assert pages._system_takes_free_pages() is takes
