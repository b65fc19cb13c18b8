"""The rivals, one file each: an application as the rival's documentation writes it, run in the rival's environment."""
