# The run-time half on a CPU, with OpenVINO and ONNX Runtime. Not built anywhere yet: no Docker daemon was at hand.
#   docker build -f docker/cpu.Dockerfile -t edge-aver:cpu .
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY edge_aver edge_aver
COPY export export
COPY calibration calibration
COPY targets targets
COPY benchmarks benchmarks
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[openvino,onnxruntime,sign]'

FROM python:3.11.13-slim-bookworm
COPY --from=build /venv /venv
RUN useradd --uid 1000 --create-home aver && mkdir /workspace && chown aver /workspace
USER aver
WORKDIR /workspace
ENV PATH=/venv/bin:$PATH EDGE_AVER_WORKSPACE=/workspace
ENTRYPOINT ["edge-aver"]
CMD ["--help"]
