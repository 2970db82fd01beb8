"""The networks that read a scan. torch lives here and nowhere else."""
