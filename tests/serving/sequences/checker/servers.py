"""Servers as processes of their own, to be killed, stopped and started again, each on a socket file."""

import multiprocessing
import os
import resource
import signal

import grpc
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving.__main__ import main
from tests.serving.sequences.checker import planted

PROCESSES = multiprocessing.get_context("forkserver")  # imports TensorFlow once, then a start takes a second
PROCESSES.set_forkserver_preload(["serving.server", __name__])
RECONNECT = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.min_reconnect_backoff_ms", 50)]
RECONNECT += [("grpc.max_reconnect_backoff_ms", 200), ("grpc.use_local_subchannel_pool", 1)]
START_SECONDS = 600  # the whole may be stopped meanwhile, while the machine measures


def _serve(arguments, log, fault):
    with open(log, "a") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    planted.plant(fault)
    os._exit(main(arguments))


class Server:
    """One server of the model `m`."""

    def __init__(self, folder, base, store, change, fault=""):
        """folder: for its socket and log; base: of the versions; store, change: as --sequence_store and
        --sequence_on_version_change; fault: planted in it."""
        folder.mkdir()
        self.socket, self.log, self.fault = folder / "socket", folder / "log", fault
        self.arguments = [
            *("--port=0", f"--grpc_socket_path={self.socket}", "--model_name=m", f"--model_base_path={base}"),
            *(f"--sequence_store={store}", "--max_sequence_number=100000", f"--sequence_on_version_change={change}"),
            "--sequence_drain_seconds=36000",
            *("--file_system_poll_wait_seconds=1", "--shutdown_grace_seconds=5", "--sequence_max_waiting=100"),
            # the whole may be stopped for minutes: nothing is forgotten for that
            *("--sequence_cleaner_poll_wait_minutes=60", "--sequence_retain_ended_seconds=3600"),
        ]
        self.process = None

    def launch(self):
        """Starts it, without waiting until it answers."""
        self.process = PROCESSES.Process(target=_serve, args=(self.arguments, self.log, self.fault), daemon=True)
        self.process.start()

    def wait(self):
        """Until it answers."""
        with self.channel() as channel:
            try:
                grpc.channel_ready_future(channel).result(START_SECONDS)
            except grpc.FutureTimeoutError:
                raise AssertionError(f"no answer:\n{self.log.read_text()[-5000:]}") from None

    def channel(self):
        return grpc.insecure_channel(f"unix:{self.socket}", RECONNECT)

    def send(self, number):
        os.kill(self.process.pid, number)

    def end(self, number=signal.SIGKILL):
        """Ends it with that signal."""
        if self.process is not None and self.process.is_alive():
            self.send(number)
        if self.process is not None:
            self.process.join()

    def fill_disk(self, full):
        """While it is full, no file of the server grows beyond a page."""
        hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (4096 if full else hard, hard))


def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)
