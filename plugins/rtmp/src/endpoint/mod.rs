//! The control side of the classes.

mod ingest;
mod player;
mod publisher;

pub(crate) use ingest::Ingest;
pub(crate) use player::Player;
pub(crate) use publisher::Publisher;

use std::sync::Mutex;

use rivero_plugin_api::{Answer, Error, Result, host, supervise::lock};
use rivero_uri::{Access, Location, Policy, UriSettings};
use serde_json::Value;

use crate::protocol::Target;

/// Where a URI leads, if the server may go there.
fn destination(uri: &str, access: Access) -> Result<(Target, Policy)> {
    let settings: UriSettings = match host() {
        Some(host) => host.configuration("UriEndpoint")?,
        None => UriSettings::default(),
    };
    let location = Location::parse(uri, &settings.default_path)?;
    let policy = Policy::new(&settings);
    policy.check(&location, access)?;
    let target = match &location {
        Location::Remote(url) => Target::parse(url),
        Location::File(_) => None,
    };
    let target = target.ok_or_else(|| {
        Error::illegal_parameter(
            "RTMP has rtmp and rtmps URIs only: rtmp://host/application/stream",
        )
    })?;
    Ok((target, policy))
}

/// A release that is answered once the element's task is over.
#[derive(Default)]
struct Ending(Mutex<(bool, Option<Answer>)>);

impl Ending {
    /// Somebody waits for it.
    fn answer(&self, answer: Answer) {
        let mut ending = lock(&self.0);
        match &mut *ending {
            (true, _) => {
                drop(ending);
                answer.send(Ok(Value::Null));
            }
            (false, place) => *place = Some(answer),
        }
    }

    /// The task is over.
    fn is_over(&self) {
        let answer = {
            let mut ending = lock(&self.0);
            ending.0 = true;
            ending.1.take()
        };
        if let Some(answer) = answer {
            answer.send(Ok(Value::Null));
        }
    }
}
