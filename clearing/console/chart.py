"""Charts: what a figure shows, in plotly's form; its script is served from the installed package.

A chart never stands alone: the same figures are in a table beside it. Amounts are decimal texts throughout, which
plotly reads; where a mark of the chart leads somewhere, its address is one of the console's own.
"""

import functools
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tenants.kernel.money import Money, in_thousands

PACKAGE: Final = "plotly"
SCRIPT: Final = "plotly.min.js"
"""The name of plotly's script in its package, and in the address that it is served under."""
MARKS: Final = ("#0b57a4", "#d08400", "#146c43", "#a8201a", "#566173", "#6b3fa0", "#00798c", "#8a5300")
_QUIET: Final = {"paper_bgcolor": "#fff", "plot_bgcolor": "#fff", "separators": ".,"}
_SCALE: Final = [["0", "#dbe9f9"], ["1", "#0b57a4"]]
_HIGH: Final = 380


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure; ``label`` says what it shows to whoever does not see it."""

    label: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]

    def json(self) -> str:
        """The figure for the script."""
        return json.dumps({"data": self.data, "layout": _QUIET | self.layout}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Flow:
    """Money from one place to another, and the page that it opens down to."""

    source: str
    target: str
    amount: Money
    address: str | None = None
    note: str = ""


def heat_map(label: str, names: tuple[str, str], flows: Sequence[Flow]) -> Chart:
    """Who owes (down) whom (across); ``names`` are those of the two sides. A cell opens its flow's page."""
    down = sorted({flow.source for flow in flows}, reverse=True)
    across = sorted({flow.target for flow in flows})
    sums: dict[tuple[str, str], Money] = {}
    pages: dict[tuple[str, str], str | None] = {}
    for flow in flows:
        cell = (flow.source, flow.target)
        sums[cell] = sums.get(cell, Money(0)) + flow.amount
        pages[cell] = flow.address
    heat: dict[str, Any] = {
        "type": "heatmap",
        "x": across,
        "y": down,
        "z": [[_amount(sums.get((row, column))) for column in across] for row in down],
        "customdata": [[pages.get((row, column)) for column in across] for row in down],
        "colorscale": _SCALE,
        "zmin": 0,
        "zmax": str(max(sums.values(), default=Money(1))),
        "xgap": 3,
        "ygap": 3,
        "showscale": False,
        "hoverongaps": False,
        "hovertemplate": f"{names[0]} %{{y}}<br>{names[1]} %{{x}}<br>%{{z:,.2f}}<extra></extra>",
    }
    most = max((amount.fen for amount in sums.values()), default=0)
    said = [
        {
            "x": column, "y": row, "text": in_thousands(amount), "showarrow": False,
            "font": {"color": "#fff" if amount.fen * 2 > most else "#1b2430"},
        }
        for (row, column), amount in sums.items()
    ]  # fmt: skip
    axis = {"type": "category", "automargin": True, "fixedrange": True, "ticks": "", "showgrid": False}
    layout = {
        "xaxis": axis | {"title": {"text": names[1]}, "side": "top"},
        "yaxis": axis | {"title": {"text": names[0]}},
        "annotations": said,
        "height": max(220, 110 + 56 * len(down)),
        "margin": {"l": 90, "r": 16, "t": 70, "b": 16},
    }
    return Chart(label, [heat], layout)


def sankey(label: str, flows: Sequence[Flow], middle: str | None = None) -> Chart:
    """Money from those who pay (left) to those who are paid (right): a name that does both stands on both sides.

    ``middle`` is the one name through which money passes, such as a settlement agent's; the label says who it is, for
    it stands where the other names do.
    """
    payers = sorted({flow.source for flow in flows} - {middle})
    payees = sorted({flow.target for flow in flows} - {middle})
    between = [] if middle is None else [middle]
    hues = {name: MARKS[index % len(MARKS)] for index, name in enumerate(sorted({*payers, *payees}))}
    nodes = [*payers, *payees, *between]
    drawn: dict[str, Any] = {
        "type": "sankey",
        "arrangement": "snap",
        "node": {
            "label": ["" if name == middle else name for name in nodes],
            "color": [hues.get(name, "#566173") for name in nodes],
            "pad": 18,
            "thickness": 16,
            "line": {"width": 0},
            "hovertemplate": "%{label}<br>%{value:,.2f}<extra></extra>",
        },
        "link": {
            "source": [len(nodes) - 1 if flow.source == middle else payers.index(flow.source) for flow in flows],
            "target": [
                len(nodes) - 1 if flow.target == middle else len(payers) + payees.index(flow.target) for flow in flows
            ],
            "value": [str(flow.amount) for flow in flows],
            "customdata": [flow.address for flow in flows],
            "label": [flow.note for flow in flows],
            "color": [f"{hues.get(flow.source, hues.get(flow.target, '#566173'))}66" for flow in flows],
            "hovertemplate": "%{source.label} → %{target.label}<br>%{value:,.2f} %{label}<extra></extra>",
        },
        "valueformat": ",.2f",
    }
    high = max(220, 90 + 70 * max(len(payers), len(payees)))
    return Chart(label, [drawn], {"height": high, "margin": {"l": 16, "r": 16, "t": 16, "b": 16}})


def bars(label: str, unit: str, places: Sequence[str], series: Sequence[tuple[str, Sequence[Money]]]) -> Chart:
    """One group of bars a place, one bar a series: before and after, say."""
    drawn = [
        {
            "type": "bar",
            "name": name,
            "x": list(places),
            "y": [str(amount) for amount in amounts],
            "marker": {"color": MARKS[index % len(MARKS)]},
            "hovertemplate": "%{x}<br>%{y:,.2f}<extra>" + name + "</extra>",
        }
        for index, (name, amounts) in enumerate(series)
    ]
    layout = {
        "barmode": "group",
        "height": _HIGH,
        "margin": {"l": 72, "r": 16, "t": 16, "b": 48},
        "legend": {"orientation": "h", "y": 1, "yanchor": "bottom"},
        "xaxis": {"type": "category", "automargin": True, "fixedrange": True},
        "yaxis": {"title": {"text": unit}, "tickformat": ",", "automargin": True, "fixedrange": True},
    }
    return Chart(label, drawn, layout)


def lines(label: str, unit: str, places: Sequence[str], series: Sequence[tuple[str, Sequence[int]]]) -> Chart:
    """One line a series over the same places, in the order given, down to nought; amounts in whole fen."""
    drawn = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": list(places),
            "y": [str(Money(fen)) for fen in amounts],
            "line": {"color": MARKS[index % len(MARKS)], "shape": "hv"},
            "hovertemplate": "%{x}<br>%{y:,.2f}<extra>" + name + "</extra>",
        }
        for index, (name, amounts) in enumerate(series)
    ]
    layout = {
        "height": _HIGH,
        "margin": {"l": 72, "r": 16, "t": 16, "b": 48},
        "showlegend": True,
        "legend": {"orientation": "h", "y": 1, "yanchor": "bottom"},
        "xaxis": {"type": "category", "automargin": True, "fixedrange": True},
        "yaxis": {
            "title": {"text": unit}, "tickformat": ",", "automargin": True, "fixedrange": True, "rangemode": "tozero",
        },
    }  # fmt: skip
    return Chart(label, drawn, layout)


@functools.cache
def plotly_script() -> bytes:
    """Plotly's script as its package carries it; the package itself is not imported."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the package {PACKAGE} is not installed")
    return (Path(spec.origin).parent / "package_data" / SCRIPT).read_bytes()


@functools.cache
def plotly_compressed() -> bytes:
    """The same for browsers that unpack it: a third of its size."""
    return gzip.compress(plotly_script(), mtime=0)


def _amount(amount: Money | None) -> str | None:
    return None if amount is None else str(amount)
