"""Plots as SVG text: lines and points over two axes, readable without colour.

Refuses scripts, fonts from elsewhere and anything that is not in the numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 250, 52, 44
NAME_MAX = 34
COLOURS = ("#1f5fa8", "#b3401f", "#2d7d46", "#7a3fa0", "#8a6d00", "#00727a", "#555555", "#a01f5f", "#000000")
DASHES = ("", "6 3", "2 3", "8 3 2 3", "12 4")


@dataclass(frozen=True, slots=True)
class Line:
    """One named series of (x, y). ``band``: low and high for each point, drawn behind it."""

    name: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float]] = ()


def plot(title: str, x_name: str, y_name: str, lines: Sequence[Line], *, from_zero: bool = True) -> str:
    """One chart. Empty text if there is nothing to draw. ``from_zero``: the y axis holds zero."""
    drawn = [line for line in lines if line.points]
    if not drawn:
        return ""
    xs = [x for line in drawn for x, _ in line.points]
    ys = [y for line in drawn for _, y in line.points] + [
        y for line in drawn for pair in line.band for y in pair
    ]
    x_low, x_high = min(xs), max(xs)
    y_marks = _marks(min(0.0, min(ys)) if from_zero else min(ys), max(ys))
    y_low, y_high = y_marks[0], y_marks[-1]
    x_span, y_span = (x_high - x_low) or 1.0, y_high - y_low

    def at(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - x_low) / x_span * (WIDTH - LEFT - RIGHT)
        return round(across, 1), round(HEIGHT - BOTTOM - (y - y_low) / y_span * (HEIGHT - TOP - BOTTOM), 1)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f'<text x="{LEFT}" y="18" class="title">{escape(title)}</text>',
    ]
    for y in y_marks:
        _, py = at(x_low, y)
        parts.append(f'<line x1="{LEFT}" y1="{py}" x2="{WIDTH - RIGHT}" y2="{py}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{py + 4}" class="tick" text-anchor="end">{_short(y)}</text>')
    for x in (mark for mark in _marks(x_low, x_high, 8) if x_low <= mark <= x_low + x_span):
        px, _ = at(x, y_low)
        parts.append(
            f'<text x="{px}" y="{HEIGHT - BOTTOM + 16}" class="tick" text-anchor="middle">{_short(x)}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) // 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 8}" class="tick" text-anchor="middle">{escape(x_name)}</text>'
    )
    parts.append(f'<text x="{LEFT}" y="{TOP - 14}" class="tick">{escape(y_name)}</text>')
    for number, line in enumerate(drawn):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        if line.band:
            upper = [at(x, high) for (x, _), (_, high) in zip(line.points, line.band, strict=True)]
            lower = [at(x, low) for (x, _), (low, _) in zip(line.points, line.band, strict=True)]
            corners = " ".join(f"{x},{y}" for x, y in [*upper, *reversed(lower)])
            parts.append(f'<polygon points="{corners}" fill="{colour}" opacity="0.15"/>')
        path = " ".join(f"{x},{y}" for x, y in (at(x, y) for x, y in line.points))
        style = f'stroke="{colour}" stroke-dasharray="{dash}"'
        parts.append(f'<polyline points="{path}" fill="none" stroke-width="2" {style}/>')
        if len(line.points) <= 16:
            dots = (at(x, y) for x, y in line.points)
            parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in dots]
        top = TOP + 6 + 18 * number
        parts.append(
            f'<line x1="{WIDTH - RIGHT + 12}" y1="{top}" x2="{WIDTH - RIGHT + 36}" y2="{top}" '
            f'stroke-width="2" {style}/>'
        )
        name = line.name if len(line.name) <= NAME_MAX else line.name[: NAME_MAX - 1] + "…"
        parts.append(f'<text x="{WIDTH - RIGHT + 42}" y="{top + 4}" class="tick">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"])


def _marks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values a step of 1, 2 or 5 apart, from at or below ``low`` to at or above ``high``."""
    if low == high:
        return [low, low + 1.0]
    rough = (high - low) / about
    ten = 10.0 ** floor(log10(rough))
    step = next(ten * times for times in (1, 2, 5, 10) if ten * times >= rough * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, max(last, first + 1) + 1)]


def _short(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"
