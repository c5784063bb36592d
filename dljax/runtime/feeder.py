"""The schedule of calls to the device, and the thread that keeps the next batches ready for it."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any


def calls(start: int, stop: int, k: int, edges: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """(first step, how many) of each call from ``start`` to ``stop``: ``k`` steps at multiples of
    ``k``, single steps where an edge (a multiple of one of ``edges``) is nearer than that.

    A function of the step alone, so an interrupted run groups its steps as an uninterrupted one.
    """
    step = start
    while step < stop:
        edge = min([stop, *((step // every + 1) * every for every in edges if every)])
        size = k if step % k == 0 and step + k <= edge else 1
        yield step, size
        step += size


class Feeder:
    """Iterates over (first, k, placed batch), ``ahead`` batches ahead of whoever asks."""

    def __init__(
        self, schedule: Iterator[tuple[int, int]], place: Callable[[int, int], Any], ahead: int = 2
    ):
        self._queue: queue.Queue = queue.Queue(ahead)
        self._closed = threading.Event()

        def put(item) -> bool:
            while not self._closed.is_set():
                try:
                    self._queue.put(item, timeout=0.1)
                    return True
                except queue.Full:
                    continue
            return False

        def work():
            try:
                for first, k in schedule:
                    if not put((first, k, place(first, k))):
                        return
                put(None)
            except BaseException as error:  # carried to the thread that asks
                put(error)

        self._thread = threading.Thread(target=work, name="feeder", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[tuple[int, int, Any]]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
