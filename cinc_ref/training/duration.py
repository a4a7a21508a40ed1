"""Lengths of time as text."""

__all__ = ["duration"]


def duration(seconds: float) -> str:
    """Format a time in seconds in the largest unit that is not longer.

    Examples
    --------
    >>> duration(90), duration(36_000), duration(86_400 * 365.25 * 3)
    ('1.5 minutes', '10 hours', '3 years')
    """
    units = {"years": 365.25 * 86_400, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
    name = next((name for name, length in units.items() if seconds >= length), "seconds")
    return f"{round(seconds / units[name], 1):,g} {name}"
