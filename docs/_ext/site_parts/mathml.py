"""A renderer of formulas as MathML, which browsers show without a script or a network."""

from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

__all__ = ["mathml", "setup"]


def mathml(formula: str, *, as_block: bool = False) -> str:
    """Convert a formula in TeX; docutils knows the dots by another name."""
    return tex2mathml(formula.replace(r"\dots", r"\ldots"), as_block=as_block)


def visit_inline(self: Any, node: nodes.math) -> None:
    """Write a formula in a line of text."""
    self.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    """Write a formula on lines of its own, in a box that scrolls if it is too wide."""
    formula = mathml(node.astext(), as_block=True)
    self.body.append(self.starttag(node, "div", CLASS="math") + formula + "</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer under the name "mathml"."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
