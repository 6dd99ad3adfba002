//! A connection to the host of a URL.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};

use rivero_uri::{Policy, Refusal};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};
use url::{Host, Url};

/// A connection, encrypted or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to the host of an `http` or `https` URL, whatever its path.
///
/// # Errors
/// Of the resolver, the network or TLS; [`io::ErrorKind::PermissionDenied`] with the
/// [`Refusal`] when the policy says no
pub async fn connect(url: &Url, policy: &Policy) -> io::Result<Box<dyn Stream>> {
    let host = url
        .host()
        .ok_or_else(|| invalid("the URL names no host"))?
        .to_owned();
    let port = url
        .port_or_known_default()
        .ok_or_else(|| invalid("the URL names no port"))?;
    let tcp = connect_any(&addresses(&host, port, policy).await?).await?;
    tcp.set_nodelay(true)?;
    if url.scheme() == "http" {
        return Ok(Box::new(tcp));
    }
    let name = match &host {
        Host::Domain(name) => {
            ServerName::try_from(name.clone()).map_err(|error| invalid(error.to_string()))?
        }
        Host::Ipv4(address) => ServerName::from(IpAddr::from(*address)),
        Host::Ipv6(address) => ServerName::from(IpAddr::from(*address)),
    };
    let tls = TlsConnector::from(tls_configuration()?)
        .connect(name, tcp)
        .await?;
    Ok(Box::new(tls))
}

pub(crate) fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.into())
}

pub(crate) fn refused(refusal: Refusal) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, refusal)
}

/// The host's addresses, none of which may be a forbidden one.
async fn addresses(host: &Host<String>, port: u16, policy: &Policy) -> io::Result<Vec<SocketAddr>> {
    policy.check_host(host).map_err(refused)?;
    let name = match host {
        Host::Ipv4(address) => return Ok(vec![SocketAddr::from((*address, port))]),
        Host::Ipv6(address) => return Ok(vec![SocketAddr::from((*address, port))]),
        Host::Domain(name) => name,
    };
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), port))
        .await?
        .collect();
    for address in &found {
        policy.check_address(address.ip(), name).map_err(refused)?;
    }
    Ok(found)
}

async fn connect_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::HostUnreachable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Trusts what the system trusts, or `SSL_CERT_FILE` names.
fn tls_configuration() -> io::Result<Arc<ClientConfig>> {
    static CONFIGURATION: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(configuration) = CONFIGURATION.get() {
        return Ok(configuration.clone());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let configuration = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(CONFIGURATION
        .get_or_init(|| Arc::new(configuration))
        .clone())
}
