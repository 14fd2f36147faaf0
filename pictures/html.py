"""An HTML page of one file, interactive and without a network, light or dark as the reader's browser is."""

from __future__ import annotations

from html import escape

import numpy as np
from bokeh.document import Document
from bokeh.embed import components
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    CustomJSTickFormatter,
    DatetimeTickFormatter,
    FixedTicker,
    HoverTool,
    LabelSet,
    NoOverlap,
    Range1d,
    Span,
    VStrip,
)
from bokeh.plotting import figure
from bokeh.resources import Resources

from pictures.page import (
    ALARM,
    APART,
    GAP,
    LIMIT,
    LINE,
    LINE_ON_DARK,
    Bars,
    Chart,
    Floats,
    Page,
    Ridges,
    Rows,
    Table,
    apart,
    colours,
    ends,
    place,
)
from pictures.page import Span as Stretch

LEFT = 54  # pixels for the numbers beside a chart, so that charts stand below each other
WIDTH, HEIGHT = 220, 26  # pixels of a picture in a table
TIMES = {
    "milliseconds": "%H:%M:%S.%3N", "seconds": "%H:%M:%S", "minsec": "%H:%M:%S", "minutes": "%H:%M",
    "hourmin": "%H:%M", "hours": "%H:%M", "days": "%m-%d", "months": "%Y-%m", "years": "%Y",
}  # fmt: skip
STYLE = """
:root { color-scheme: light dark; --text: #222; --soft: #666; --line: #ddd; --page: #fff; --data: LIGHT; }
@media (prefers-color-scheme: dark) {
  :root { --text: #ddd; --soft: #999; --line: #444; --page: #181818; --data: DARK; }
}
body { font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--page);
       max-width: 1200px; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; }
h2 { font-size: .95rem; font-weight: 600; margin: .9rem 0 .1rem; overflow: hidden; text-overflow: ellipsis;
     white-space: nowrap; }
p { margin: .2rem 0; overflow-wrap: anywhere; }
.key { color: var(--soft); }
.key b { display: inline-block; width: 1.6em; height: .8em; vertical-align: -.05em; margin: 0 .3em 0 1em; }
.key b:first-child { margin-left: 0; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem 1.2rem .25rem 0; border-bottom: 1px solid var(--line);
         vertical-align: top; white-space: nowrap; max-width: 30em; overflow: hidden; text-overflow: ellipsis; }
th { color: var(--soft); font-weight: 600; }
.rows td, .rows th { padding-top: .15rem; padding-bottom: .15rem; vertical-align: middle; }
.rows tbody th { color: inherit; font-weight: normal; max-width: 16em; }
.rows td { max-width: none; }
.rows tfoot td { border: 0; }
svg { vertical-align: middle; margin-right: .6em; }
svg text { font-size: 11px; text-anchor: middle; fill: var(--soft); }
.data { fill: var(--data); }
""".replace("LIGHT", LINE).replace("DARK", LINE_ON_DARK)
# Bokeh draws on a canvas, which style sheets do not reach.
COLOURS = """
const dark = matchMedia("(prefers-color-scheme: dark)");
function colour() {
  const [text, line, data] = dark.matches ? ["#bbbbbb", "#3a3a3a", "DARK"] : ["#444444", "#e4e4e4", "LIGHT"];
  for (const document of Bokeh.documents) for (const model of document._all_models.values()) {
    if ("major_label_text_color" in model.properties)
      model.setv({major_label_text_color: text, axis_label_text_color: text, axis_line_color: line,
                  major_tick_line_color: line, minor_tick_line_color: null});
    else if (model.type === "Grid") model.setv({grid_line_color: line});
    else if (model.name === "line") for (const kind of ["line_color", "fill_color"])
      if (kind in model.glyph.properties) model.glyph.setv({[kind]: data});
  }
}
dark.addEventListener("change", colour);
(function wait() { Bokeh.documents.length ? colour() : setTimeout(wait, 20); })();
""".replace("LIGHT", LINE).replace("DARK", LINE_ON_DARK)


def html(page: Page) -> str:
    """Return the text of the page."""
    charts = [picture for picture in page.pictures if isinstance(picture, Chart)]
    script, places = components(_figures(charts)) if charts else ("", [])
    library = Resources(mode="inline", components=["bokeh"]).render_js() if charts else ""
    parts = iter(places)
    body = "".join(
        _place(picture.title, next(parts))
        if isinstance(picture, Chart)
        else _rows(picture)
        if isinstance(picture, Rows)
        else _table(picture)
        for picture in page.pictures
    )
    remarks = "".join(f"<p>{escape(remark)}</p>\n" for remark in page.remarks)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(page.title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n{library}\n'
        f"</head>\n<body>\n<main>\n<h1>{escape(page.title)}</h1>\n{remarks}{_key(charts)}{body}</main>\n{script}\n"
        f"<script>{COLOURS if charts else ''}</script>\n</body>\n</html>\n"
    )


def _figures(charts: list[Chart]) -> list[figure]:
    """Return a figure for each chart. Their x axes move together, and charts with the same x share their data."""
    x_range = Range1d(*ends(charts))
    data: dict[int, dict[str, Floats]] = {}
    for number, chart in enumerate(charts):
        data.setdefault(id(chart.x), {"x": chart.x})[str(number)] = chart.y
    sources = {x: ColumnDataSource(columns) for x, columns in data.items()}
    last = len(charts) - 1
    document = Document()
    with document.models.freeze():  # else each figure is searched again for each of the others
        for number, chart in enumerate(charts):
            document.add_root(_figure(chart, sources[id(chart.x)], str(number), x_range, number == 0, number == last))
    return list(document.roots)


def _figure(chart: Chart, source: ColumnDataSource, column: str, x_range: Range1d, first: bool, last: bool) -> figure:
    """Return a chart of a column of `source`; the first has the tools, the first and the last show the times."""
    shown = figure(
        height=190 if first else 100 if last else 84,
        sizing_mode="stretch_width",
        x_axis_type="datetime" if chart.time else "linear",
        y_axis_type="log" if chart.log else "linear",
        x_range=x_range,
        tools="xbox_zoom,xpan,xwheel_zoom,reset,save" if first else "xbox_zoom",
        active_drag="xbox_zoom",
        active_scroll=None,
        toolbar_location="above" if first else None,
        background_fill_alpha=0,
        border_fill_alpha=0,
        outline_line_color=None,
        min_border_left=LEFT,
        min_border_right=12,
    )
    shown.toolbar.logo = None
    if chart.time:
        shown.xaxis.formatter = DatetimeTickFormatter(**TIMES)
    if not (first or last):
        shown.xaxis.major_label_text_font_size = "0px"
        shown.xaxis.major_tick_line_color = None
    shown.xaxis.major_label_policy = NoOverlap()
    if chart.log:
        shown.yaxis.ticker = FixedTicker(ticks=[10.0**power for power in range(-30, 31)])
        shown.yaxis.formatter = CustomJSTickFormatter(code="return String(tick)")
        shown.yaxis.major_label_policy = NoOverlap()
    else:
        shown.yaxis.ticker.desired_num_ticks = 4
    shown.js_on_event("doubletap", CustomJS(args={"range": x_range}, code="range.reset()"))
    if first and chart.alarms:
        _numbers(shown, chart.alarms, x_range)
    if chart.limit:
        shown.add_layout(Span(location=chart.limit[0], dimension="width", line_color=LIMIT, line_width=2))
    shown.line("x", column, source=source, line_color=LINE, line_width=1.2, name="line")
    if chart.dots:
        shown.scatter("x", column, source=source, color=LINE, size=6, name="line")
    _stretches(shown, chart.gaps, GAP)
    _stretches(shown, chart.alarms, ALARM)
    return shown


def _stretches(shown: figure, stretches: tuple[Stretch, ...], colour: str) -> None:
    if not stretches:
        return
    source = ColumnDataSource(
        {
            "begin": [stretch.begin for stretch in stretches],
            "end": [stretch.end for stretch in stretches],
            "text": [stretch.text for stretch in stretches],
            "alpha": [0.4 if stretch.here else 0.15 for stretch in stretches],
        }
    )
    # The line makes a stretch visible that is shorter than a pixel.
    strip = VStrip(x0="begin", x1="end", fill_color=colour, fill_alpha="alpha", line_color=colour, line_alpha="alpha")
    drawn = shown.add_glyph(source, strip)
    if stretches[0].text:
        shown.add_tools(HoverTool(renderers=[drawn], tooltips="@text", visible=False))


def _place(title: str, place: str) -> str:
    title = escape(title)
    return f'<section aria-label="{title}">\n<h2 title="{title}">{title}</h2>\n{place}\n</section>\n'


def _table(table: Table) -> str:
    header = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.header)
    rows = "".join(
        "<tr>" + "".join(f'<td title="{escape(cell)}">{escape(cell)}</td>' for cell in row) + "</tr>\n"
        for row in table.rows
    )
    return (
        f'<section>\n<h2>{escape(table.title)}</h2>\n<div class="table" tabindex="0"><table>\n'
        f"<thead><tr>{header}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</section>\n"
    )


def _numbers(shown: figure, alarms: tuple[Stretch, ...], x_range: Range1d) -> None:
    """Write the alarms' numbers where they begin."""
    labelled = apart(alarms, APART * (x_range.end - x_range.start))
    source = ColumnDataSource({"x": [alarm.begin for alarm in labelled], "text": [a.label for a in labelled]})
    labels = LabelSet(
        x="x", y=0, y_units="screen", x_offset=3, text="text", source=source,
        text_color=ALARM, text_font_size="12px", text_font_style="bold",
    )  # fmt: skip
    shown.add_layout(labels)


def _rows(rows: Rows) -> str:
    """Return a table with a picture in each cell; its last row holds the axes."""
    columns = [_ridges(column) if isinstance(column, Ridges) else _bars(column) for column in rows.columns]
    header = "".join(f'<th scope="col">{escape(column.title)}</th>' for column in rows.columns)
    body = "".join(
        f'<tr><th scope="row" title="{escape(name)}">{escape(name)}</th>{"".join(cells)}</tr>\n'
        for name, *cells in zip(rows.names, *(cells for cells, _ in columns), strict=True)
    )
    axes = "".join(f"<td>{axis}</td>" for _, axis in columns)
    return (
        f'<section>\n<h2>{escape(rows.title)}</h2>\n<div class="table" tabindex="0"><table class="rows">\n'
        f"<thead><tr><th></th>{header}</tr></thead>\n<tbody>\n{body}</tbody>\n"
        f"<tfoot><tr><td></td>{axes}</tr></tfoot>\n</table></div>\n</section>\n"
    )


def _ridges(ridges: Ridges) -> tuple[list[str], str]:
    """Return a cell for each row, and the axis."""
    logs = np.log10(ridges.edges)
    x = WIDTH * (logs - logs[0]) / (logs[-1] - logs[0])
    at = WIDTH * (np.log10(ridges.limit[0]) - logs[0]) / (logs[-1] - logs[0])
    limit = f'<path d="M{at:.1f} 0V{HEIGHT}" stroke="{LIMIT}" stroke-width="2"/>'
    cells = []
    for shares in ridges.shares:
        y = HEIGHT * (1 - shares / max(shares.max(), 1e-12))
        outline = " ".join(f"L{a:.1f} {h:.1f}L{b:.1f} {h:.1f}" for a, b, h in zip(x, x[1:], y, strict=False))
        shape = f'<path d="M{x[0]:.1f} {HEIGHT}{outline}L{x[-1]:.1f} {HEIGHT}Z" class="data"/>'
        cells.append(f"<td>{_drawing(HEIGHT, shape + limit)}</td>")
    ticks = "".join(
        f'<text x="{WIDTH * (power - logs[0]) / (logs[-1] - logs[0]):.1f}" y="11">{10.0**power:g}</text>'
        for power in np.arange(np.ceil(logs[0]), np.floor(logs[-1]) + 1)
    )
    return cells, _drawing(14, ticks)


def _bars(bars: Bars) -> tuple[list[str], str]:
    """Return a cell for each row, and an axis that is empty: each bar has its number."""
    cells = []
    for at, text in zip(WIDTH * place(bars.values, bars.log), bars.texts, strict=True):
        middle = HEIGHT / 2
        track = f'<path d="M0 {middle}H{WIDTH}" stroke="currentColor" stroke-opacity=".2"/>'
        mark = (
            f'<circle cx="{at:.1f}" cy="{middle}" r="5" class="data"/>'
            if bars.log
            else (f'<rect width="{at:.1f}" height="12" y="{middle - 6}" class="data"/>')
        )
        drawing = _drawing(HEIGHT, track + (mark if np.isfinite(at) else ""))
        cells.append(f"<td>{drawing}<span>{escape(text)}</span></td>")
    return cells, ""


def _drawing(height: int, content: str) -> str:
    size = f'viewBox="-6 0 {WIDTH + 12} {height}" width="{WIDTH + 12}" height="{height}"'
    return f'<svg {size} aria-hidden="true">{content}</svg>'


def _key(charts: list[Chart]) -> str:
    """Explain the colours that occur."""
    shown = "".join(f'<b style="background:{colour}"></b>{escape(text)}' for colour, text in colours(charts))
    use = "Drag across a chart to look closer; double-click to see all."
    return f'<p class="key">{shown}</p>\n<p class="key">{use}</p>\n' if shown else ""
