"""Many studies: one folder per case, whatever is interrupted; dask computes, the disk knows."""
