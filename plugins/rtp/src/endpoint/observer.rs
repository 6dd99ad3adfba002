//! What happens to an endpoint's sections, as Kurento's events.

use std::sync::{Arc, Weak};

use rivero_endpoint::error;
use rivero_plugin_api::{MediaKind, SinkHandler, SourceHandler, Upstream};
use rivero_rtp_session::Digit;

use super::Shared;
use crate::{
    api::{self, RtpEndpointEvents},
    peer::LinkObserver,
    shard::{Shard, Token},
};

/// One section's reports to its endpoint.
pub(super) struct SectionObserver {
    pub(super) endpoint: Weak<Shared>,
    pub(super) kind: MediaKind,
}

impl SectionObserver {
    /// The endpoint, as long as it works.
    fn endpoint(&self) -> Option<Arc<Shared>> {
        let endpoint = self.endpoint.upgrade()?;
        endpoint.failure.get().is_none().then_some(endpoint)
    }
}

impl LinkObserver for SectionObserver {
    fn media_active(&self, active: bool) {
        let Some(endpoint) = self.endpoint() else {
            return;
        };
        endpoint.change_states(|states| {
            states.active.retain(|kind| *kind != self.kind);
            if active {
                states.active.push(self.kind);
            }
        });
    }

    fn key_soft_limit(&self) {
        if let Some(endpoint) = self.endpoint() {
            let kind = match self.kind {
                MediaKind::Audio => api::MediaType::Audio,
                _ => api::MediaType::Video,
            };
            endpoint.context.on_key_soft_limit(kind);
        }
    }

    fn digit(&self, digit: Digit) {
        if let Some(endpoint) = self.endpoint() {
            let duration = i32::try_from(digit.milliseconds).unwrap_or(i32::MAX);
            let character = digit.character.to_string();
            endpoint.context.telephone_event(character, duration);
        }
    }

    fn target_is_silent(&self) {
        if let Some(endpoint) = self.endpoint() {
            tracing::warn!(
                endpoint = endpoint.context.id(),
                kind = ?self.kind,
                "nothing comes from where media is sent: no more is sent until something does"
            );
        }
    }

    fn keyframe_missing(&self) {
        if let Some(endpoint) = self.endpoint() {
            error::keyframe_missing(&endpoint.context);
        }
    }

    fn failed(&self, text: &str) {
        if let Some(endpoint) = self.endpoint() {
            endpoint.fail(text);
        }
    }
}

/// Hears what the consumers of a received section want.
pub(super) struct SectionSource {
    pub(super) shard: Arc<Shard>,
    pub(super) token: Token,
    pub(super) kind: MediaKind,
}

impl SourceHandler for SectionSource {
    fn upstream(&self, message: Upstream) {
        match message {
            Upstream::KeyframeRequest => {
                let kind = self.kind;
                self.shard.with(self.token, move |link, now| {
                    link.keyframe_requested(now, kind)
                });
            }
            Upstream::BandwidthEstimate { bits_per_second }
            | Upstream::TargetBitrate { bits_per_second } => {
                self.shard.with(self.token, move |link, now| {
                    link.set_viewers_limit(now, bits_per_second);
                });
            }
            Upstream::LayerWish { .. } | Upstream::Loss { .. } | Upstream::StartBitrate { .. } => {}
        }
    }
}

/// Notes whether a sent section is fed.
pub(super) struct SectionSink {
    pub(super) endpoint: Weak<Shared>,
    pub(super) kind: MediaKind,
}

impl SinkHandler for SectionSink {
    fn format(&self, format: Option<u32>) {
        if let (Some(endpoint), MediaKind::Video) = (self.endpoint.upgrade(), self.kind) {
            endpoint.set_video_fed(format.is_some());
        }
    }
}
