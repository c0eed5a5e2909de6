# The hub-local command alone: one static binary, nothing else.
#
#   docker build -t hub-local .
#   docker run --rm -p 127.0.0.1:8888:8888 hub-local start --ip 0.0.0.0 --public \
#     --upstream http://host.docker.internal:7071/runtime/webhooks/signalr

FROM rust:1.95-alpine AS build
# aws-lc is C; the certificates are for upstreams behind https.
RUN apk add --no-cache build-base cmake perl linux-headers ca-certificates
WORKDIR /source
COPY . .
# The image's compiler is the one of rust-toolchain.toml; rustup has nothing to fetch.
RUN rm rust-toolchain.toml \
 && cargo build --locked --release --package hub-local --bin hub-local \
 && strip target/release/hub-local

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /source/target/release/hub-local /hub-local
USER 65532:65532
EXPOSE 8888
WORKDIR /config
ENTRYPOINT ["/hub-local"]
# A container's own loopback reaches nobody. The port is published by whoever runs it: publish it on
# 127.0.0.1, or set HUB_LOCAL_KEY, because everyone knows the default key.
CMD ["start", "--ip", "0.0.0.0", "--public"]
