"""What the first training step of a network costs on a processor: its seconds with an empty compilation
cache and with a full one, and the memory of the process at its peak, compiler included.

    python benchmarks/first_step.py resnet18 unet
    python benchmarks/first_step.py all --out first_step.json

Beside each: XLA's own layers (``DLJAX_PLAIN=1``). Networks and batches are those of versus_torch.py;
making the parameters is not counted. A process each, one after another.
"""

import argparse
import sys
import tempfile
from typing import Any

import show
from versus_torch import CASES, HERE, Worker

FORMS = {"forms": "0", "XLA's own": "1"}


def first_step(case: str, plain: str, cache: str) -> tuple[float, int]:
    """Seconds of the first step, and MiB at the peak of it and of three more."""
    command = [sys.executable, str(HERE / "steps_jax.py"), case]
    worker = Worker(command, {"DLJAX_PLAIN": plain, "XDG_CACHE_HOME": cache})
    try:
        said = worker.read()
        return said["first_step"], worker.step(1).peak_mib
    finally:
        worker.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="+", metavar="CASE", help=f"of {', '.join(CASES)}; or all")
    parser.add_argument("--out", default="", help="JSON file for the figures")
    options = parser.parse_args()
    cases = list(CASES) if options.cases == ["all"] else options.cases
    unknown = set(cases) - set(CASES)
    if unknown:
        parser.error(f"no case {unknown.pop()!r}: of {', '.join(CASES)}")
    if "gcn" in cases:
        cases.remove("gcn")  # its graph is a file of versus_torch.py
    show.warn_if_busy()
    rows: list[list[str]] = []
    figures: dict[str, Any] = {}
    for case in cases:
        cells = []
        for form, plain in FORMS.items():
            with tempfile.TemporaryDirectory(prefix="dljax-cache-") as cache:
                cold, peak = first_step(case, plain, cache)
                warm, _ = first_step(case, plain, cache)
            figures[f"{case}, {form}"] = {"cold": cold, "warm": warm, "peak_mib": peak}
            cells += [show.number(cold), show.number(warm), f"{peak:,}"]
        rows.append([CASES[case], *cells])
        print("  ".join(rows[-1]), flush=True)
        show.write(options.out, {"machine": show.machine("jax", "jaxlib"), "cases": figures})
    columns = [f"{what}, {form}" for form in FORMS for what in ("cold, s", "warm, s", "peak, MiB")]
    print(show.table(["first step", *columns], rows))


if __name__ == "__main__":
    main()
