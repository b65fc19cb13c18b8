"""Joins requests into batches, as --enable_batching asks. In TensorFlow Serving: batching/batching_session.cc."""
