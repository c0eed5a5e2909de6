//! Listening sockets and public URL of the service.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::net::TcpListener;

use super::StartArgs;
use crate::command::Failure;

/// Binds the listening sockets. Without an address, binds both loopback addresses, because `localhost`
/// may resolve to either. Some machines have no IPv6, so a failure to bind its address is ignored. If another program
/// has that address, a warning names it.
pub(in crate::command) fn listen(
    ip: Option<IpAddr>,
    port: u16,
) -> Result<Vec<TcpListener>, Failure> {
    let first = bind(ip.unwrap_or(Ipv4Addr::LOCALHOST.into()), port)?;
    let mut listeners = vec![first];
    if ip.is_none() {
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, port_of(&listeners)?));
        match hub_net::listen::listen(address) {
            Ok(second) => listeners.push(second),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => tracing::warn!(
                "another program listens on {address}: clients that find this address for `localhost` reach that program. \
                 Use `127.0.0.1` in place of `localhost`, or `--port` for another port"
            ),
            Err(_) => {}
        }
    }
    Ok(listeners)
}

fn bind(ip: IpAddr, port: u16) -> Result<TcpListener, Failure> {
    let address = SocketAddr::from((ip, port));
    hub_net::listen::listen(address).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "; is another hub-local or asrs-emulator running? Use `--port` for another port"
            }
            io::ErrorKind::AddrNotAvailable => "; `--ip` must be an address of this machine",
            io::ErrorKind::PermissionDenied => "; ports below 1024 need privileges",
            _ => "",
        };
        Failure::Failed(format!("cannot listen on {address}: {error}{advice}"))
    })
}

/// Public URL of the service.
pub(super) fn url(arguments: &StartArgs, port: u16) -> String {
    if let Some(url) = &arguments.url {
        return url.clone();
    }
    let ip = arguments.ip.unwrap_or(Ipv4Addr::LOCALHOST.into());
    let is_localhost = ip.is_unspecified() || ip == IpAddr::from(Ipv4Addr::LOCALHOST);
    if is_localhost && !arguments.json {
        return format!("http://localhost:{port}");
    }
    // For programs an address: `localhost` may resolve to the IPv6 address first, where another process may listen.
    let ip = match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::from((ip, port)))
}

/// URL of a service that listens on loopback.
pub(in crate::command) fn loopback_url(listeners: &[TcpListener]) -> Result<String, Failure> {
    Ok(format!("http://localhost:{}", port_of(listeners)?))
}

/// The port of the listening sockets.
pub(super) fn port_of(listeners: &[TcpListener]) -> Result<u16, Failure> {
    let first = listeners.first().ok_or_else(|| Failure::failed("no listening socket"))?;
    Ok(first.local_addr().map_err(Failure::failed)?.port())
}
