"""The properties of a layer that `collect` tries, one kind a file, on an `Examination`."""

__all__: list[str] = []
