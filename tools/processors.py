"""Compile for lesser processors than this one, and compare results: ``python -m tools.processors``.

A process each computes the same seeded cases for this machine's processor, for one with AVX2
without AVX-512 (Haswell), and for the baseline of x86-64, which has SSE2 and no fused multiply-add
in hardware. Images, log-determinants and gradients with respect to images must have equal bits.
Gradients with respect to kernels are sums over tiles, whose size depends on the vectors: they agree
to rounding. NumPy and BLAS go on using this machine's instructions.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import cinc_ref as cr
from cinc_ref.theory.random_kernels import random_kernel

__all__ = ["PROCESSORS", "differences", "results_on"]

PROCESSORS = {
    "native": {},
    "AVX2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"},
    "x86-64": {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""},
}
"""The settings of Numba for each processor."""

ROOT = Path(__file__).parents[1]

SHAPES = ((1, 1, 5, 7), (3, 3, 6, 5), (17, 4, 8, 8), (100, 12, 8, 8))
"""Shapes (N, C, H, W): one lane and several, whole vectors and tails, one block of rows and two."""

SUMMED = "kernel gradient"
"""Part of the names of results that depend on the tiles in the last bits."""

ROUNDINGS = 1000
"""Units of rounding by which sums of at most 6,400 products of the size of 1 may differ, relative
to the largest entry."""


def small_results():
    """Compute a convolution, its inverse and its gradients: few functions to compile."""
    return _operations(np.random.default_rng(0), (17, 3, 6, 5), np.float64)


def all_results():
    """Compute the operations for all shapes and dtypes, and a flow with its gradients."""
    results = {}
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        for dtype in (np.float32, np.float64):
            results |= _operations(rng, shape, dtype)
    for coupling in ("affine", "quad"):
        results |= _flow(rng, coupling)
    return results


def _operations(rng, shape, dtype):
    channels = shape[1]
    results = {}
    for dilation in (1, 2):
        kernel = random_kernel(rng, (channels, channels, 3, 3), (2, 2), "dense").astype(dtype)
        x, g = (rng.normal(size=shape).astype(dtype) for _ in range(2))
        title = f"{np.dtype(dtype)} {shape} dilation {dilation}"
        options = {"dilation": dilation}
        y = cr.conv(x, kernel, **options)
        solution = cr.conv_inverse(y, kernel, **options)
        of_images, of_kernel = cr.conv_vjp(x, kernel, g, **options)
        back_images, back_kernel = cr.conv_inverse_vjp(solution, kernel, g, **options)
        results |= {
            f"conv {title}": y,
            f"conv_inverse {title}": solution,
            f"conv_vjp {title}": of_images,
            f"conv_inverse_vjp {title}": back_images,
            f"conv_vjp {title} {SUMMED}": of_kernel,
            f"conv_inverse_vjp {title} {SUMMED}": back_kernel,
        }
    return results


def _flow(rng, coupling):
    flow = cr.flows.build(
        "cinc", coupling, image_shape=(3, 8, 8), levels=2, depth=2, width=8, bins=16
    )
    x = (rng.random(size=(20, 3, 8, 8)) - 0.5).astype(np.float32)
    params = flow.init(0, x)
    latents = flow.encode(params, x)
    results = {"log_prob": flow.log_prob(params, x), "back": flow.decode(params, latents)}
    results |= {f"latent {level}": latent for level, latent in enumerate(latents)}
    return {f"flow {coupling} {name}": result for name, result in results.items()}


def results_on(name, small=False):
    """Compute all results, or those that compile quickly, in a process for one of `PROCESSORS`.

    Returns
    -------
    dict of str to ndarray
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = PROCESSORS[name] | {"NUMBA_CACHE_DIR": folder, "PYTHONPATH": str(ROOT)}
        path = Path(folder, "results.npz")
        command = [sys.executable, "-m", "tools.processors", "--write", path]
        subprocess.run(
            [*command, *["--small"] * small], env=os.environ | settings, cwd=ROOT, check=True
        )
        with np.load(path) as file:
            return dict(file)


def differences(wanted, got):
    """Return the names of results that differ: in any bit, or, summed up, by more than rounding."""
    return [name for name in wanted if not _agree(name, wanted[name], got[name])]


def _agree(name, wanted, got):
    if SUMMED in name:
        slack = ROUNDINGS * np.finfo(wanted.dtype).eps * abs(wanted).max()
        return bool((abs(wanted - got) <= slack).all())
    return wanted.tobytes() == got.tobytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few functions, compiled quickly")
    parser.add_argument("--write", type=Path, help="compute here, and write the results to a file")
    options = parser.parse_args()
    if options.write:
        np.savez(options.write, **(small_results() if options.small else all_results()))
        return
    if platform.machine() not in ("x86_64", "AMD64"):
        sys.exit(f"this machine is no x86-64 but {platform.machine()}: nothing is compared")
    native = results_on("native", options.small)
    failed = False
    for name in PROCESSORS:
        if name == "native":
            continue
        different = differences(native, results_on(name, options.small))
        print(f"{name}: {len(native)} results, {len(different)} differ from those of this machine")
        for title in different:
            print(f"  {title}")
        failed |= bool(different)
    sys.exit(failed)


if __name__ == "__main__":
    main()
