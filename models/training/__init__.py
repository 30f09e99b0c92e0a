"""Code that trained the shipped weights; needs the extra `train` and torch, and is imported by nothing else."""
