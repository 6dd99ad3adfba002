//! What all endpoints with a URI have in common.

use std::sync::Mutex;

use rivero_plugin_api::{ElementContext, Result, host, supervise::lock};
use serde::Serialize;
use serde_json::json;

use crate::{Access, Location, Policy, UriSettings};

/// `UriEndpointState` of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum UriState {
    /// Not begun, or over.
    Stop,
    /// Playing or recording.
    Start,
    /// On hold.
    Pause,
}

/// The body of the class `UriEndpoint`.
pub struct UriEndpoint {
    context: ElementContext,
    uri: String,
    location: Location,
    policy: Policy,
    state: Mutex<UriState>,
}

impl UriEndpoint {
    /// Reads and checks the URI that a client gave.
    ///
    /// # Errors
    /// 40107 when the URI makes no sense or the policy refuses it, 40003 when
    /// the configuration of the policy does not fit
    pub fn new(context: ElementContext, uri: String, access: Access) -> Result<Self> {
        let settings: UriSettings = match host() {
            Some(host) => host.configuration("UriEndpoint")?,
            None => UriSettings::default(),
        };
        let location = Location::parse(&uri, &settings.default_path)?;
        let policy = Policy::new(&settings);
        policy.check(&location, access)?;
        Ok(Self {
            context,
            uri,
            location,
            policy,
            state: Mutex::new(UriState::Stop),
        })
    }

    /// As it was given.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// What it means.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What has to be asked before anything is opened.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What the endpoint does.
    pub fn state(&self) -> UriState {
        *lock(&self.state)
    }

    /// Changes the state and raises `UriEndpointStateChanged`; `false` when it
    /// is the state already.
    pub fn enter(&self, state: UriState) -> bool {
        let mut current = lock(&self.state);
        if std::mem::replace(&mut *current, state) == state {
            return false;
        }
        // Under the lock, so that events come in the order of the changes.
        self.context
            .emit("UriEndpointStateChanged", json!({ "state": state }));
        true
    }
}
