"""Comparisons of the systems, which are trained and measured in the same way on the same images.

Every run is a job of its own, whose result is saved in a file of the comparison's folder. Runs
whose results are there are not repeated.
"""

from cinc_ref.comparison.compare import compare
from cinc_ref.comparison.job import Job
from cinc_ref.comparison.result import Comparison

__all__ = ["Comparison", "Job", "compare"]
