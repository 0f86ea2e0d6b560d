"""File formats that others have written: pure and streaming; whoever opens the file is someone else."""
