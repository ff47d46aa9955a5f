"""plots.py - regret over trials as SVG: a panel a function, a line (median) and a band (quartiles) a tuner.  Standard
library only; the files are text and the same for the same numbers."""
import math
from xml.sax.saxutils import escape

PANEL, GAP, LEFT, TOP, COLUMNS = (232, 150), (62, 46), 58, 62, 3
COLOURS = ["#1f5fbf", "#d9701e"]  # ours, theirs


def tick_text(exponent):
    return "%g" % 10.0 ** exponent if -4 < exponent < 5 else "1e%d" % exponent


class Scale:
    """Logarithmic; what is not positive lies on the floor."""

    def __init__(self, values):
        positive = [v for v in values if v > 0] or [1.0]
        low, high = math.log10(min(positive)), math.log10(max(positive))
        self.high = math.ceil(high * 2) / 2
        self.low = max(math.floor(low * 2) / 2, self.high - 8)
        if self.high - self.low < 1:
            self.low = self.high - 1
        if any(v <= 0 for v in values):
            self.low -= 0.25

    def place(self, value):
        at = math.log10(value) if value > 0 else self.low
        return (min(max(at, self.low), self.high) - self.low) / (self.high - self.low)

    def ticks(self):
        whole = list(range(math.ceil(self.low), math.floor(self.high) + 1))
        step = max(1, math.ceil(len(whole) / 4))
        return whole[::step]


def panel(x0, y0, name, series, x_max):
    width, height = PANEL
    scale = Scale([v for points in series.values() for p in points for v in p[1:]])
    x_of = lambda n: x0 + width * n / x_max
    y_of = lambda v: y0 + height * (1 - scale.place(v))
    out = ['<rect x="%g" y="%g" width="%g" height="%g" fill="#fff" stroke="#bbb"/>' % (x0, y0, width, height),
           '<text x="%g" y="%g" class="name">%s</text>' % (x0, y0 - 7, escape(name))]
    for exponent in scale.ticks():
        y = y_of(10.0 ** exponent)
        out.append('<line x1="%g" x2="%g" y1="%.1f" y2="%.1f" stroke="#eee"/>' % (x0, x0 + width, y, y))
        out.append('<text x="%g" y="%.1f" class="tick" text-anchor="end">%s</text>'
                   % (x0 - 5, y + 4, tick_text(exponent)))
    for n in range(0, x_max + 1, x_max // 4 or 1):
        out.append('<text x="%.1f" y="%g" class="tick" text-anchor="middle">%d</text>' % (x_of(n), y0 + height + 15, n))
    for colour, points in zip(COLOURS, series.values()):
        upper = ["%.1f,%.1f" % (x_of(n), y_of(high)) for n, _, _, high in points]
        lower = ["%.1f,%.1f" % (x_of(n), y_of(low)) for n, low, _, _ in reversed(points)]
        out.append('<polygon points="%s" fill="%s" fill-opacity="0.16"/>' % (" ".join(upper + lower), colour))
    for colour, points in zip(COLOURS, series.values()):
        line = ["%.1f,%.1f" % (x_of(n), y_of(middle)) for n, _, middle, _ in points]
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="1.8"/>' % (" ".join(line), colour))
    return out


def small_multiples(title, panels):
    """panels: [(name, {tuner: [(trials, low, middle, high), ...]}), ...]; the tuners in the order of COLOURS."""
    rows = -(-len(panels) // COLUMNS)
    width = LEFT + COLUMNS * (PANEL[0] + GAP[0]) - GAP[0] + 16
    height = TOP + rows * (PANEL[1] + GAP[1]) + 4
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">'
           % (width, height, width, height),
           "<style>text{font-family:sans-serif;fill:#222}.name{font-size:13px;font-weight:bold}"
           ".tick{font-size:10.5px;fill:#555}.title{font-size:14px}</style>",
           '<rect width="%d" height="%d" fill="#fff"/>' % (width, height),
           '<text x="%d" y="22" class="title">%s</text>' % (LEFT, escape(title))]
    tuners = list(panels[0][1]) if panels else []
    for i, tuner in enumerate(tuners):
        x = width - 16 - 170 * (len(tuners) - i)
        out.append('<line x1="%d" x2="%d" y1="18" y2="18" stroke="%s" stroke-width="3"/>' % (x, x + 24, COLOURS[i]))
        out.append('<text x="%d" y="22" class="title">%s</text>' % (x + 30, escape(tuner)))
    x_max = max((p[0] for _, series in panels for points in series.values() for p in points), default=200)
    for i, (name, series) in enumerate(panels):
        x0 = LEFT + i % COLUMNS * (PANEL[0] + GAP[0])
        y0 = TOP + i // COLUMNS * (PANEL[1] + GAP[1])
        out += panel(x0, y0, name, series, x_max)
    return "\n".join(out + ["</svg>"]) + "\n"
