//! Modules of files: what the server would load.

use std::{
    path::Path,
    sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    time::Duration,
};

use rivero_plugin_api::{
    Error, MediaKind, Result,
    abi::{
        abi_stable::{
            library::lib_header_from_path,
            sabi_trait::TD_Opaque,
            std_types::{RBox, RResult, RString},
        },
        traits::{self, AbiResponder, AbiResponder_TO, ElementHost, Responder, RootRef},
        types::AbiError,
    },
};
use serde_json::{Map, Value};

use super::host;

/// As the server, which answers its client with an error then.
const PATIENCE: Duration = Duration::from_secs(9);

/// A module of a library. It stays loaded for the life of the process, which may die of it.
pub struct Loaded {
    module: traits::Module,
}

impl Loaded {
    /// Loads a library and starts its module. Its code runs in this process from here on.
    ///
    /// # Errors
    /// Why it cannot be loaded, or what its start fails with.
    pub fn open(file: &Path) -> Result<Self> {
        let refused = |error: &dyn std::fmt::Display| Error::unexpected(error.to_string());
        let header = lib_header_from_path(file).map_err(|error| refused(&error))?;
        let root = header
            .init_root_module::<RootRef>()
            .map_err(|error| refused(&error))?;
        let started = root.start()(host::services(&host::installed()));
        let module = started.into_result().map_err(Error::from)?;
        Ok(Self { module })
    }

    pub(super) fn module(&self) -> &traits::Module {
        &self.module
    }

    pub(super) fn create(
        &self,
        class: &str,
        host: ElementHost,
        parameters: &Value,
    ) -> Result<Object> {
        let parameters = parameters.to_string();
        let created = self
            .module
            .create(class.into(), host, parameters.as_str().into());
        Ok(Object(created.into_result().map_err(Error::from)?))
    }
}

/// An object of a loaded module.
pub(super) struct Object(traits::Object);

impl Object {
    pub(super) fn call(&self, operation: &str, parameters: &Value) -> Result<Value> {
        let parameters = parameters.to_string();
        let text = answered(operation, |responder| {
            self.0
                .invoke(operation.into(), parameters.as_str().into(), responder);
        })?;
        parsed(&text)
    }

    pub(super) fn stats(&self, kind: Option<MediaKind>) -> Result<Map<String, Value>> {
        let kind = match kind {
            Some(MediaKind::Audio) => 0,
            Some(MediaKind::Video) => 1,
            Some(_) => 2,
            None => u8::MAX,
        };
        let text = self.0.stats(kind).into_result().map_err(Error::from)?;
        match parsed(&text)? {
            Value::Object(entries) => Ok(entries),
            other => Err(Error::unexpected(format!("statistics that are {other}"))),
        }
    }

    pub(super) fn port_added(&self, id: &str, port: ElementHost) -> Result<()> {
        let added = self.0.port_added(id.into(), port);
        added.into_result().map_err(Error::from)
    }

    pub(super) fn port_removed(&self, id: &str) {
        self.0.port_removed(id.into());
    }

    pub(super) fn released(&self) -> Result<()> {
        answered("release", |responder| self.0.release(responder)).map(drop)
    }
}

fn parsed(text: &RString) -> Result<Value> {
    serde_json::from_str(text.as_str())
        .map_err(|error| Error::unexpected(format!("an answer that is no JSON: {error}")))
}

/// What a call is answered, at once or later and from any thread.
fn answered(name: &str, call: impl FnOnce(Responder)) -> Result<RString> {
    let (sender, answers) = sync_channel(1);
    call(AbiResponder_TO::from_ptr(
        RBox::new(Waiting(sender)),
        TD_Opaque,
    ));
    match answers.recv_timeout(PATIENCE) {
        Ok(answer) => answer.into_result().map_err(Error::from),
        Err(RecvTimeoutError::Timeout) => Err(unanswered(name)),
        Err(RecvTimeoutError::Disconnected) => Err(unanswered(name)),
    }
}

const UNANSWERED: &str = "UNANSWERED";

fn unanswered(name: &str) -> Error {
    Error {
        kind: UNANSWERED.into(),
        ..Error::unexpected(format!("{name} got no answer"))
    }
}

/// Whether an error says that a call of a loaded module got no answer, or that its release did not.
pub fn is_unanswered(error: &Error) -> bool {
    error.kind == UNANSWERED
}

struct Waiting(SyncSender<RResult<RString, AbiError>>);

impl AbiResponder for Waiting {
    fn reply(&self, result: RResult<RString, AbiError>) {
        // Only the first answer counts.
        let _ = self.0.try_send(result);
    }
}
