"""The catalogue of checks: the suite for convolutions, and the properties of any layer."""

from cinc_ref import testing
from cinc_ref.testing.evidence import STATEMENTS
from site_parts.markdown import escape, table

__all__ = ["parts", "properties_table", "suite_tables"]

TITLES = {
    "conv": "`conv`: the convolution",
    "conv_inverse": "`conv_inverse`: its inverse",
    "log_abs_det": "`log_abs_det`: the log-determinant",
    "conv_vjp": "`conv_vjp`: gradients of the convolution",
    "conv_inverse_vjp": "`conv_inverse_vjp`: gradients of the inverse",
}
"""Headings of the tables by the function that a check is about."""


def parts() -> dict[str, str]:
    """Return the generated parts of the catalogue, by file name."""
    return {
        "suite.md": suite_tables(),
        "properties.md": properties_table(),
        "suite-count.md": f"The suite has {len(testing.checks())} checks.\n",
    }


def suite_tables() -> str:
    """Return a table of names and statements for each function of an implementation."""
    lines = []
    for operation, title in TITLES.items():
        rows = [
            [f"`{name}`", escape(check.statement), ", ".join(check.options)]
            for name, check in testing.checks()
            if _operation(check) == operation
        ]
        lines += [
            f"## {title}\n",
            table(["check", "what holds", "options it needs"], rows, text_columns=3),
        ]
    return "\n".join(lines)


def _operation(check):
    """Return the function that a check is about; where it calls several, the longest name."""
    return max(check.operations, key=len)


def properties_table() -> str:
    """Return the properties that `check` tries on any layer."""
    rows = [[f"`{name}`", escape(statement)] for name, statement in STATEMENTS.items()]
    return table(["property", "what holds"], rows, text_columns=2)
