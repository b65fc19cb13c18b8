"""A model server that speaks TensorFlow Serving's gRPC and REST API, for any SavedModel.

    from serving.options import ServerOptions   what can be set
    from serving.server import ModelServer      the server, in this process
    from serving.client import GrpcClient, RestClient

`python -m serving` starts it from the command line. Nothing is imported here: TensorFlow takes seconds, and the command
line's `--help` does not need it."""
