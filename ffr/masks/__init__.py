"""Lumen masks from other programs: the same trees without a scan."""
