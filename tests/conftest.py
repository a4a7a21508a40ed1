"""Hypothesis profiles: compilation takes seconds, so no deadlines; fewer cases without the JIT."""

import os

import pytest
from hypothesis import HealthCheck, settings

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") == "1"

settings.register_profile(
    "cinc",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=8 if INTERPRETED else 100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("cinc")


@pytest.fixture
def interpreted():
    """Whether the kernels run as plain Python, which is slow: use tiny shapes."""
    return INTERPRETED
