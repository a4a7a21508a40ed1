"""`Drawing`, a small SVG picture whose colours follow the theme of the page."""

from html import escape

__all__ = ["COLOURS", "Drawing", "stylesheet"]

COLOURS = {
    "ink": ("#222832", "#ced6dd"),
    "muted": ("#5c6470", "#9ca4af"),
    "line": ("#c4c9d0", "#4a525c"),
    "red": ("#8c1d40", "#f08aa8"),
    "blue": ("#2f6db5", "#7fb2ee"),
    "yellow": ("#a86f00", "#e8b64c"),
    "on-red": ("#ffffff", "#1b1f24"),
}
"""The value of each colour on light and on dark pages. They differ in grey too."""


def _colour(name):
    return f"var(--d-{name}, {COLOURS[name][0]})"


def _variables(index):
    return "".join(f"--d-{name}: {values[index]}; " for name, values in COLOURS.items())


class Drawing:
    """A picture of shapes and words.

    Parameters
    ----------
    width, height : float
        The size in its own units, of which a page shows at most 1.4 pixels each.
    title, description : str
        What a screen reader says: the subject, and what there is to see.
    """

    def __init__(self, width: float, height: float, title: str, description: str) -> None:
        self.width, self.height = width, height
        self.title, self.description = title, description
        self.shapes: list[str] = []

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = "",
        opacity: float = 1,
        stroke: str = "line",
    ) -> None:
        """Draw a rectangle; an empty name of a colour leaves out filling or outline."""
        style = f'fill="{_colour(fill) if fill else "none"}"'
        style += f' fill-opacity="{opacity:g}"' if fill and opacity < 1 else ""
        style += f' stroke="{_colour(stroke)}"' if stroke else ""
        self.shapes.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" {style}/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "start",
        colour: str = "ink",
        size: float = 13,
        bold: bool = False,
    ) -> None:
        """Write a line of words; y is the line on which they stand."""
        weight = ' font-weight="bold"' if bold else ""
        self.shapes.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size:g}"{weight} '
            f'fill="{_colour(colour)}">{escape(words, quote=False)}</text>'
        )

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        colour: str = "ink",
        width: float = 1,
        dashes: str = "",
    ) -> None:
        """Draw a straight line."""
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.shapes.append(
            f'<line x1="{start[0]:g}" y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}" '
            f'stroke="{_colour(colour)}" stroke-width="{width:g}"{dashed}/>'
        )

    def arrow(
        self, start: tuple[float, float], end: tuple[float, float], *, colour: str = "ink"
    ) -> None:
        """Draw a line with a head at its end."""
        (x, y), (u, v) = start, end
        length = ((u - x) ** 2 + (v - y) ** 2) ** 0.5
        dx, dy = (u - x) / length, (v - y) / length
        base, half = (u - 7 * dx, v - 7 * dy), 3.5
        self.line(start, base, colour=colour, width=1.4)
        corners = [end, (base[0] - half * dy, base[1] + half * dx)]
        corners += [(base[0] + half * dy, base[1] - half * dx)]
        self.polygon(corners, fill=colour)

    def polygon(self, corners: list[tuple[float, float]], *, fill: str) -> None:
        """Draw a filled polygon."""
        points = " ".join(f"{x:.4g},{y:.4g}" for x, y in corners)
        self.shapes.append(f'<polygon points="{points}" fill="{_colour(fill)}"/>')

    def circle(self, x: float, y: float, radius: float, *, fill: str, opacity: float = 1) -> None:
        """Draw a filled circle."""
        self.shapes.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{_colour(fill)}" '
            f'fill-opacity="{opacity:g}"/>'
        )

    def inline(self) -> str:
        """Return the picture as a part of a Markdown page, which gives the colours."""
        frame = f'<div class="drawing" style="max-width: {1.4 * self.width:g}px">'
        return f"{frame}\n{self._svg('')}\n</div>\n"

    def standalone(self) -> str:
        """Return the picture as a file, whose colours follow the reader's preference."""
        style = f":root {{ {_variables(0)}}} "
        style += f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(1)}}} }}"
        return self._svg(f"<style>{style}</style>\n") + "\n"

    def _svg(self, style):
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}"'
        )
        head += ' role="img" font-family="system-ui, sans-serif">'
        words = f"<title>{escape(self.title)}</title><desc>{escape(self.description)}</desc>"
        return "\n".join([head, words, style.rstrip(), *self.shapes, "</svg>"]).replace(
            "\n\n", "\n"
        )


def stylesheet() -> str:
    """Return the style sheet that gives the colours to the drawings of a page."""
    light, dark = (_variables(index).strip() for index in (0, 1))
    return f"html {{ {light} }}\nhtml[data-theme=dark] {{ {dark} }}\n"
