//! The profiles: which container, with which media.

use std::time::SystemTime;

use rivero_codec::Codec;
use rivero_plugin_api::MediaKind;

use crate::{
    api::MediaProfileSpecType,
    container::{Container, Flv, JpegStream, Matroska, Mp4},
    kinds::PerKind,
};

/// What a container does with codecs, best first: the first is what media is
/// converted to when it is in none of them.
const WEBM: (&[Codec], &[Codec]) = (&[Codec::Vp8, Codec::Vp9, Codec::Av1], &[Codec::Opus]);
const MKV: (&[Codec], &[Codec]) = (
    &[Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::H265],
    &[Codec::Aac, Codec::Opus],
);
const MP4: (&[Codec], &[Codec]) = (
    &[Codec::H264, Codec::H265, Codec::Av1, Codec::Vp9],
    &[Codec::Aac, Codec::Opus],
);
const FLV: (&[Codec], &[Codec]) = (&[Codec::H264], &[Codec::Aac]);
const JPEG: (&[Codec], &[Codec]) = (&[Codec::Jpeg], &[]);

/// A container and the media that go into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Profile {
    kind: Kind,
    media: PerKind<bool>,
    /// Whether a recording is several files.
    pub(crate) is_split: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Webm,
    Mkv,
    Mp4,
    Flv,
    Jpeg,
}

impl Profile {
    pub(crate) fn new(profile: &MediaProfileSpecType) -> Self {
        use MediaProfileSpecType as Name;
        let (kind, audio, video) = match profile {
            Name::Webm => (Kind::Webm, true, true),
            Name::WebmVideoOnly => (Kind::Webm, false, true),
            Name::WebmAudioOnly => (Kind::Webm, true, false),
            Name::Mkv | Name::KurentoSplitRecorder => (Kind::Mkv, true, true),
            Name::MkvVideoOnly => (Kind::Mkv, false, true),
            Name::MkvAudioOnly => (Kind::Mkv, true, false),
            Name::Mp4 => (Kind::Mp4, true, true),
            Name::Mp4VideoOnly => (Kind::Mp4, false, true),
            Name::Mp4AudioOnly => (Kind::Mp4, true, false),
            Name::Flv => (Kind::Flv, true, true),
            Name::JpegVideoOnly => (Kind::Jpeg, false, true),
        };
        Self {
            kind,
            media: PerKind { audio, video },
            is_split: *profile == Name::KurentoSplitRecorder,
        }
    }

    /// The kinds of media that are recorded.
    pub(crate) fn media(&self) -> PerKind<bool> {
        self.media
    }

    /// What goes into the container as it is, best first.
    pub(crate) fn codecs(&self, kind: MediaKind) -> &'static [Codec] {
        let (video, audio) = match self.kind {
            Kind::Webm => WEBM,
            Kind::Mkv => MKV,
            Kind::Mp4 => MP4,
            Kind::Flv => FLV,
            Kind::Jpeg => JPEG,
        };
        match kind {
            MediaKind::Audio if self.media.audio => audio,
            MediaKind::Video if self.media.video => video,
            _ => &[],
        }
    }

    /// A new, empty container. `created`: when what is in it was recorded.
    pub(crate) fn container(&self, created: SystemTime) -> Box<dyn Container> {
        match self.kind {
            Kind::Webm => Box::new(Matroska::webm(created)),
            Kind::Mkv => Box::new(Matroska::mkv(created)),
            Kind::Mp4 => Box::new(Mp4::new(created)),
            Kind::Flv => Box::new(Flv::new()),
            Kind::Jpeg => Box::new(JpegStream),
        }
    }

    /// What an upload says it is.
    pub(crate) fn content_type(&self) -> &'static str {
        match (self.kind, self.media.video) {
            (Kind::Webm, true) => "video/webm",
            (Kind::Webm, false) => "audio/webm",
            (Kind::Mkv, true) => "video/x-matroska",
            (Kind::Mkv, false) => "audio/x-matroska",
            (Kind::Mp4, true) => "video/mp4",
            (Kind::Mp4, false) => "audio/mp4",
            (Kind::Flv, _) => "video/x-flv",
            (Kind::Jpeg, _) => "image/jpeg",
        }
    }
}
