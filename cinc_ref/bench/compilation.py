"""Time of a process that compiles all kernels of a flow, and of one that loads them."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from cinc_ref.bench.rows import Row

SCRIPT = """
import numpy as np
from cinc_ref.bench.flows import model, training_run
shape = {{"levels": {levels}, "depth": 1, "width": 8}}
flow, params = model(image_shape={image_shape}, **shape)
flow.encode(params, flow.sample(params, np.random.default_rng(0), {batch}))
training_run(batch={batch}, image_shape={image_shape}, constant_memory=True, **shape).step()
"""
"""The program of a process: it samples, encodes and trains one step."""


def measure_compilation(image_shape=(3, 32, 32), levels=3, batch=100, rounds=5):
    """Measure processes that use all kernels of a flow: one without a cache, `rounds` with it.

    The time runs from the start of Python to its end.
    """
    script = SCRIPT.format(image_shape=image_shape, levels=levels, batch=batch)
    case = f"{'x'.join(map(str, image_shape))} levels={levels} depth=1 width=8 N={batch}"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        for what, repeat in (
            ("process that compiles", 1),
            ("process that finds all compiled", rounds),
        ):
            seconds = [_seconds(script, environment) for _ in range(repeat)]
            median = statistics.median(seconds)
            rows.append(
                Row(what, case, median=median, minimum=min(seconds), ratios={"second": median})
            )
    return rows


def _seconds(script, environment):
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    return time.perf_counter() - began
