# Builds with BuildKit, with Docker's classic builder and with buildah; other base images: --build-arg BUILD_IMAGE=… RUNTIME_IMAGE=…
# Both defaults are multi-platform images pinned by digest, so that the same commit gives the same image; Dependabot moves them.
ARG BUILD_IMAGE=docker.io/library/node:26.10.0-trixie-slim@sha256:ec7758ee051e457b468b32bde57b0879010b325bb9862718e9615225ce4aaae1
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs26-debian13:nonroot@sha256:2ee7b2c54a3e37dfc248af81c9f6bcdcaa50abe4af44aa47a3388431031b9283

# The bundle is the same for every platform: it is built once, on the builder's own. Only BuildKit and buildah tell which that is.
FROM --platform=${BUILDPLATFORM:-linux/amd64} ${BUILD_IMAGE} AS build
# Where it is given, npm takes it in this stage; the image knows nothing of it.
ARG npm_config_registry
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts scripts
COPY src src
RUN npm run build

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="legacy-restore-operator" \
      org.opencontainers.image.description="A Kubernetes operator that mirrors MongoDB Atlas legacy backup restore jobs into LegacyRestoreJob resources" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.url="https://github.com/atlasrestore/legacy-restore-operator" \
      org.opencontainers.image.source="https://github.com/atlasrestore/legacy-restore-operator"
COPY LICENSE /app/
COPY --from=build /build/dist/ /app/
# A number: the kubelet cannot tell of a name whether it is root.
USER 65532:65532
EXPOSE 8080
# The threads of Node.js get memory from one arena of the C library: each of their own would keep what others could use.
ENV MALLOC_ARENA_MAX=1
# In this form node is process 1 and SIGTERM reaches it. The flags let the heap grow by a fifth instead of fourfold before
# garbage is collected, which takes a third of the memory and no more CPU (bench/README.md). --enable-source-maps is not
# among them: Node.js would read the map at each start, to throw away most of what it reads.
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=4", "--heap-growing-percent=20", "/app/legacy-restore-operator.cjs"]
