"""Compiled loops on plain arrays. They import no other room of the package and validate nothing."""

__all__: list[str] = []
