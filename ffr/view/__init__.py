"""What the reader works with: a local page on a finished run, one cursor through all of it."""
