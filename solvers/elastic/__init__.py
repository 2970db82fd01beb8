"""How pulses travel through networks of elastic vessels: 1D, over whole heart cycles."""
