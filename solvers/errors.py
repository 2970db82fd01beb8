"""What can go wrong in a solve."""


class ConvergenceError(RuntimeError):
    """An iteration ended without an answer; the message names the place."""
