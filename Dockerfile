# syntax=docker/dockerfile:1
# One image for all that runs: the model server, in the place of tensorflow/serving, the trainer and the MLflow server.
#
#   docker build --tag seqzoo .
#   docker run --publish 8501:8501 --volume "$PWD/.seqzoo/repository:/models:ro" --env MODEL_NAME=weather seqzoo

ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY models models
COPY training training
COPY serving serving
COPY seqzoo seqzoo
RUN pip wheel --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
# Extras of pyproject.toml, with commas between: postgres for the MLflow server, gpu for CUDA's libraries.
ARG EXTRAS=postgres
COPY --from=wheel /wheels /wheels
# The cache of pip stays out of the image, and spares the download of TensorFlow when only our code has changed.
RUN --mount=type=cache,target=/root/.cache/pip pip install "$(echo /wheels/*.whl)[${EXTRAS}]" && rm -r /wheels

# The two commands that deployments of tensorflow/serving call.
COPY --chmod=755 <<"EOF" /usr/bin/tensorflow_model_server
#!/bin/sh
exec python -m serving "$@"
EOF
COPY --chmod=755 <<"EOF" /usr/bin/tf_serving_entrypoint.sh
#!/bin/sh
exec tensorflow_model_server --port=8500 --rest_api_port=8501 \
    --model_name="${MODEL_NAME}" --model_base_path="${MODEL_BASE_PATH}/${MODEL_NAME}" "$@"
EOF

# A named volume takes over the owner of the folder that it is mounted on.
RUN useradd --create-home --uid 1000 seqzoo \
    && install --directory --owner=seqzoo --group=seqzoo /models /mlflow /home/seqzoo/.seqzoo
USER seqzoo
WORKDIR /home/seqzoo
ENV MODEL_BASE_PATH=/models MODEL_NAME=model SEQZOO_HOME=/home/seqzoo/.seqzoo PYTHONUNBUFFERED=1
EXPOSE 8500 8501

# The server opens its ports when its first models are loaded; the status route answers 200 from then on.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "\
import http.client, os, sys; \
connection = http.client.HTTPConnection('localhost', 8501, timeout=4); \
connection.request('GET', '/v1/models/' + os.environ['MODEL_NAME']); \
sys.exit(connection.getresponse().status != 200)"]

ENTRYPOINT ["/usr/bin/tf_serving_entrypoint.sh"]
