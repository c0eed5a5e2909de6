# The hub-local command as one static binary in an empty image.
#
#   docker build -t hub-local .
#   docker run --rm -p 127.0.0.1:8888:8888 hub-local --upstream http://host.docker.internal:7071/runtime/webhooks/signalr
#
# In place of the image of Microsoft's emulator: the options -c, -p and -i, the file /emulator/settings.json and the
# variables UpstreamSettings__Templates__0__UrlTemplate and so on are read.
#
# With a binary that exists, nothing is compiled. FOLDER has ca-certificates.crt and, for each architecture, the static
# binary: amd64/hub-local, arm64/hub-local.
#
#   docker build -t hub-local --build-context binary=FOLDER .

FROM rust:1.95-alpine AS build
# ring needs a C compiler. The certificates are for upstreams with https.
RUN apk add --no-cache build-base ca-certificates
WORKDIR /source
COPY . .
# The image contains the compiler of rust-toolchain.toml, so rustup downloads nothing.
RUN rm rust-toolchain.toml \
 && cargo build --locked --release --package hub-local --bin hub-local \
 && strip target/release/hub-local

# `--build-context binary=FOLDER` takes the place of this stage.
FROM scratch AS binary
ARG TARGETARCH
COPY --from=build /etc/ssl/certs/ca-certificates.crt /ca-certificates.crt
COPY --from=build /source/target/release/hub-local /${TARGETARCH}/hub-local

FROM scratch
ARG TARGETARCH
COPY --from=binary /ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=binary /${TARGETARCH}/hub-local /hub-local
USER 65532:65532
EXPOSE 8888
WORKDIR /config
ENTRYPOINT ["/hub-local"]
# The loopback address of a container is not reachable from outside, so the service listens on all addresses. Publish
# the port on 127.0.0.1, or set HUB_LOCAL_KEY (at least 16 bytes), because the default key is public. These are
# variables, so that they also apply if arguments replace CMD.
ENV HUB_LOCAL_IP=0.0.0.0 HUB_LOCAL_PUBLIC=true
# The check finds the port in the arguments of the service, which is process 1, or in HUB_LOCAL_PORT.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/hub-local", "health"]
CMD ["start"]
