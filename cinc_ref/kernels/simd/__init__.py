"""Register blocks, the processor, and memory."""

__all__: list[str] = []
