"""Where things are: volumes, vessel trees, lumen surfaces, stenoses, files. mm, LPS."""
