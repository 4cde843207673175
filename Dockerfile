# One image for the whole mesh: every lateen command is a command of it (docker run lateen sidecar --help).
#
#   docker build -t lateen .
#
# Nothing in it needs root or write access at run time, but for the redirect rules of a pod (docker/pod.sh).

# What it runs with: no development dependencies, and no second Node (an optional dependency of machines without a new one).
FROM node:26-bookworm-slim AS dependencies
WORKDIR /lateen
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund --loglevel=error \
 && find node_modules -type f \( -name '*.md' -o -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

FROM node:26-bookworm-slim
LABEL org.opencontainers.image.title="lateen" \
      org.opencontainers.image.description="A service mesh whose sidecar is written in TypeScript" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# iptables and ip set the redirect rules of a pod; curl is for health checks, and for whoever looks around in a container.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends ca-certificates curl iproute2 iptables libatomic1 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/*
WORKDIR /lateen
COPY --from=dependencies /lateen/node_modules node_modules
COPY . .
# LATEEN_NODE: this Node, and nothing to set up. The compiled code is made once, here, so that a start costs no compilation.
ENV LATEEN_NODE=/usr/local/bin/node \
    NODE_COMPILE_CACHE=/lateen/.compile-cache \
    PATH=/lateen:$PATH
RUN docker/warm.sh \
 && install -d -o 1337 -g 1337 /var/lib/lateen/proxies \
 && install -d -o 1000 -g 1000 /var/lib/lateen/control /var/lib/lateen/join
# A sidecar runs as 1337, whom redirection leaves alone; nobody else may.
USER 1000:1000
ENTRYPOINT ["/lateen/lateen"]
CMD ["--help"]
# By default of a proxy: it has its configuration, and listens. Others say their own (docker-compose.yml).
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["sh", "-c", "curl -fsS -o /dev/null --max-time 2 \"${HEALTH_URL:-http://127.0.0.1:15000/ready}\""]
