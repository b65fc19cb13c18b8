"""A model server that speaks TensorFlow Serving's gRPC and REST API, for any SavedModel."""
