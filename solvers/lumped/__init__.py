"""Pulsatile flow in networks of lumped elements (0D)."""
