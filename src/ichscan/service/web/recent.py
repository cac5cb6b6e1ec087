"""What happened a moment ago, in a bounded memory."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Final

MOST: Final = 10_000


class Recent:
    """Remembers keys for some seconds; safe among threads."""

    def __init__(self, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._times: OrderedDict[Hashable, float] = OrderedDict()

    def first(self, key: Hashable) -> bool:
        """True when the key was not seen in the last seconds; it is remembered from now on."""
        now = self._clock()
        with self._lock:
            told = self._times.get(key)
            if told is not None and now < told + self._seconds:
                return False
            self._times[key] = now
            self._times.move_to_end(key)
            while len(self._times) > MOST:
                self._times.popitem(last=False)
            return True

    def forget(self, key: Hashable) -> None:
        """As if the key had not been seen."""
        with self._lock:
            self._times.pop(key, None)
