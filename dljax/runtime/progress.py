"""What a person sees while a run goes on: a live bar, or plain lines where output is no terminal."""

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
    """Step, losses, examples per second and time left; quiet where ``quiet``."""

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
        """Count the rate from ``done`` steps on, now, in batches of ``batch`` (what was to be compiled
        is)."""
        self.begun, self.start, self.batch = time.monotonic(), done, batch

    def step(self, done: int, metrics: dict[str, Any]) -> None:
        """Called after every step; draws at most a few times a second."""
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
        if self.quiet:
            return
        if self.bar:
            self.bar.console.print(words, highlight=False)
        else:
            print(words, flush=True)

    def close(self) -> None:
        if self.bar:
            self.bar.stop()
