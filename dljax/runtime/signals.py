"""Signals that end a run, SIGTERM and Ctrl-C: the step is finished, and the state saved."""

import signal
import threading
from types import FrameType

import jax


class Stop:
    """A note of the first request to stop; a second Ctrl-C raises KeyboardInterrupt as usual."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._asked = 0
        self._old: dict[int, object] = {}

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                # Among several processes jax's coordination service holds SIGTERM and picks the step
                # at which all of them stop.
                if jax.process_count() == 1 or number == signal.SIGINT:
                    self._old[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *exception) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def requested(self, step: int) -> bool:
        """True where the run should stop after ``step`` updates; all processes get the same answer."""
        if jax.process_count() > 1:
            from jax.experimental import multihost_utils

            # It picks a count to stop at and must be asked at every count in turn; steps may skip some.
            self._asked += 1
            if multihost_utils.reached_preemption_sync_point(self._asked):
                self.number = self.number or signal.SIGTERM
                return True
            return False
        return self.number is not None
