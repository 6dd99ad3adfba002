//! From the settings to how the server is reached.

use std::sync::Arc;

use super::{Error, places};
use crate::auth::Guard;
use crate::config::{CommandLine, Configuration, Settings};
use crate::console;
use crate::http::access::Policy;
use crate::http::machine;
use crate::protocol::listener::Binding;
use crate::protocol::registrar::Registrar;
use crate::protocol::tls::{self, Certificate};
use crate::server;

/// Everything that [`server::Server::open`] needs; no socket is opened.
pub(super) fn options(
    command_line: &CommandLine,
    configuration: &Configuration,
    problems: &mut Vec<String>,
) -> Result<server::Options, Error> {
    let settings = &configuration.settings;
    let registrar = settings
        .registrar
        .clone()
        .map(|address| Registrar::new(address, settings.local_address.clone(), tls::system_roots))
        .transpose()
        .map_err(Error::Registrar)?;
    let guard = guard(configuration, problems)?;
    let options = server::Options {
        binding: binding(settings, settings.port),
        secure: secure_listener(configuration)?,
        management: Some(management(command_line, settings)),
        guard: Arc::new(guard),
        access: Policy {
            allowed_origins: settings.allowed_origins.clone(),
            allowed_hosts: settings.allowed_hosts.clone(),
            machine: machine::names(),
        },
        console: console::Options {
            directory: places::console_directory(configuration),
            may_write: settings.console.write,
        },
        path: settings.path.clone(),
        registrar,
        collector_period: settings.collector_period,
        caches_replies: !settings.disable_request_cache,
    };
    match options.is_open_to_all() && settings.require_auth {
        true => Err(Error::Unprotected),
        false => Ok(options),
    }
}

/// Who knows the credentials that the configuration has or names.
fn guard(configuration: &Configuration, problems: &mut Vec<String>) -> Result<Guard, Error> {
    let Some(settings) = configuration.settings.auth.clone() else {
        return Ok(Guard::default());
    };
    let directory = configuration.directory.clone().unwrap_or_default();
    Ok(Guard::load(settings, &directory, problems)?)
}

/// `None` with port 0, which disables a listener.
fn binding(settings: &Settings, port: u16) -> Option<Binding> {
    let binding = Binding {
        address: settings.address,
        port,
        ipv6: settings.ipv6,
        backlog: settings.backlog.unwrap_or_else(system_backlog),
    };
    (port != 0).then_some(binding)
}

/// The listener for supervisors, with any port if it is 0.
fn management(command_line: &CommandLine, settings: &Settings) -> Binding {
    Binding {
        address: Some(command_line.management_address),
        port: command_line.management_port,
        ipv6: settings.ipv6,
        backlog: settings.backlog.unwrap_or_else(system_backlog),
    }
}

/// The TLS listener, on the same address as the plain one.
fn secure_listener(
    configuration: &Configuration,
) -> Result<Option<(Binding, Arc<Certificate>)>, Error> {
    let settings = &configuration.settings;
    let Some(binding) = binding(settings, settings.secure_port) else {
        return Ok(None);
    };
    let file = settings.secure_certificate.as_ref();
    let file = file.ok_or(Error::NoCertificate)?;
    let directory = configuration.directory.clone().unwrap_or_default();
    let certificate = Certificate::load(&directory.join(file), &settings.secure_password)?;
    Ok(Some((binding, certificate)))
}

/// The longest queue of waiting connections that the system allows.
fn system_backlog() -> u32 {
    let maximum = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    maximum
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(128)
}
