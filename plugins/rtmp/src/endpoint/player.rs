//! `RtmpPlayer`: the control side.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use rivero_plugin_api::{Answer, Element, ElementContext, MediaKind, Result};
use rivero_uri::Access;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::{Ending, destination};
use crate::{
    api::{self, RtmpPlayerEvents, RtmpPlayerParams},
    attempts::Reports,
    failure::Failure,
    figures::Figures,
    output::Output,
    playback::{self, Playback},
};

/// A player of the server.
pub(crate) struct Player {
    context: ElementContext,
    uri: String,
    output: Arc<Output>,
    figures: Arc<Figures>,
    released: watch::Sender<bool>,
    ending: Arc<Ending>,
}

impl Element for Player {
    fn stats(&self, _: Option<MediaKind>) -> Result<Map<String, Value>> {
        Ok(self.figures.of_reception(self.context.id()))
    }

    fn released(&self) {
        self.output.close();
        let answer = Answer::take();
        self.released.send_replace(true);
        self.ending.answer(answer);
    }
}

impl api::RtmpPlayer for Player {
    fn create(context: ElementContext, params: RtmpPlayerParams) -> Result<Self> {
        let (target, policy) = destination(&params.uri, Access::Read)?;
        let output = Output::open(&context)?;
        let player = Self {
            uri: params.uri,
            output,
            figures: Arc::default(),
            released: watch::Sender::new(false),
            ending: Arc::default(),
            context,
        };
        let playback = Playback {
            target,
            policy,
            output: player.output.clone(),
            figures: player.figures.clone(),
            reports: Arc::new(Told(player.context.clone())),
            released: player.released.subscribe(),
        };
        let ending = player.ending.clone();
        playback::start(playback, move || ending.is_over())?;
        Ok(player)
    }

    fn uri(&self) -> Result<String> {
        Ok(self.uri.clone())
    }

    fn connected(&self) -> Result<bool> {
        Ok(self.figures.is_connected.load(Relaxed))
    }
}

/// What a task tells.
struct Told(ElementContext);

impl Reports for Told {
    fn connected(&self) {
        self.0.connected();
    }

    fn disconnected(&self, reason: &str) {
        tracing::info!(player = self.0.id(), "disconnected: {reason}");
        self.0.disconnected(reason.to_owned());
    }

    fn reconnecting(&self, attempt: u32) {
        self.0
            .reconnecting(i32::try_from(attempt).unwrap_or(i32::MAX));
    }

    fn gave_up(&self, failure: &Failure) {
        self.0.error("RESOURCE_ERROR_OPEN", 0, &failure.to_string());
    }

    fn panicked(&self, text: &str) {
        self.0.panicked("a player of RTMP", text);
    }
}
