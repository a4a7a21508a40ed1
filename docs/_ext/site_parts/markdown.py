"""Markdown that the generated parts are written in."""

from collections.abc import Iterable, Sequence

__all__ = ["escape", "table"]


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, text_columns: int = 1) -> str:
    """Format a table; the first columns hold text, the other ones numbers."""
    alignment = [":---"] * text_columns + ["---:"] * (len(headings) - text_columns)
    lines = [headings, alignment, *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def escape(text: str) -> str:
    """Escape the characters of plain text that Markdown or its tables would read as markup."""
    for character in "\\|*_`<[":
        text = text.replace(character, f"\\{character}")
    return text
