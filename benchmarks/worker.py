"""A worker of versus_torch.py: one network in a process of its own, stepping when told to.

It writes one line of JSON when it is ready, and one for every number of steps that it reads.
"""

import json
import resource
import sys
import time
from collections.abc import Callable


def serve(run: Callable[[int], None], parameters: int, version: str) -> None:
    """Obey until stdin ends.

    Args:
        run: takes so many steps, and returns when they are done.
        parameters: how many the network has.
        version: of the library that it runs on.
    """
    begun = time.monotonic()
    run(1)
    first = time.monotonic() - begun
    run(2)  # what the first step left to be compiled or allocated
    said = {"parameters": parameters, "first_step": first, "version": version}
    print(json.dumps(said), flush=True)
    for line in sys.stdin:
        steps = int(line)
        begun, worked = time.monotonic(), time.process_time()
        run(steps)
        seconds, worked = time.monotonic() - begun, time.process_time() - worked
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        found = {"seconds": seconds / steps, "cores": worked / seconds, "peak_mib": peak}
        print(json.dumps(found), flush=True)
