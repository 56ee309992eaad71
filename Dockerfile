# syntax=docker/dockerfile:1
# Two images: `millrace` (the command) and `objects` (the S3 gateway, with a folder that it may write to without being root).

ARG NODE_IMAGE=node:26.10.0-trixie-slim
ARG VERSITYGW_IMAGE=versity/versitygw:v1.8.0

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./

FROM packages AS build
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts scripts/buildAssembly.ts scripts/buildChunks.ts scripts/buildPages.ts scripts/
COPY assembly assembly
COPY pages pages
COPY src src
RUN node scripts/build.ts

# Optional packages are the binaries of the embedded PostgreSQL, which a container with DATABASE_URL has no use for.
FROM packages AS dependencies
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --omit=dev --omit=optional

FROM ${VERSITYGW_IMAGE} AS objects
RUN mkdir /objects /accounts && chown 65534:65534 /objects /accounts
USER 65534:65534
VOLUME /objects /accounts

FROM ${NODE_IMAGE} AS millrace
ENV NODE_ENV=production MILLRACE_DATA_DIR=/data
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY sql sql
COPY templates templates
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
ENTRYPOINT ["node", "--max-semi-space-size=8", "/app/dist/cli/main.js"]
CMD ["run", "realtime"]
