"""Benchmarks of the exact inverse, of sampling and of training on one core."""

from cinc_ref.bench.bounds import judge
from cinc_ref.bench.groups import GROUPS, Group, Report, convolution_group, run
from cinc_ref.bench.rows import Row

__all__ = ["GROUPS", "Group", "Report", "Row", "convolution_group", "judge", "run"]
