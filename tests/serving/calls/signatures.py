"""Signatures made by hand, for the checks of Classify and Regress."""

from tensorflow.core.protobuf import meta_graph_pb2

from serving.signature import from_proto


def signature(inputs=("inputs",), outputs=("outputs",), method="", name="s"):
    proto = meta_graph_pb2.SignatureDef(method_name=method)
    for alias in inputs:
        proto.inputs[alias].name = f"{alias}:0"
    for alias in outputs:
        proto.outputs[alias].name = f"{alias}:0"
    return from_proto(name, proto)
