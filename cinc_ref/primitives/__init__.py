"""The boundary with autograd: every operation with its reverse- and forward-mode derivative."""

__all__: list[str] = []
