"""The traffic between host and device: calls, batches made ahead, results not read yet."""

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax

# Where host and device share their cores, so many calls at most form a group, and no more than take
# about this long in seconds: Ctrl-C waits for one group, and must not wait for many slow steps.
_GROUP, _GROUP_SECONDS = 8, 0.1


class Edge(NamedTuple):
    """Steps at which the loop stops to save or measure: every ``every`` steps after step ``since``.

    With ``every`` 0 there are none.
    """

    every: int
    since: int = 0

    def at(self, step: int) -> bool:
        """True where ``step`` is one of them."""
        return bool(self.every) and (step - self.since) % self.every == 0

    def after(self, step: int) -> int:
        """The first of them after ``step``; ``every`` must be above 0."""
        return step + self.every - (step - self.since) % self.every


def calls(start: int, stop: int, k: int, edges: tuple[Edge, ...]) -> Iterator[tuple[int, int]]:
    """Yield (first step, number of steps) of each call to the device, from ``start`` to ``stop``.

    A call takes ``k`` steps from a multiple of ``k`` on, or a single one where an edge is nearer.
    This depends on the step alone, so an interrupted run groups its steps as an uninterrupted one.
    """
    step = start
    while step < stop:
        edge = min([stop, *(edge.after(step) for edge in edges if edge.every)])
        size = k if step % k == 0 and step + k <= edge else 1
        yield step, size
        step += size


class Ahead:
    """An iterator that a thread runs, so that ``ahead`` items lie ready."""

    def __init__(self, items: Iterator[Any], ahead: int = 2):
        self._ready: queue.SimpleQueue = queue.SimpleQueue()
        self._wanted: queue.SimpleQueue = queue.SimpleQueue()  # True for every item to be made
        for _ in range(ahead):
            self._wanted.put(True)

        def work() -> None:
            try:
                while self._wanted.get():
                    self._ready.put((next(items), None))
            except BaseException as error:  # the end too; raised in the thread that asks
                self._ready.put((None, error))

        self._thread = threading.Thread(target=work, name="feeder", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Any]:
        while True:
            item, error = self._ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            self._wanted.put(True)
            yield item

    def close(self) -> None:
        """Let the thread end, with nothing more made than the item it is at."""
        with contextlib.suppress(queue.Empty):  # the thread takes from it too
            while True:
                self._wanted.get_nowait()
        self._wanted.put(False)
        self._thread.join()


class InFlight:
    """Calls that were dispatched and whose results are not read yet.

    Where the device has its own cores, a call's results are read when the next call is on its way.
    Where it shares the host's (``shared``), quick calls are sent and read in groups: to wake the host
    for each, with its code gone from the caches meanwhile, costs 2 % of a small net's speed.
    """

    def __init__(self, shared: bool):
        self._most, self._size = _GROUP if shared else 1, 1
        self._sent: list[Any] = []
        self._before: list[Any] = []
        self._begun = time.monotonic()

    def add(self, call: Any) -> list[Any]:
        """Note a dispatched call, a pytree of its results, and return calls to be read now.

        Their results are there; the oldest comes first.
        """
        self._sent.append(call)
        if len(self._sent) < self._size:
            return []
        begun, self._begun = self._begun, time.monotonic()
        if self._begun - begun < _GROUP_SECONDS:
            self._size = min(2 * self._size, self._most)
        due, self._before, self._sent = self._before, self._sent, []
        jax.block_until_ready(due[-1:])  # wakes the host once, for the last
        return due

    def rest(self) -> list[Any]:
        """Return all calls that are left, the oldest first."""
        due = self._before + self._sent
        self._before, self._sent = [], []
        return due
