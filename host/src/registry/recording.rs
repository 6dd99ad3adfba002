//! Whether an object records: what the quota on recordings counts.
//!
//! A class says that its objects record by its operation `record`. Such a recording lasts until the object
//! says that it is over, or ends.

use std::sync::Arc;

use parking_lot::Mutex;
use rivero_idl::Class;
use serde_json::{Map, Value};

use crate::accounts::{Account, Claim, Resource};
use crate::error::CallError;

/// The operation that begins a recording, and goes on with it.
const RECORD: &str = "record";
/// The event that says that it is over.
const STOPPED: &str = "Stopped";
/// The event of endpoints that says what they do, also when a recording could not be begun.
const STATE_CHANGED: &str = "UriEndpointStateChanged";

/// The recording of one object, if it has one.
#[derive(Debug, Default)]
pub struct Recording(Mutex<Option<Claim>>);

impl Recording {
    /// Claims a recording for an account, if an operation begins one; whether it does.
    ///
    /// # Errors
    /// 40009 when the account may have no more, or no more media.
    pub fn begin(&self, account: &Arc<Account>, operation: &str) -> Result<bool, CallError> {
        if operation != RECORD {
            return Ok(false);
        }
        let mut claim = self.0.lock();
        if claim.is_some() {
            return Ok(false);
        }
        account.check_media()?;
        *claim = Some(account.claim(Resource::Recordings, 1)?);
        Ok(true)
    }

    /// An operation of an object of this class has ended; `begun`: it was to begin a recording.
    pub fn on_operation(&self, class: &Class, operation: &str, begun: bool, is_ok: bool) {
        let is_told = || {
            [STOPPED, STATE_CHANGED]
                .iter()
                .any(|event| class.event(event).is_some())
        };
        let is_over = match is_ok {
            // Files are finished after that; who does not tell when has no more to say.
            true => operation.starts_with("stop") && !is_told(),
            false => begun,
        };
        if is_over {
            self.end();
        }
    }

    /// The object has raised an event.
    pub fn on_event(&self, event: &str, data: &Map<String, Value>) {
        let has_stopped = || data.get("state").is_some_and(|state| state == "STOP");
        if event == STOPPED || event == STATE_CHANGED && has_stopped() {
            self.end();
        }
    }

    fn end(&self) {
        *self.0.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_idl::Model;
    use serde_json::json;

    #[test]
    fn a_recording_lasts_until_it_is_said_to_be_over() {
        let model = Model::standard().unwrap();
        let (tells, silent) = (
            model.class("RecorderEndpoint").unwrap(),
            model.class("PassThrough").unwrap(),
        );
        let account = Account::alone();
        let recording = Recording::default();
        let runs = || account.usage(Resource::Recordings) == 1;
        let begin = |operation| recording.begin(&account, operation).unwrap();
        let event = |event: &str, data: Value| {
            recording.on_event(event, data.as_object().unwrap());
        };
        assert!(!begin("getUri") && !runs());
        // What could not be begun does not run, and what runs is not ended by a mistake.
        assert!(begin("record") && runs());
        recording.on_operation(tells, "record", true, false);
        assert!(!runs() && begin("record") && !begin("record"));
        recording.on_operation(tells, "record", false, false);
        recording.on_operation(tells, "stop", false, true);
        event(STATE_CHANGED, json!({"state": "PAUSE"}));
        assert!(runs());
        event(STATE_CHANGED, json!({"state": "STOP"}));
        assert!(!runs() && begin("record"));
        event(STOPPED, json!({}));
        assert!(!runs() && begin("record"));
        recording.on_operation(silent, "stopAndWait", false, true);
        assert!(!runs() && begin("record"));
        drop(recording);
        assert_eq!(account.usage(Resource::Recordings), 0);
    }
}
