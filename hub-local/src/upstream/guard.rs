//! Refuses link-local and metadata addresses as upstreams: on cloud machines, these addresses serve
//! credentials.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    task::{Context, Poll},
    vec,
};

use futures_util::future::BoxFuture;
use hub_net::client::Name;
use tower_service::Service;

/// Metadata services outside of the link-local ranges.
const METADATA_V4: [Ipv4Addr; 2] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];
/// Host names of metadata services. They are refused even if they resolve to allowed addresses.
const METADATA_NAMES: [&str; 2] = ["metadata.google.internal", "instance-data.ec2.internal"];
/// The well-known prefix of NAT64 (RFC 6052 §2.1).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];
/// The NAT64 prefix for local use (RFC 8215).
const NAT64_LOCAL: [u16; 3] = [0x64, 0xff9b, 1];
/// The first segment of 6to4 (RFC 3056).
const SIX_TO_FOUR: u16 = 0x2002;

/// The address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("link-local and metadata addresses are refused")]
pub(crate) struct RefusedAddress;

/// Whether the address is refused.
pub(crate) fn is_refused(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_refused_v4(address),
        IpAddr::V6(address) => {
            let segments = address.segments();
            address.is_unicast_link_local()
                || METADATA_V6.contains(&address)
                || embedded(segments).is_some_and(is_refused_v4)
        }
    }
}

/// The IPv4 address embedded in an IPv6 address: NAT64, 6to4 or IPv4-compatible.
fn embedded(segments: [u16; 8]) -> Option<Ipv4Addr> {
    let last = segments.starts_with(&NAT64)
        || segments.starts_with(&NAT64_LOCAL)
        || segments.starts_with(&[0; 6]);
    let [high, low] = match segments {
        [SIX_TO_FOUR, high, low, ..] => [high, low],
        [.., high, low] if last => [high, low],
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

fn is_refused_v4(address: Ipv4Addr) -> bool {
    address.is_link_local() || METADATA_V4.contains(&address)
}

/// Whether the host of a URL is a refused address in any spelling that resolvers accept, or the name of
/// a metadata service. Other names are checked when they are resolved.
pub(crate) fn is_refused_literal(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = host.strip_suffix('.').unwrap_or(host);
    // A link-local address may end with a zone id: `fe80::1%eth0`.
    let address = host.split('%').next().unwrap_or_default();
    METADATA_NAMES.iter().any(|name| name.eq_ignore_ascii_case(host))
        || address.parse().is_ok_and(is_refused)
        || numbers(host).is_some_and(is_refused_v4)
}

/// An IPv4 address as `inet_aton` reads it: one to four decimal, octal or hexadecimal numbers. The last
/// number fills the remaining bytes.
fn numbers(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    let bytes: Vec<u8> =
        first.iter().map(|part| u8::try_from(*part).ok()).collect::<Option<_>>()?;
    let left = 4_u32.checked_sub(u32::try_from(bytes.len()).ok()?)?;
    let fits = left > 0 && u64::from(*last) < 1_u64 << (8 * left);
    let start =
        bytes.iter().zip([24, 16, 8]).map(|(byte, shift)| u32::from(*byte) << shift).sum::<u32>();
    fits.then(|| Ipv4Addr::from(start | *last))
}

fn number(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    match (lower.strip_prefix("0x"), lower.strip_prefix('0')) {
        // `0x` without digits is zero on some systems and invalid on others.
        (Some(""), _) => Some(0),
        (Some(hexadecimal), _) => u32::from_str_radix(hexadecimal, 16).ok(),
        (None, Some("")) => Some(0),
        (None, Some(octal)) => u32::from_str_radix(octal, 8).ok(),
        (None, None) => lower.parse().ok(),
    }
}

/// A resolver that removes refused addresses.
#[derive(Clone, Debug)]
pub(crate) struct GuardedResolver<R>(pub(crate) R);

impl<R> Service<Name> for GuardedResolver<R>
where
    R: Service<Name, Error = io::Error>,
    R::Response: Iterator<Item = SocketAddr>,
    R::Future: Send + 'static,
{
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<vec::IntoIter<SocketAddr>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving = self.0.call(name);
        Box::pin(async move { allowed(resolving.await?).map(Vec::into_iter) })
    }
}

fn allowed(found: impl Iterator<Item = SocketAddr>) -> io::Result<Vec<SocketAddr>> {
    let (refused, allowed): (Vec<_>, Vec<_>) = found.partition(|address| is_refused(address.ip()));
    if allowed.is_empty() && !refused.is_empty() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, RefusedAddress));
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_metadata_addresses_are_refused_in_every_form() {
        for refused in [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "[fe80::1]",
            "[febf::1]",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::a9fe:a9fe]",
            "[2002:a9fe:a9fe::1]",
            "[::a9fe:a9fe]",
            "[fd00:ec2::254]",
            "[fd00:ec2::23]",
            "[fd20:ce::254]",
            "[fe80::1%25eth0]",
            "169.254.169.254.",
            "2852039166",
            "0xA9FEA9FE",
            "0xa9.0xfe.0xa9.0xfe",
            "0251.0376.0251.0376",
            "025177524776",
            "169.254.43518",
            "169.0xFEA9FE",
            "0x64.100.100.200",
            "Metadata.Google.Internal",
            "metadata.google.internal.",
            "instance-data.ec2.internal",
        ] {
            assert!(is_refused_literal(refused), "{refused}");
        }
    }

    #[test]
    fn other_addresses_and_names_are_accepted() {
        for fine in [
            "127.0.0.1",
            "[::1]",
            "10.0.0.1",
            "169.253.1.1",
            "[fec0::1]",
            "localhost",
            "",
            "2130706433",
            "0x7f000001",
            "169.254",
            "1.169.254.169.254",
            "99999999999",
            "metadata",
            "face.example",
        ] {
            assert!(!is_refused_literal(fine), "{fine}");
        }
    }

    #[tokio::test]
    async fn names_that_resolve_to_refused_addresses_are_refused() {
        #[derive(Clone)]
        struct Names;
        impl Service<Name> for Names {
            type Response = vec::IntoIter<SocketAddr>;
            type Error = io::Error;
            type Future = std::future::Ready<io::Result<Self::Response>>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, name: Name) -> Self::Future {
                let addresses: Vec<SocketAddr> = match name.as_str() {
                    "metadata" => vec![([169, 254, 169, 254], 0).into()],
                    _ => vec![([169, 254, 1, 1], 0).into(), ([127, 0, 0, 1], 0).into()],
                };
                std::future::ready(Ok(addresses.into_iter()))
            }
        }
        let mut resolver = GuardedResolver(Names);

        let refused = resolver.call("metadata".parse().unwrap()).await.unwrap_err();
        let mixed: Vec<_> = resolver.call("mixed".parse().unwrap()).await.unwrap().collect();

        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(mixed, [SocketAddr::from(([127, 0, 0, 1], 0))]);
    }
}
