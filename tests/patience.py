"""How long may a thing take here and now? A machine with other work to do takes longer."""

import time

TRIED_S = 0.05


def slowness():
    """How many times longer this process takes at present than on a core of its own."""
    began, used = time.monotonic(), time.process_time()
    while time.process_time() - used < TRIED_S:
        pass
    return max(1.0, (time.monotonic() - began) / TRIED_S)


class Prompt:
    """Something that takes at most so long on a machine that has nothing else to do.

        with Prompt(2.0):
            ...

    The limit grows with what the machine takes for other work, before or after.
    """

    def __init__(self, limit_s):
        self.limit_s = limit_s

    def __enter__(self):
        self.slow = slowness()
        self.began = time.monotonic()

    def __exit__(self, kind, *_):
        took = time.monotonic() - self.began
        if kind is None:
            limit_s = self.limit_s * max(self.slow, slowness())
            assert took < limit_s, f"took {took:.1f} s, more than {limit_s:.1f} s"
