"""Progress of a run: a live bar, or plain lines where the output is no terminal."""

import sys
import time
from typing import Any

import numpy as np


def _shown(value: Any) -> str:
    return f"{float(np.mean(value)):.4g}"


def _left(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


class Progress:
    """A display of step, losses, examples per second and time left.

    Attributes:
        quiet: show nothing.
        every: seconds between plain lines.
    """

    def __init__(self, start: int, total: int, quiet: bool, every: float = 5.0):
        self.start, self.total, self.batch, self.quiet = start, total, 0, quiet
        self.every = every
        self.begun = self.told = time.monotonic()
        self.bar: Any = None
        if not quiet and sys.stdout.isatty():
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )

            self.bar = Progress(
                TextColumn("step"),
                MofNCompleteColumn(),
                BarColumn(),
                TextColumn("{task.fields[now]}"),
                TextColumn("left"),
                TimeRemainingColumn(),
                refresh_per_second=4,
            )
            self.task = self.bar.add_task("train", total=total, completed=start, now="compiling")
            self.bar.start()

    def steady(self, done: int, batch: int) -> None:
        """Count examples per second from now on, after compilation.

        Args:
            done: steps so far.
            batch: examples, or packs, per step.
        """
        self.begun, self.start, self.batch = time.monotonic(), done, batch

    def step(self, done: int, metrics: dict[str, Any]) -> None:
        """Show the metrics of a step; calls are cheap, since most of them show nothing."""
        now = time.monotonic()
        due = 0.25 if self.bar else self.every
        if self.quiet or (now - self.told < due and done < self.total):
            return
        self.told = now
        rate = (done - self.start) / max(now - self.begun, 1e-9)
        losses = "  ".join(f"{k} {_shown(v)}" for k, v in metrics.items() if k.endswith("/loss"))
        words = f"{losses}  {rate * self.batch:,.0f} examples/s"
        if self.bar:
            self.bar.update(self.task, completed=done, now=words)
        else:
            left = _left((self.total - done) / rate) if rate > 0 else "?"
            print(f"step {done}/{self.total}  {words}  left {left}", flush=True)

    def say(self, words: str) -> None:
        """Show a line."""
        if self.quiet:
            return
        if self.bar:
            self.bar.console.print(words, highlight=False)
        else:
            print(words, flush=True)

    def close(self) -> None:
        """End the live bar."""
        if self.bar:
            self.bar.stop()
