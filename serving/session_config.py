"""The ConfigProto of the sessions. In TensorFlow Serving: model_servers/server.cc."""

import logging
import os
from typing import Any

from tensorflow.core.protobuf import config_pb2
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig

from serving import text_proto
from serving.options import ServerOptions

log = logging.getLogger(__name__)


def session_config(options: ServerOptions) -> Any:
    """The ConfigProto that the flags ask for.

    Its file gives the rest: thread counts and the GPU memory fraction are always those of the flags."""
    config = config_pb2.ConfigProto(allow_soft_placement=True)
    if options.tensorflow_session_config_file:
        config = text_proto.read(os.path.abspath(options.tensorflow_session_config_file), config_pb2.ConfigProto)
    intra, inter = options.tensorflow_intra_op_parallelism, options.tensorflow_inter_op_parallelism
    if intra <= 0 and inter <= 0:
        intra = inter = options.tensorflow_session_parallelism
    config.intra_op_parallelism_threads = intra
    config.inter_op_parallelism_threads = inter
    config.gpu_options.per_process_gpu_memory_fraction = options.per_process_gpu_memory_fraction
    if options.mixed_precision == "bfloat16":
        config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = RewriterConfig.ON
    elif options.mixed_precision:
        log.warning("--mixed_precision=%s has no effect; expected bfloat16", options.mixed_precision)
    return config
