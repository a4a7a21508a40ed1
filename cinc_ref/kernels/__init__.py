"""Compiled loops on plain arrays. They import nothing of ours and trust their caller."""
