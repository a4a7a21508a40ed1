"""The processor time of processes that compile, and of those that find all in the cache."""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from cinc_ref.bench.rows import Row
from cinc_ref.errors import CincError
from cinc_ref.timing import one_core

__all__ = ["EMPTY", "FILLED", "IMPORTS", "SCRIPTS", "measure_compilation", "processor_seconds"]

IMPORTS = "import numpy, scipy.linalg, numba, autograd"
"""The process whose processor time is the unit: what is imported anyway."""

_START = """
import numpy as np, cinc_ref as cr
rng = np.random.default_rng(0)
def problem(batch, channels, dtype):
    kernel = rng.normal(size=(channels, channels, 3, 3)) / (30 * channels)
    kernel[:, :, 2, 2] = np.eye(channels)
    return rng.normal(size=(batch, channels, 16, 16)).astype(dtype), kernel.astype(dtype)
"""

SCRIPTS = {
    "conv and conv_inverse, 10x3x16x16 float64": f"""{_START}
x, kernel = problem(10, 3, "float64")
cr.conv_inverse(cr.conv(x, kernel), kernel)
""",
    "conv_inverse, 100x12x16x16 float32": f"""{_START}
y, kernel = problem(100, 12, "float32")
cr.conv_inverse(y, kernel)
""",
    "training step, cinc affine levels=2 depth=8 width=64 N=128 float32": """
import numpy as np, cinc_ref as cr
images = np.random.default_rng(0).integers(17, size=(160, 1, 8, 8))
flow = cr.flows.build("cinc", "affine", (1, 8, 8), levels=2, depth=8, width=64, bins=17)
cr.train(flow, images[:128], images[128:], steps=1, batch_size=128, dtype="float32")
""",
}
"""Programs by the case that they measure; the last is the first step of the flow of digits."""

EMPTY, FILLED = "process from an empty cache", "process with a filled cache"
"""Names of the rows."""


def measure_compilation(case: str, rounds: int = 5) -> list[Row]:
    """Measure one of `SCRIPTS`: a process from an empty cache, and some that find all compiled.

    Parameters
    ----------
    case : str
        Key of `SCRIPTS`.
    rounds : int
        Number of processes whose median counts, of those with a filled cache and of the unit.

    Returns
    -------
    list of Row
        Processor time, user and system, of the whole process on one core, also as a multiple of
        that of a process which only imports (`IMPORTS`).

    Raises
    ------
    CincError
        If one of the processes fails.
    """
    script = SCRIPTS[case]
    with tempfile.TemporaryDirectory() as folder, one_core():
        environment = _environment(folder)
        processor_seconds("import cinc_ref.training", environment)  # leaves Python's bytecode
        units = [processor_seconds(IMPORTS, environment)]
        first, later = [processor_seconds(script, environment)], []
        for _ in range(rounds):  # in turn, for the speed of a shared machine varies
            units.append(processor_seconds(IMPORTS, environment))
            later.append(processor_seconds(script, environment))
    unit = statistics.median(units)
    return [_row(what, case, seconds, unit) for what, seconds in ((EMPTY, first), (FILLED, later))]


def _row(what, case, seconds, unit):
    median = statistics.median(seconds)
    dtype = case.split()[-1]
    ratios = {"imports": median / unit}
    return Row(what, case, dtype, median=median, minimum=min(seconds), ratios=ratios)


def _environment(cache):
    """Return the environment of a process with a compile cache, and one thread in every pool."""
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    environment = os.environ | threads | {"NUMBA_CACHE_DIR": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    return environment


def processor_seconds(code: str, environment: Mapping[str, str]) -> float:
    """Measure the processor time, user and system, of a process that runs some code.

    Parameters
    ----------
    code : str
    environment : dict of str to str

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    CincError
        If the process fails; the message has the last line that it printed.
    """
    import resource  # not on Windows

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        last_lines = (done.stdout + done.stderr).splitlines()[-1:]  # the error of a traceback
        raise CincError(
            f"a measured process must end with exit code 0, got {done.returncode}; its last line: "
            + "".join(last_lines or ["(it printed nothing)"])
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
