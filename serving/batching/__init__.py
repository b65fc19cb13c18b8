"""Joins requests into batches, as --enable_batching asks. Section 13 of the API."""
