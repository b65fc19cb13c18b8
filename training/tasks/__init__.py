"""What the pipeline must know of a zoo model to train it: one file for each, and the table that names them."""
