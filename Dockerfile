# The worker as an image. Both stages have the same Python in the same place, for the virtual environment's python is a
# link to it. With a C compiler in the first one (--build-arg BUILD_IMAGE=python:3.13) the worker is compiled.
ARG PYTHON_IMAGE=python:3.13-slim
ARG BUILD_IMAGE


FROM ${BUILD_IMAGE:-${PYTHON_IMAGE}} AS build

# For whoever has a package index of their own (--build-arg, or the environment of compose); without them pip's default.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# Without a pip of its own: the one here installs into it. Wheels alone: no dependency is ever compiled.
# --build-arg REQUIREMENTS=traces for an image that can send spans, too.
ARG REQUIREMENTS=runtime
COPY requirements/${REQUIREMENTS}.txt requirements/
RUN python -m venv --without-pip /opt/billing-worker \
 && pip --python /opt/billing-worker/bin/python install \
    --require-hashes --only-binary :all: --requirement requirements/${REQUIREMENTS}.txt

# What the wheel is built with, in the versions and hashes of the development lock; pip refuses if one were missing here.
COPY requirements/development.txt requirements/
RUN awk '/^[a-z]/ {wanted = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers|mypy|mypy-extensions|\
asyncpg|asyncpg-stubs|ast-serialize|librt|setuptools|typing-extensions)==/} wanted' \
    requirements/development.txt > requirements/build.txt \
 && python -m venv tools \
 && tools/bin/pip install --require-hashes --only-binary :all: --requirement requirements/build.txt

COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY migrations migrations
COPY schemas schemas
COPY worker worker
# Compiled where it can be, with the types of what it is to run with.
RUN if command -v cc > /dev/null; then export HATCH_BUILD_HOOKS_ENABLE=1; fi \
 && PYTHONPATH=$(echo /opt/billing-worker/lib/python3*/site-packages) \
    tools/bin/hatchling build --target wheel --directory dist \
 && pip --python /opt/billing-worker/bin/python install --no-deps dist/*.whl


FROM ${PYTHON_IMAGE}

LABEL org.opencontainers.image.title="billing-worker" \
      org.opencontainers.image.description="Keeps billing accounts and project bindings, and answers who pays for a project." \
      org.opencontainers.image.licenses="Apache-2.0"

# BILLING_HTTP__HOST: loopback would be the container's own. Who reaches the port is decided where it is published.
ENV PATH=/opt/billing-worker/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    BILLING_HTTP__HOST=0.0.0.0
COPY --from=build /opt/billing-worker /opt/billing-worker
# Were the two images' Pythons not the same, it would show here.
RUN ["python", "-c", "import worker.lane.deciding"]

# A number, so that an orchestrator sees that it is not root. It owns no file, and the worker writes none.
USER 10001:10001

EXPOSE 8080
STOPSIGNAL SIGTERM
# Alive, not ready: a worker that waits for Kafka must not be restarted for it. http.client asks no proxy.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-I", "-c", "\
import http.client, os; \
worker = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('BILLING_HTTP__PORT', 8080)), timeout=3); \
worker.request('GET', '/livez'); \
raise SystemExit(worker.getresponse().status != 200)"]

ENTRYPOINT ["billing-worker"]
CMD ["run"]
