"""File formats: pure and streaming; whoever opens the file is someone else."""
