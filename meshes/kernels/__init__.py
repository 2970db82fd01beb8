"""Compiled geometry: plain functions of numbers and arrays."""
