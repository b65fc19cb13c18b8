"""How the steps over time are executed, one file for each way."""
