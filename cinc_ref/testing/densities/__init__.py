"""The parts of `cinc_ref.testing.check_density`: what is drawn, averaged, moved and compared."""

__all__: list[str] = []
