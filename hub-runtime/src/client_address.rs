//! The address of the client of a request.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, request::Parts};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the peer of a request: a request extension that [`HubApp::serve`](crate::HubApp::serve)
/// and [`HubApp::run`](crate::HubApp::run) set.
///
/// With another server, set this extension in a layer:
/// `request.extensions_mut().insert(ClientAddress(peer.ip()))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The address of the client: the entry of the outermost trusted proxy, or the address of the peer.
pub(crate) fn of(parts: &Parts, proxies: usize) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ClientAddress>().map(|address| address.0);
    let forwarded = proxies.checked_sub(1).and_then(|nth| forwarded(&parts.headers, nth));
    forwarded.or(peer).map(|address| address.to_canonical())
}

/// The key of a client for limits: an IPv4 address, or the /64 network of an IPv6 address, because a host
/// can use all addresses of its /64 (RFC 4291, section 2.5.4).
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// The entry of the `nth` proxy in front of the app, counted from the app and starting at 0. The entries to
/// the left of this entry are unverified input of the client.
fn forwarded(headers: &HeaderMap, nth: usize) -> Option<IpAddr> {
    // Decode each entry separately. Otherwise invalid bytes from the client would discard the whole line,
    // including the entry of the proxy, and an entry from the client would replace it.
    let lines = headers.get_all(FORWARDED_FOR).iter();
    let entries: Vec<_> =
        lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b',')).collect();
    parse(std::str::from_utf8(entries.iter().rev().nth(nth)?).ok()?.trim())
}

/// Some proxies also write the port.
fn parse(entry: &str) -> Option<IpAddr> {
    let bracketed = entry.trim_start_matches('[').trim_end_matches(']');
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    bracketed.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn address(forwarded: &[&str], proxies: usize) -> Option<String> {
        let mut request = Request::new(());
        request.extensions_mut().insert(ClientAddress([10, 0, 0, 1].into()));
        for line in forwarded {
            request.headers_mut().append(FORWARDED_FOR, line.parse().unwrap());
        }
        of(&request.into_parts().0, proxies).map(|address| address.to_string())
    }

    fn text(address: &str) -> Option<String> {
        Some(address.to_owned())
    }

    #[test]
    fn without_a_trusted_proxy_the_forwarded_header_is_ignored() {
        assert_eq!(address(&["1.2.3.4"], 0), text("10.0.0.1"));
    }

    #[test]
    fn each_trusted_proxy_counts_as_one_entry_from_the_right() {
        let lines = ["6.6.6.6", "1.2.3.4:5678, [2001:db8::1]:443"];

        assert_eq!(address(&lines, 1), text("2001:db8::1"));
        assert_eq!(address(&lines, 2), text("1.2.3.4"));
        assert_eq!(address(&["[2001:db8::2]"], 1), text("2001:db8::2"));
        assert_eq!(address(&["::ffff:1.2.3.4"], 1), text("1.2.3.4"));
    }

    #[test]
    fn a_header_that_is_not_utf_8_does_not_hide_the_entry_of_the_proxy() {
        let mut request = Request::new(());
        request.headers_mut().append(FORWARDED_FOR, "9.9.9.9".parse().unwrap());
        let appended = http::HeaderValue::from_bytes(b"\xff, 1.2.3.4").unwrap();
        request.headers_mut().append(FORWARDED_FOR, appended);

        let address = of(&request.into_parts().0, 1);

        assert_eq!(address, Some([1, 2, 3, 4].into()));
    }

    #[test]
    fn without_a_usable_proxy_entry_the_peer_address_is_used() {
        assert_eq!(address(&["1.2.3.4"], 2), text("10.0.0.1"));
        assert_eq!(address(&["unknown"], 1), text("10.0.0.1"));
        assert_eq!(of(&Request::new(()).into_parts().0, 1), None);
    }

    #[test]
    fn an_ipv6_client_is_limited_by_its_network() {
        let host: IpAddr = "2001:db8:1:2:3:4:5:6".parse().unwrap();

        assert_eq!(network(host), "2001:db8:1:2::".parse::<IpAddr>().unwrap());
        assert_eq!(network([1, 2, 3, 4].into()), IpAddr::from([1, 2, 3, 4]));
    }
}
