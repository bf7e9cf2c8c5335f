"""Draws the speeds of all works as bars, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.sax.saxutils import escape

from dev.bench.report import name_of
from dev.bench.works import LIMIT, OURS, Entry, Outcome, Results, Work

WIDTH, LABELS, BAR, GAP, HEAD = 860, 290, 18, 5, 34
COLOURS = {LIMIT: "#b8bcc2", OURS: "#1b7f5c"}
PEER = "#7d8fb3"


def chart(works: Mapping[str, Work], results: Results) -> str:
    """Return the drawing: jobs per second on a logarithmic scale, a panel for each work.

    :param works: what was measured
    :param results: the outcomes, by the keys of the works
    """
    shown = {
        key: {entry: each for entry, each in outcomes.items() if not each.failure and entry.factor == 1}
        for key, outcomes in results.items()
        if any(entry.contestant == LIMIT for entry in outcomes)  # the one without is about memory
    }
    drawn, top = [], GAP
    for key, outcomes in shown.items():
        panel, top = _panel(f"({key}) {works[key].title}: jobs/s", outcomes, top)
        drawn += panel
    style = "text { font: 12px sans-serif; fill: #333 } .title { font-weight: bold }"
    body = "\n".join(drawn)
    size = f'width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{style}</style>\n{background}\n{body}\n</svg>\n'


def _panel(title: str, outcomes: Mapping[Entry, Outcome], top: int) -> tuple[list[str], int]:
    drawn = [f'<text class="title" x="10" y="{top + HEAD - 14}">{escape(title)}</text>']
    top += HEAD
    speeds = [each.speed for each in outcomes.values()]
    if not speeds:
        return drawn, top
    lowest = 10 ** math.floor(math.log10(min(speeds)) - 0.3)
    scale = (WIDTH - LABELS - 90) / math.log10(max(speeds) / lowest)
    for entry, each in outcomes.items():
        length = math.log10(each.speed / lowest) * scale
        colour = COLOURS.get(entry.contestant, PEER)
        middle = top + BAR - 5
        drawn += [
            f'<text x="{LABELS - 8}" y="{middle}" text-anchor="end">{escape(name_of(entry))}</text>',
            f'<rect x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<text x="{LABELS + length + 6:.1f}" y="{middle}">{each.speed:,.0f}</text>',
        ]
        top += BAR + GAP
    return drawn, top + GAP
