"""Numba loops on plain C-contiguous arrays. They import nothing of ours and trust their caller."""
