# The review for a team, on a processor without GPU. docs/team.md says how to run it.
#
# The folder of the volume has to hold a catalogue, or the review says that there is none:
#
#     docker build -t resight .
#     docker run --rm -v /srv/whales:/data resight enrol catalogue.db Luna photos/luna --model whales.onnx
#     docker run -p 127.0.0.1:8765:8765 -v /srv/whales:/data resight

FROM python:3.11-slim AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
COPY tutorials ./tutorials
RUN python -m venv /opt/resight \
    && /opt/resight/bin/pip install -c constraints.txt '.[review,postgres,sound]' \
    && /opt/resight/bin/python -m compileall -q /opt/resight/lib

FROM python:3.11-slim
LABEL org.opencontainers.image.title="Resight" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --create-home --home-dir /home/resight --shell /usr/sbin/nologin resight \
    && mkdir /data \
    && chown resight:resight /data
COPY --from=build /opt/resight /opt/resight
# The cache of fingerprints of a catalogue on PostgreSQL stays with the data.
ENV PATH=/opt/resight/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    XDG_CACHE_HOME=/data/.cache
USER resight
WORKDIR /data
VOLUME /data
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
ENTRYPOINT ["resight"]
# Whatever comes after the image's name stands in place of this. The token, if RESIGHT_TOKEN gives
# none, is in the address that it prints: docker logs.
CMD ["review", "/data/catalogue.db", "--host", "0.0.0.0", "--address", "http://localhost:8765"]
