"""Compiles the recurrences of any SavedModel beside their plain form, for the shapes that are often asked for."""
