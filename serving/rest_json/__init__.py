"""JSON of the REST API: requests to arrays, arrays to answers, with TensorFlow Serving's texts for what is wrong."""
