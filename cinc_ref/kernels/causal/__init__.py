"""The causal convolution, its inverse and their gradients, vectorized over images."""

__all__: list[str] = []
