"""The recurrences: equation, layer and engine, each in its own file."""
