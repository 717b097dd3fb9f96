# Builds with any builder: no BuildKit-only instructions.

# With a digest, `node:24-bookworm-slim@sha256:…`, it is that image and no other.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS manifest
WORKDIR /app
COPY package.json package-lock.json .npmrc ./

FROM manifest AS build
RUN npm ci
COPY . .
# The simulator is for development, not for an image that runs in production.
RUN npm run build && rm -rf dist/simulator

FROM manifest AS dependencies
# Half of what npm installs is never loaded here: typings and source maps, the compiler (an
# optional peer), builds for browsers, and SQLite's binary for musl, which this image is not.
RUN npm ci --omit=dev \
  && rm -rf node_modules/.bin node_modules/typescript node_modules/typeorm/browser \
    node_modules/@libsql/*-musl* \
  && find node_modules -type f \
    \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="component-hub" \
  org.opencontainers.image.description="Keeps every credential of a WeChat third-party platform alive"
# Where SQLite's file and master.key go: a volume mounted here belongs to the hub's user. By the link
# it is ./data, the default: with DATABASE_URL set here, DATABASE_URL_FILE would contradict it.
RUN install -d -o node -g node -m 700 /data && mkdir /app && ln -s /data /app/data
# One arena of malloc for all threads: each of its own keeps what it has freed, 6 MB together.
ENV NODE_ENV=production \
  HOST=0.0.0.0 \
  MALLOC_ARENA_MAX=1
WORKDIR /app
# Owned by root: the hub can read its own code, not change it.
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
# The user "node", by number: orchestrators that insist on non-root can tell.
USER 1000:1000
EXPOSE 3000
STOPSIGNAL SIGTERM
# Liveness only: a missing database is no reason to restart the hub.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 3000) + '/health/live').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Young objects of a push stay in the processor's cache, and V8 works beside the hub with one thread:
# docs/operations.md has what was measured.
CMD ["node", "--max-semi-space-size=8", "--v8-pool-size=1", "dist/main.js"]
