//! Media of one kind between us and one peer.

mod encodings;
mod inbound;
mod keyframe;
mod outbound;
mod repair;
mod stream;
mod streams;
mod timeline;

use rivero_plugin_api::ExtensionKind;
use rivero_rtp::HeaderExtension;

pub(crate) use encodings::{Announced, Encodings};
pub(crate) use inbound::{Inbound, ReceivedFormat};
pub(crate) use outbound::{FeedbackCounters, Moment, Outbound, SentForm, SentFormat};
pub(crate) use stream::StreamSnapshot;
pub(crate) use timeline::SenderClock;

/// Extensions that travel with the media, on both sides of the boundary.
const FORWARDED: [(u8, HeaderExtension); 7] = [
    (ExtensionKind::AUDIO_LEVEL, HeaderExtension::AudioLevel),
    (
        ExtensionKind::VIDEO_ORIENTATION,
        HeaderExtension::VideoOrientation,
    ),
    (
        ExtensionKind::DEPENDENCY_DESCRIPTOR,
        HeaderExtension::DependencyDescriptor,
    ),
    (
        ExtensionKind::ABSOLUTE_CAPTURE_TIME,
        HeaderExtension::AbsCaptureTime,
    ),
    (ExtensionKind::PLAYOUT_DELAY, HeaderExtension::PlayoutDelay),
    (ExtensionKind::COLOR_SPACE, HeaderExtension::ColorSpace),
    (
        ExtensionKind::VIDEO_CONTENT_TYPE,
        HeaderExtension::VideoContentType,
    ),
];

fn extension_of(kind: u8) -> Option<HeaderExtension> {
    FORWARDED
        .iter()
        .find(|(known, _)| *known == kind)
        .map(|(_, extension)| *extension)
}

fn kind_of(extension: HeaderExtension) -> Option<u8> {
    FORWARDED
        .iter()
        .find(|(_, known)| *known == extension)
        .map(|(kind, _)| *kind)
}
