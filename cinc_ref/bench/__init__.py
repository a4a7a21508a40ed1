"""Benchmarks on one core: what the exact inverse, sampling and training cost, and beside what."""

from cinc_ref.bench.bounds import BOUNDS, judge
from cinc_ref.bench.groups import GROUPS, Group, Report, convolution_group, run
from cinc_ref.bench.rows import Row

__all__ = ["BOUNDS", "GROUPS", "Group", "Report", "Row", "convolution_group", "judge", "run"]
