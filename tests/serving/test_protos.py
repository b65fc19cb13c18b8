from google.protobuf import text_format

from serving import protos


def test_batching_parameters_have_the_stock_fields_and_numbers():
    text = """
        max_batch_size { value: 128 } batch_timeout_micros { value: 0 } max_enqueued_batches { value: 2 }
        num_batch_threads { value: 3 } thread_pool_name { value: "p" } allowed_batch_sizes: 32 allowed_batch_sizes: 128
        pad_variable_length_inputs: true enable_large_batch_splitting { value: true }
        max_execution_batch_size { value: 64 }"""
    found = text_format.Parse(text, protos.BatchingParameters())
    assert found.max_batch_size.value == 128
    assert found.HasField("batch_timeout_micros")
    assert list(found.allowed_batch_sizes) == [32, 128]
    assert {f.name: f.number for f in found.DESCRIPTOR.fields} == {
        "max_batch_size": 1,
        "batch_timeout_micros": 2,
        "max_enqueued_batches": 3,
        "num_batch_threads": 4,
        "thread_pool_name": 5,
        "allowed_batch_sizes": 6,
        "pad_variable_length_inputs": 7,
        "enable_large_batch_splitting": 8,
        "max_execution_batch_size": 9,
    }
    assert found.DESCRIPTOR.full_name == "tensorflow.serving.BatchingParameters"


def test_monitoring_and_ssl_configurations_parse():
    text = 'prometheus_config { enable: true path: "/p" }'
    assert text_format.Parse(text, protos.MonitoringConfig()).prometheus_config.path == "/p"
    text = 'server_key: "k" server_cert: "c" custom_ca: "a" client_verify: true'
    assert text_format.Parse(text, protos.SSLConfig()).client_verify


def test_health_messages_are_those_of_grpc_on_the_wire():
    assert protos.HealthCheckRequest(service="x").SerializeToString() == b"\n\1x"
    assert protos.HealthCheckResponse(status=1).SerializeToString() == b"\x08\1"
