"""report.html: one page with the curves, the newest pictures and the verdict, in one file."""

import ast
import base64
import html
import io
import json
import shlex
from importlib.util import decode_source
from pathlib import Path
from typing import Any

import numpy as np

from dljax.runtime.rundir import read_metrics

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.2rem .8rem;text-align:left;
border-bottom:1px solid #ddd}.met{color:#18794e}.not{color:#b42318}img{max-width:100%}
figure{display:inline-block;margin:.5rem 1rem .5rem 0;vertical-align:top}figcaption{color:#666}
pre{background:#f6f6f6;padding:.8rem;overflow:auto}.pixel{image-rendering:pixelated;min-width:16rem}
"""


def _leave_out_the_start(axis: Any, curves: list[list[tuple[int, float]]]) -> None:
    """Where the first twentieth of a run is so high that the rest would look flat."""
    last = max(curve[-1][0] for curve in curves)
    highest = max(value for curve in curves for _, value in curve)
    later = [value for curve in curves for step, value in curve if 20 * step >= last]
    low, high = min(later), max(later)
    if highest - low > 2 * (high - low) > 0:
        axis.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _curves(rows: list[dict[str, Any]]) -> str:
    """An SVG with a panel for each kind of metric ("loss", "accuracy", ...)."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    series: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name, value in row.items():
            if name != "step":
                series.setdefault(name, []).append((row["step"], float(np.mean(value))))
    kinds: dict[str, list[str]] = {}
    for name in series:
        kinds.setdefault(name.rsplit("/", 1)[-1], []).append(name)
    if not kinds:
        return "<p>No metrics yet.</p>"
    columns = 2
    lines = -(-len(kinds) // columns)
    figure = Figure(figsize=(10, 2.8 * lines), layout="constrained")
    FigureCanvasSVG(figure)
    for place, (kind, names) in enumerate(sorted(kinds.items())):
        axis = figure.add_subplot(lines, columns, place + 1)
        for name in names:
            steps, values = zip(*series[name], strict=True)
            axis.plot(
                steps, values, label=name, lw=1.2, marker="o" if len(steps) < 30 else None, ms=3
            )
        axis.set(title=kind, xlabel="step")
        _leave_out_the_start(axis, [series[name] for name in names])
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    out = io.StringIO()
    figure.savefig(out, format="svg")
    text = out.getvalue()
    return text[text.index("<svg") :]


def _pictures(folder: Path) -> str:
    newest: dict[str, Path] = {}
    for file in sorted(folder.glob("*_*.*")):
        newest[file.stem.rsplit("_", 1)[0]] = file
    parts = []
    for name, file in newest.items():
        step = int(file.stem.rsplit("_", 1)[1])
        if file.suffix == ".txt":
            shown = f"<pre>{html.escape(file.read_text())}</pre>"
        else:
            data = base64.b64encode(file.read_bytes()).decode()
            shown = (
                f'<img class="pixel" alt="{html.escape(name)}" src="data:image/png;base64,{data}">'
            )
        parts.append(
            f"<figure>{shown}<figcaption>{html.escape(name)}, step {step}</figcaption></figure>"
        )
    return "".join(parts)


def _table(rows: dict[str, Any]) -> str:
    cells = (
        f"<tr><th>{html.escape(str(k))}</th><td>{html.escape(str(v))}</td></tr>"
        for k, v in rows.items()
    )
    return f"<table>{''.join(cells)}</table>"


def _command(argv: list[str]) -> str:
    """As one would type it, whichever way the program was found."""
    program = Path(argv[0])
    said = "python -m dljax" if program.name == "__main__.py" else program.name
    return f"{said} {shlex.join(argv[1:])}"


def _headline(text: str) -> str:
    """The first sentence of an experiment file's docstring."""
    first = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
    return f"<p>{html.escape(' '.join(first.split()))}</p>" if first else ""


def _verdict(record: dict[str, Any], result: dict[str, Any] | None) -> str:
    if result is None:
        return "<p>Not finished: run the same command again to go on.</p>"
    rows = []
    for key, held in result["verdict"].items():
        value = float(np.mean(result["metrics"].get(key, np.nan)))
        mark = '<td class="met">met</td>' if held else '<td class="not">not met</td>'
        rows.append(
            f"<tr><th>{html.escape(key)}</th><td>{value:.5g}</td>"
            f"<td>expected {html.escape(record['expect'][key])}</td>{mark}</tr>"
        )
    took = f"{result['steps']:,} steps; {result['seconds']:,.0f} s since it was last started."
    return f"<table>{''.join(rows)}</table><p>{took}</p>"


def write_report(path: Path) -> Path:
    """Write ``path``/report.html from the files of the run's folder."""
    record = json.loads((path / "record.json").read_text())
    finished = path / "result.json"
    result = json.loads(finished.read_text()) if finished.is_file() else None
    rows = read_metrics(path)
    name = html.escape(record["experiment"])
    file = path / "code" / Path(record["file"] or "").name
    text = decode_source(file.read_bytes()) if file.is_file() else ""
    where = ("commit", "started", "host", "platform", "cores", "devices", "processes")
    facts = {"command": _command(record["command"]), **{k: record[k] for k in where}}
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>
<style>{_STYLE}</style><h1>{name}</h1>{_headline(text)}
{_verdict(record, result)}
<h2>Curves</h2>{_curves(rows)}
<h2>Pictures</h2>{_pictures(path / "pictures") or "<p>None.</p>"}
<h2>Knobs</h2>{_table(record["knobs"])}
<h2>Where it ran</h2>{_table(facts)}{_table(record["versions"])}{_table(record["profile"])}
<h2>The experiment file</h2><pre>{html.escape(text)}</pre></html>
"""
    target = path / "report.html"
    temporary = target.with_suffix(".tmp")
    temporary.write_text(page)
    temporary.replace(target)
    return target
