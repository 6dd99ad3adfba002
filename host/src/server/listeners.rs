//! The listening sockets of a server: opened, or taken over from the server before it.

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::OpenError;
use crate::auth::Guard;
use crate::handover::Role;
use crate::http::Site;
use crate::protocol::listener::{self, Binding, Inherited};
use crate::protocol::tls::{Acceptor, Certificate};

/// A socket, and what is behind it.
pub(super) struct Listener {
    pub(super) role: Role,
    pub(super) socket: Arc<TcpListener>,
    pub(super) tls: Option<Arc<Acceptor>>,
    pub(super) site: Arc<Site>,
}

/// Opens the sockets of clients, or takes those of `inherited` that are where they are wanted;
/// `site` says what is behind one, by whether it is on loopback.
pub(super) fn open(
    wanted: impl Iterator<Item = (Binding, Option<Arc<Certificate>>)>,
    guard: &Arc<Guard>,
    inherited: &mut Vec<Inherited>,
    site: impl Fn(bool) -> Site,
) -> Result<Vec<Listener>, OpenError> {
    let mut listeners = Vec::new();
    let mut failures = Vec::new();
    for (binding, certificate) in wanted {
        let port = binding.port;
        let role = match certificate {
            Some(_) => Role::Secure,
            None => Role::Plain,
        };
        let tls = certificate.map(|certificate| Acceptor::new(certificate, guard.clone()));
        let opened = socket(&binding, role, inherited);
        match opened.and_then(|socket| Listener::new(role, socket, &site)) {
            Ok(listener) => listeners.push(Listener {
                tls: tls.transpose()?.map(Arc::new),
                ..listener
            }),
            Err(error) => failures.push(OpenError::Listen { port, error }),
        }
    }
    if listeners.is_empty() {
        return Err(failures.pop().unwrap_or(OpenError::NoListener));
    }
    for failure in failures {
        tracing::error!("{failure}");
    }
    Ok(listeners)
}

/// Another server on this machine may have the management port: no reason not to serve.
pub(super) fn open_management(
    binding: &Binding,
    inherited: &mut Vec<Inherited>,
    site: impl Fn(bool) -> Site,
) -> Option<Listener> {
    let opened = socket(binding, Role::Management, inherited);
    let opened = opened.and_then(|socket| Listener::new(Role::Management, socket, site));
    let warn = |error: &io::Error| {
        tracing::warn!(
            "there is no management port: {} cannot be opened: {error}; --management-port names another",
            binding.port
        );
    };
    opened.inspect_err(warn).ok()
}

fn socket(
    binding: &Binding,
    role: Role,
    inherited: &mut Vec<Inherited>,
) -> io::Result<TcpListener> {
    let is_it = |one: &Inherited| one.is_at(binding, role);
    match inherited.iter().position(is_it) {
        Some(position) => inherited.swap_remove(position).into_listener(),
        None => listener::bind(binding),
    }
}

impl Listener {
    fn new(role: Role, socket: TcpListener, site: impl Fn(bool) -> Site) -> io::Result<Listener> {
        let on_loopback = socket.local_addr()?.ip().to_canonical().is_loopback();
        Ok(Listener {
            role,
            socket: Arc::new(socket),
            tls: None,
            site: Arc::new(site(on_loopback)),
        })
    }
}
