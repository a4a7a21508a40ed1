"""The systems side by side: trained alike on the same images, and measured alike.

Every run is a job of its own, whose result is kept in a file of the comparison's folder; what is
there already is not done again.
"""

from cinc_ref.comparison.compare import Comparison, compare
from cinc_ref.comparison.job import Job

__all__ = ["Comparison", "Job", "compare"]
