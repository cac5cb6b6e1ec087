"""How often something may happen: a bucket of permits per caller that fills by itself, in a bounded memory."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Final

MOST: Final = 20_000
"""Callers remembered; the one heard of longest ago is forgotten, which gives it a full bucket."""


class Rates:
    """So many a minute per caller, all of them at once where it was silent before. Safe among threads."""

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = max(float(per_minute), 1.0)
        self._per_second = self._most / 60.0
        self._clock = clock
        self._lock = Lock()
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def wait(self, caller: Hashable) -> float:
        """Takes a permit: 0.0 when there was one, else seconds until there is one."""
        now = self._clock()
        with self._lock:
            permits, at = self._buckets.get(caller, (self._most, now))
            permits = min(self._most, permits + (now - at) * self._per_second)
            allowed = permits >= 1.0
            self._buckets[caller] = (permits - 1.0 if allowed else permits, now)
            self._buckets.move_to_end(caller)
            while len(self._buckets) > MOST:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1.0 - permits) / self._per_second
