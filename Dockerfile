# One worker; which one, the command says. It uses the same lock as everything else, so the image also contains the test tools.
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/baton

# Before the code, so that a code change does not reinstall the dependencies.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock

COPY LICENSE README.md pyproject.toml ./
COPY schemas schemas
COPY projections projections
COPY warehouse warehouse
COPY streams streams
RUN pip install --no-deps --no-build-isolation .

# The project folder belongs to a user without other write access.
RUN useradd --system --uid 10001 --home-dir /project --create-home baton \
    && mkdir /project/.baton && chown baton /project/.baton
USER 10001
WORKDIR /project
ENV BATON_HOME=/project/.baton
VOLUME /project/.baton
CMD ["baton", "worker", "numbers"]
