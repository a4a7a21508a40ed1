"""The method of the paper, one loop per index: the specification of the fast kernels."""

__all__: list[str] = []
