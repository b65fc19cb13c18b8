"""Recurrent layers that hold the slides' equations, and the networks built on them."""
