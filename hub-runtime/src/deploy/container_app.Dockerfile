# The app as one static binary in an empty image. Generated once by the app's command `deploy-files --container-apps`, which
# does not overwrite it. The build runs in the root of the source. Copy the files that the app reads, if there are any.

FROM rust:1-alpine AS build
# ring needs a C compiler. The certificates are for https connections to the service.
RUN apk add --no-cache build-base ca-certificates
WORKDIR /source
COPY . .
# The image contains a compiler, so rustup downloads nothing.
RUN rm -f rust-toolchain.toml rust-toolchain \
 && cargo build --locked --release --package @@EXECUTABLE@@ --features hub-runtime/identity --target-dir /build \
 && strip /build/release/@@EXECUTABLE@@

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/release/@@EXECUTABLE@@ /app
USER 65532:65532
EXPOSE 7071
ENTRYPOINT ["/app"]
