//! `RtmpIngest`: the control side.

use std::sync::{Arc, Mutex, atomic::Ordering::Relaxed};

use ring::rand::{SecureRandom, SystemRandom};
use rivero_codec::hex;
use rivero_plugin_api::{Element, ElementContext, Error, MediaKind, Result, supervise::lock};
use serde_json::{Map, Value};

use crate::{
    api::{self, RtmpIngestEvents, RtmpIngestParams},
    attempts::Reports,
    failure::Failure,
    figures::Figures,
    ingest::{Lease, Seat},
    output::Output,
    protocol::path,
    settings::IngestSettings,
};

/// An ingest of the server.
pub(crate) struct Ingest {
    context: ElementContext,
    application: String,
    stream_key: String,
    uri: String,
    output: Arc<Output>,
    figures: Arc<Figures>,
    /// Until the release.
    lease: Mutex<Option<Lease>>,
}

impl Element for Ingest {
    fn stats(&self, _: Option<MediaKind>) -> Result<Map<String, Value>> {
        Ok(self.figures.of_reception(self.context.id()))
    }

    fn released(&self) {
        let lease = lock(&self.lease).take();
        drop(lease);
        self.output.close();
    }
}

impl api::RtmpIngest for Ingest {
    fn create(context: ElementContext, params: RtmpIngestParams) -> Result<Self> {
        let stream_key = match params.stream_key.as_str() {
            "" => random_key()?,
            key => key.to_owned(),
        };
        let path = path(&params.application, &stream_key);
        // What stands behind a question mark is no part of a path, and so would be no part of the key.
        if stream_key.contains('?') || params.application.contains('?') || path.is_empty() {
            return Err(Error::illegal_parameter(
                "application and key of an RtmpIngest are parts of a path, without a question mark",
            ));
        }
        let output = Output::open(&context)?;
        let figures = Arc::new(Figures::default());
        let told = Arc::new(Told(context.clone()));
        let seat = Seat::new(output.clone(), figures.clone(), told);
        let address = IngestSettings::load()?.address();
        let lease = Lease::new(path, Arc::new(seat), &address)?;
        Ok(Self {
            uri: lease.uri().to_owned(),
            application: params.application,
            stream_key,
            output,
            figures,
            lease: Mutex::new(Some(lease)),
            context,
        })
    }

    fn application(&self) -> Result<String> {
        Ok(self.application.clone())
    }

    fn stream_key(&self) -> Result<String> {
        Ok(self.stream_key.clone())
    }

    fn uri(&self) -> Result<String> {
        Ok(self.uri.clone())
    }

    fn connected(&self) -> Result<bool> {
        Ok(self.figures.is_connected.load(Relaxed))
    }
}

/// 128 bits that nobody guesses.
fn random_key() -> Result<String> {
    let mut key = [0; 16];
    SystemRandom::new()
        .fill(&mut key)
        .map_err(|_| Error::unexpected("the system has no random numbers for a key"))?;
    Ok(hex::encode(&key))
}

/// What a seat tells.
struct Told(ElementContext);

impl Reports for Told {
    fn connected(&self) {
        tracing::info!(ingest = self.0.id(), "a publisher was let in");
        self.0.connected();
    }

    fn disconnected(&self, reason: &str) {
        tracing::info!(ingest = self.0.id(), "disconnected: {reason}");
        self.0.disconnected(reason.to_owned());
    }

    // An ingest makes no connections.
    fn reconnecting(&self, _: u32) {}
    fn gave_up(&self, _: &Failure) {}

    fn panicked(&self, text: &str) {
        self.0.panicked("an ingest of RTMP", text);
    }
}
