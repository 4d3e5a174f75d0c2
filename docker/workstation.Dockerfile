# All of it: training, export, CPU engines and those of RTX cards. A GPU needs the host's driver and NVIDIA's container
# toolkit (docker run --gpus all); CUDA comes in the wheels. Not built anywhere yet: no Docker daemon was at hand.
#   docker build -f docker/workstation.Dockerfile -t edge-aver:workstation .
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY edge_aver edge_aver
COPY export export
COPY calibration calibration
COPY targets targets
COPY benchmarks benchmarks
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[all]'

FROM python:3.11.13-slim-bookworm
# For edge-aver benchmark --host.
RUN apt-get update \
    && apt-get install -y --no-install-recommends openssh-client \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /venv /venv
RUN useradd --uid 1000 --create-home aver && mkdir /workspace && chown aver /workspace
USER aver
WORKDIR /workspace
ENV PATH=/venv/bin:$PATH EDGE_AVER_WORKSPACE=/workspace
ENTRYPOINT ["edge-aver"]
CMD ["--help"]
