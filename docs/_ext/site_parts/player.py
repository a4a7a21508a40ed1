"""Matplotlib's player of animations, without what it asks of other hosts."""

import re

__all__ = ["local_player"]

FOREIGN_SHEET = re.compile(r'<link rel="stylesheet"\s+href="https?:[^"]*">\s*')
"""The style sheet of icons that Matplotlib's player of animations asks of another host."""

ICON = re.compile(r'<i class="fa ([\w -]+)"></i>')

SYMBOLS = {
    "fa-minus": "−",
    "fa-fast-backward": "|◀◀",
    "fa-step-backward": "|◀",
    "fa-play fa-flip-horizontal": "◀",
    "fa-pause": "❚❚",
    "fa-play": "▶",
    "fa-step-forward": "▶|",
    "fa-fast-forward": "▶▶|",
    "fa-plus": "+",
}
"""Characters for the icons on the player's buttons, which have names for screen readers."""


def local_player(html: str, description: str) -> str:
    """Return a player of animations that needs no other host, its image with a text."""
    html = ICON.sub(lambda icon: SYMBOLS[icon[1]], FOREIGN_SHEET.sub("", html))
    return html.replace('<img id="_anim_img', f'<img alt="{description}" id="_anim_img')
