"""The data sets: where their files lie, how they are read and split."""
