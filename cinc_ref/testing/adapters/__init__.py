"""The adapters of flow libraries: a file for each kind of layer, and `table` with all of them."""

__all__: list[str] = []
