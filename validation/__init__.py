"""How we know: evidence too slow or too large for the test suite."""
