"""Whether the graph that is being made is the body of a `tf.vectorized_map`."""

import re

import tensorflow as tf

# TensorFlow makes the body in a scope of this name, and has no public word for it. Under another name this would find
# nothing, and a layer in a body fail when TensorFlow vectorizes it; found in a scope of somebody else, it costs cuDNN.
BODY = re.compile(r"(^|/)loop_body(_\d+)?(/|$)")


def vectorized() -> bool:
    """Whether TensorFlow will vectorize what is being traced: in a map, a jacobian, Keras's TimeDistributed.

    A function that was traced outside, and is called inside, can't be told."""
    if tf.executing_eagerly():
        return False
    graph = tf.compat.v1.get_default_graph()
    while graph is not None:
        if BODY.search(graph.get_name_scope()):
            return True
        graph = getattr(graph, "outer_graph", None)  # of a function's graph: the one in which it is traced
    return False
