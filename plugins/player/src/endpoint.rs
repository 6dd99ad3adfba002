//! `PlayerEndpoint`: the control side.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rivero_gst::{gst, gst::prelude::*, outlet::Outlet};
use rivero_plugin_api::{Element, ElementContext, Result, supervise::lock};
use rivero_uri::{Access, UriEndpoint as Base, UriState, redact, redact_properties};

use crate::{
    api::{self, PlayerEndpointParams, UriEndpointState, VideoInfo},
    deck::{Deck, Spec, seek_fails},
    range::{self, Range},
    settings::Settings,
    source::Setup,
};

/// `videoInfo` and `position` wait so long for a source that just begins.
const BEGINNING: gst::ClockTime = gst::ClockTime::from_seconds(3);
/// So long for its address, or its file.
const OPENING: Duration = Duration::from_secs(3);
/// A seek is waited for, below the 9 s that the host waits for a module.
const SEEKING: Duration = Duration::from_secs(8);

/// A player of the server.
pub(crate) struct Player {
    base: Arc<Base>,
    /// What the deck is made of, with the first `play`.
    parts: Mutex<Option<Spec>>,
    deck: Mutex<Option<Arc<Deck>>>,
}

impl Element for Player {
    fn released(&self) {
        let deck = lock(&self.deck).take();
        if let Some(deck) = deck {
            deck.close();
        }
        *lock(&self.parts) = None;
    }
}

impl api::UriEndpoint for Player {
    fn uri(&self) -> Result<String> {
        Ok(self.base.uri().to_owned())
    }

    fn state(&self) -> Result<UriEndpointState> {
        Ok(match self.base.state() {
            UriState::Stop => UriEndpointState::Stop,
            UriState::Start => UriEndpointState::Start,
            UriState::Pause => UriEndpointState::Pause,
        })
    }

    fn pause(&self) -> Result<()> {
        self.start_deck()?.order(UriState::Pause);
        Ok(())
    }

    fn stop(&self) -> Result<()> {
        if let Some(deck) = self.deck() {
            deck.order(UriState::Stop);
        }
        Ok(())
    }
}

impl api::PlayerEndpoint for Player {
    fn create(context: ElementContext, params: PlayerEndpointParams) -> Result<Self> {
        rivero_gst::init()?;
        let base = Arc::new(Base::new(context.clone(), params.uri, Access::Read)?);
        let settings = Settings::load()?;
        let setup = Setup::new(
            u32::try_from(params.network_cache).unwrap_or(0),
            settings.ports(),
        );
        let outlets = Outlet::of_element(&context)?;
        let parts = Spec {
            base: base.clone(),
            encoded: params.use_encoded_media,
            setup,
            rules: settings.rules(),
            outlets,
            context,
        };
        Ok(Self {
            base,
            parts: Mutex::new(Some(parts)),
            deck: Mutex::default(),
        })
    }

    fn play(&self) -> Result<()> {
        self.start_deck()?.order(UriState::Start);
        Ok(())
    }

    fn video_info(&self) -> Result<VideoInfo> {
        let range = self.known().as_ref().map(Range::of).unwrap_or_default();
        Ok(VideoInfo {
            is_seekable: range.is_seekable,
            seekable_init: range.first,
            seekable_end: range.last,
            duration: range.duration,
        })
    }

    fn element_gstreamer_dot(&self) -> Result<String> {
        let deck = self.deck();
        let pipeline = deck.as_ref().and_then(|deck| deck.pipeline());
        let graph = pipeline
            .unwrap_or_default()
            .debug_to_dot_data(gst::DebugGraphDetails::VERBOSE);
        let graph = deck.map_or_else(|| graph.to_string(), |deck| deck.public(&graph));
        Ok(redact_properties(&redact(&graph)))
    }

    fn position(&self) -> Result<i64> {
        let position = self.known().and_then(|pipeline| pipeline.query_position());
        Ok(position.map_or(0, range::milliseconds))
    }

    fn set_position(&self, position: i64) -> Result<()> {
        match self.deck() {
            Some(deck) => deck.seek(position, SEEKING),
            None => Err(seek_fails()),
        }
    }
}

impl Player {
    fn deck(&self) -> Option<Arc<Deck>> {
        lock(&self.deck).clone()
    }

    fn start_deck(&self) -> Result<Arc<Deck>> {
        let mut deck = lock(&self.deck);
        if let Some(deck) = &*deck {
            return Ok(deck.clone());
        }
        let parts = lock(&self.parts).take();
        let parts = parts
            .ok_or_else(|| rivero_plugin_api::Error::not_supported("The player was released"))?;
        let started = Arc::new(Deck::start(parts)?);
        *deck = Some(started.clone());
        Ok(started)
    }

    /// The pipeline, once something is known of its media.
    fn known(&self) -> Option<gst::Pipeline> {
        if self.base.state() == UriState::Stop {
            return None;
        }
        let deck = self.deck()?;
        deck.settle(OPENING);
        let pipeline = deck.pipeline()?;
        // Late, or never: then what is known so far.
        let _ = pipeline.state(BEGINNING);
        Some(pipeline)
    }
}
