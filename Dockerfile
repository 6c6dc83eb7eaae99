# The proxy, the command line and the harness's agent, for containers.
#
#   docker build -t finproxy .
#   docker run --rm -p 9000:9000 finproxy run 9000 db:5432 --rule 'server.fin -> hold 2s'
#
# Stages: `build` compiles into a virtual environment, `finproxy` is that environment without a compiler, and
# `tests` adds pytest for the service of that name in compose.yaml. The last stage is what a plain build makes.

FROM python:3.12-slim AS build
RUN apt-get update -q \
 && apt-get install -y -q --no-install-recommends gcc libc6-dev libnetfilter-queue-dev \
 && rm -rf /var/lib/apt/lists/*
RUN python -m venv --without-pip /opt/finproxy
WORKDIR /src
# Dependencies first, read from pyproject.toml alone: a change of the sources does not install them again.
COPY pyproject.toml .
RUN python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
print(*p["dependencies"], *p["optional-dependencies"]["nfqueue"], sep="\n")' >requirements.txt \
 && pip --python /opt/finproxy/bin/python install -q --no-cache-dir -r requirements.txt
COPY README.md LICENSE ./
COPY finproxy finproxy
COPY harness harness
RUN pip --python /opt/finproxy/bin/python install -q --no-cache-dir --no-deps .

# What the tests of compose.yaml need beside it; of the sources only their result is used.
FROM build AS build-tests
RUN pip --python /opt/finproxy/bin/python install -q --no-cache-dir pytest pytest-xdist

# Both images begin with it: the system's half, in which nothing of the project is.
FROM python:3.12-slim AS system
# tini reaps and passes signals on; iptables and the library serve the wire technique nfqueue.
RUN apt-get update -q \
 && apt-get install -y -q --no-install-recommends tini iptables libnetfilter-queue1 util-linux \
 && apt-get clean && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --create-home finproxy
# A process without root loses its capabilities when it starts a program, unless they are ambient. So the
# container starts as root and gives that up at once: for user finproxy, with NET_ADMIN (the wire techniques)
# where the container was given it, and with nothing where not. With --user, that user starts as it is; with all
# capabilities dropped there is nothing to give up.
RUN printf '%s\n' '#!/bin/sh' 'set -eu' \
    '[ "$(id -u)" = 0 ] || exec finproxy "$@"' \
    'as="--reuid finproxy --regid finproxy --init-groups --no-new-privs"' \
    'admin="--inh-caps -all,+net_admin --ambient-caps -all,+net_admin"' \
    'setpriv $as $admin true 2>/dev/null && exec setpriv $as $admin finproxy "$@"' \
    'setpriv $as true 2>/dev/null && exec setpriv $as finproxy "$@"' \
    'exec finproxy "$@"' >/usr/local/bin/start-finproxy \
 && chmod +x /usr/local/bin/start-finproxy
# In a container, loopback is nobody's address: a bare port is a port of every interface here.
ENV PATH=/opt/finproxy/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TINI_SUBREAPER=1 FINPROXY_BIND=0.0.0.0
# Healthy is what listens, on whatever port; Docker's own resolver (127.0.0.11) does not count.
HEALTHCHECK --interval=5s --start-period=20s \
  CMD awk '$4 == "0A" && $2 !~ /^0B00007F/ {found = 1} END {exit !found}' /proc/net/tcp
ENTRYPOINT ["tini", "--", "start-finproxy"]
CMD ["--help"]

FROM system AS tests
COPY --from=build-tests /opt/finproxy /opt/finproxy
RUN mkdir /report && chown finproxy /report
WORKDIR /tests
USER finproxy
HEALTHCHECK NONE
ENTRYPOINT ["tini", "--", "pytest", "-p", "no:cacheprovider"]

FROM system AS finproxy
COPY --from=build /opt/finproxy /opt/finproxy
