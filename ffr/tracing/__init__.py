"""From label maps to named trees: ostia, courses, gaps, ends, stents, names."""
