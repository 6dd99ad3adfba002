//! From the settings to how the server is reached.

use std::net::IpAddr;

use tokio_rustls::TlsAcceptor;

use super::Error;
use crate::config::{Configuration, Settings};
use crate::protocol::listener::Binding;
use crate::protocol::registrar::Registrar;
use crate::protocol::tls;
use crate::server;

/// Everything that [`server::Server::open`] needs; no socket is opened.
pub(super) fn options(configuration: &Configuration) -> Result<server::Options, Error> {
    let settings = &configuration.settings;
    let registrar = settings
        .registrar
        .clone()
        .map(|address| Registrar::new(address, settings.local_address.clone(), tls::system_roots))
        .transpose()
        .map_err(Error::Registrar)?;
    Ok(server::Options {
        binding: binding(settings, settings.address, settings.port),
        secure: secure_listener(configuration)?,
        path: settings.path.clone(),
        registrar,
        collector_period: settings.collector_period,
        caches_replies: !settings.disable_request_cache,
    })
}

/// `None` with port 0, which disables a listener.
fn binding(settings: &Settings, address: Option<IpAddr>, port: u16) -> Option<Binding> {
    let binding = Binding {
        address,
        port,
        ipv6: settings.ipv6,
        backlog: settings.backlog.unwrap_or_else(system_backlog),
    };
    (port != 0).then_some(binding)
}

/// The TLS listener, on every address: the setting of an address is that of the plain one.
fn secure_listener(configuration: &Configuration) -> Result<Option<(Binding, TlsAcceptor)>, Error> {
    let settings = &configuration.settings;
    let Some(binding) = binding(settings, None, settings.secure_port) else {
        return Ok(None);
    };
    let file = settings.secure_certificate.as_ref();
    let file = file.ok_or(Error::NoCertificate)?;
    let directory = configuration.directory.clone().unwrap_or_default();
    let tls = tls::acceptor(&directory.join(file), &settings.secure_password)?;
    Ok(Some((binding, tls)))
}

/// The longest queue of waiting connections that the system allows.
fn system_backlog() -> u32 {
    let maximum = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    maximum
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(128)
}
