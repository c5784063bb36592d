"""The report of a run: report.html, one page with curves, the newest pictures and the verdict."""

import ast
import base64
import html
import io
import re
import shlex
from importlib.util import decode_source
from pathlib import Path
from typing import Any

import numpy as np

from dljax.runtime.files import read_json, write_text, writes
from dljax.runtime.rundir import read_metrics, read_result

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.2rem .8rem;text-align:left;
border-bottom:1px solid #ddd}.met{color:#18794e}.not{color:#b42318}img{max-width:100%}
figure{display:inline-block;margin:.5rem 1rem .5rem 0;vertical-align:top}figcaption{color:#666}
pre{background:#f6f6f6;padding:.8rem;overflow:auto}.pixel{image-rendering:pixelated;min-width:16rem}
"""


def _leave_out_the_start(axis: Any, curves: list[list[tuple[int, float]]]) -> None:
    """Cut off the first twentieth of a run where it is so high that the rest would look flat."""
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
    width, height = 10.0, 2.8 * lines  # inches
    figure = Figure(figsize=(width, height))
    # Room for labels in fixed inches: to have matplotlib measure them takes as long as the rest.
    figure.subplots_adjust(
        left=0.7 / width, right=1 - 0.1 / width, bottom=0.5 / height, top=1 - 0.3 / height
    )
    figure.subplots_adjust(wspace=0.16, hspace=0.45)
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
    FigureCanvasSVG(figure).print_svg(out)
    text = out.getvalue()
    return text[text.index("<svg") :]


def _source(file: Path) -> str:
    """A Python file's text, in the encoding that it names."""
    try:
        return decode_source(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return _text(file)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def _pictures(folder: Path) -> str:
    newest: dict[str, tuple[int, Path]] = {}
    for file in sorted(folder.glob("*_*.*")):
        ours = re.fullmatch(r"(.+)_(\d{7,})\.(png|txt)", file.name)
        if ours and file.is_file():
            newest[ours[1]] = int(ours[2]), file
    parts = []
    for name, (step, file) in newest.items():
        if file.suffix == ".txt":
            shown = f"<pre>{html.escape(_text(file))}</pre>"
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
    """The command as one would type it, without the program's folder."""
    program = Path(argv[0])
    said = "python -m dljax" if program.name == "__main__.py" else program.name
    return f"{said} {shlex.join(argv[1:])}"


def _headline(text: str) -> str:
    """The first paragraph of an experiment file's docstring, as HTML; "" without one."""
    try:
        first = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
    except (SyntaxError, ValueError):  # the stored copy was damaged
        return ""
    return f"<p>{html.escape(' '.join(first.split()))}</p>" if first else ""


def _verdict(record: dict[str, Any], result: dict[str, Any] | None) -> str:
    if result is None:
        return "<p>Not finished: run the same command again to go on.</p>"
    rows = []
    for expect in record.get("expect", []):
        metric = expect.split()[0]
        value = float(np.mean(result["metrics"].get(metric, np.nan)))
        held = result["verdict"].get(expect)
        mark = {True: '<td class="met">met</td>', False: '<td class="not">not met</td>'}
        rows.append(
            f"<tr><th>{html.escape(metric)}</th><td>{value:.5g}</td>"
            f"<td>claimed {html.escape(expect)}</td>{mark.get(held, '<td>no verdict</td>')}</tr>"
        )
    took = f"{result['steps']:,} steps; {result['seconds']:,.0f} s since it was last started."
    return f"<table>{''.join(rows)}</table><p>{took}</p>"


@writes
def write_report(path: Path) -> Path:
    """Write ``path``/report.html from the files of a run's folder, damaged ones left out."""
    record = read_json(path / "record.json", command=list) or {"command": ["dljax"]}
    rows = read_metrics(path)
    name = html.escape(str(record.get("experiment", path.name)))
    text = _source(path / "code" / Path(record.get("file") or "none").name)
    where = ("commit", "started", "host", "platform", "cores", "devices", "processes")
    facts = {"command": _command(record["command"]), **{k: record.get(k) for k in where}}
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>
<style>{_STYLE}</style><h1>{name}</h1>{_headline(text)}
{_verdict(record, read_result(path))}
<h2>Curves</h2>{_curves(rows)}
<h2>Pictures</h2>{_pictures(path / "pictures") or "<p>None.</p>"}
<h2>Knobs</h2>{_table(record.get("knobs", {}))}
<h2>Where it ran</h2>{_table(facts)}{_table(record.get("versions", {}))}{_table(record.get("profile", {}))}
<h2>The experiment file</h2><pre>{html.escape(text)}</pre></html>
"""
    target = path / "report.html"
    write_text(target, page)
    return target
