"""Compiled hemodynamics: plain functions of numbers and arrays, SI units."""
