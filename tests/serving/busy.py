"""Servers that answer UNAVAILABLE, or close a connection, as often as a test wants: stock gRPC, Python's own HTTP."""

import http.server
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

OUTPUTS = {"outputs": {"y": {"dtype": "DT_INT32"}}}
METADATA = {"metadata": {"signature_def": {"signature_def": {"serving_default": OUTPUTS}}}}


class Busy:
    """What both count: requests for a prediction, of which the first `times` are refused."""

    def __init__(self, times):
        self.times = times
        self.asked = 0

    def refuses(self):
        self.asked += 1
        return self.asked <= self.times


@contextmanager
def grpc_server(times):
    """(address, what it counts); the answer is y = 7."""
    busy = Busy(times)

    class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            if busy.refuses():
                context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
            return predict_pb2.PredictResponse(outputs={"y": tf.make_tensor_proto([7])})

    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Servicer(), server)
        port = server.add_insecure_port("localhost:0")
        server.start()
        try:
            yield f"localhost:{port}", busy
        finally:
            server.stop(None).wait()


@contextmanager
def http_server(times, requests_of_a_connection=None):
    """(url, what it counts, event that is set when a connection has been closed); the answer is y = 7.

    requests_of_a_connection: it closes one after so many, and does not say so before."""
    busy, closed = Busy(times), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        answered = 0

        def do_GET(self):
            self.answer(200, METADATA)

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            if busy.refuses():
                self.answer(503, {"error": "busy"})
            else:
                self.answer(200, {"outputs": [7]})

        def answer(self, status, content):
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.answered += 1
            self.close_connection = self.answered == requests_of_a_connection

        def log_message(self, *_):
            """Not to the test's output."""

    class Server(http.server.ThreadingHTTPServer):
        def shutdown_request(self, request):
            super().shutdown_request(request)
            closed.set()

    with Server(("localhost", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}", busy, closed
        finally:
            server.shutdown()
            thread.join()
