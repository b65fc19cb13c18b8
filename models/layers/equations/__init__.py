"""The mathematics of one time step, one file for each recurrence, as on its slide."""
