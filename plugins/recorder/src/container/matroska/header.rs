//! What stands before and behind the clusters.

use std::time::SystemTime;

use rivero_codec::{Codec, Colour, Shape, Track, colour::UNSPECIFIED, opus};

use super::{
    Cue,
    ebml::{Ebml, size_of_width},
};

const SEEK_HEAD_LENGTH: usize = 128;
/// Two tracks with their configuration, and room for larger ones.
const TRACKS_LENGTH: usize = 4096;

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];
const UNKNOWN_SIZE: [u8; 8] = [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const SEEK_HEAD: u32 = 0x114d_9b74;
const INFO: u32 = 0x1549_a966;
const DURATION: u32 = 0x4489;
const TRACKS: u32 = 0x1654_ae6b;
const CUES: u32 = 0x1c53_bb6b;

/// Positions of what is changed later.
#[derive(Clone)]
pub(super) struct Places {
    /// First byte of the segment's data; 8 bytes of size stand before it.
    pub(super) segment: u64,
    pub(super) seek_head: u64,
    pub(super) tracks: u64,
    info: u64,
    /// The value of `Duration`.
    pub(super) duration: u64,
}

/// Everything before the first cluster, for a file that has `length` bytes already.
pub(super) fn beginning(
    document_type: &str,
    created: SystemTime,
    tracks: &[Track],
    length: u64,
) -> (Vec<u8>, Places) {
    let mut bytes = Ebml::new()
        .master(EBML, ebml_header(document_type))
        .into_bytes();
    bytes.extend(SEGMENT);
    bytes.extend(UNKNOWN_SIZE);
    let segment = length + bytes.len() as u64;
    let info = Ebml::new().master(INFO, information(created));
    let info_at = segment + SEEK_HEAD_LENGTH as u64;
    let places = Places {
        segment,
        seek_head: segment,
        info: info_at,
        // The last element of the information.
        duration: info_at + info.len() as u64 - 8,
        tracks: info_at + info.len() as u64,
    };
    bytes.extend(seek_head(&places, None));
    bytes.extend(info.into_bytes());
    let tracks = padded_tracks(tracks).unwrap_or_else(|| tracks_element(tracks).into_bytes());
    bytes.extend(tracks);
    (bytes, places)
}

fn ebml_header(document_type: &str) -> Ebml {
    Ebml::new()
        .uint(0x4286, 1) // EBMLVersion
        .uint(0x42f7, 1) // EBMLReadVersion
        .uint(0x42f2, 4) // EBMLMaxIDLength
        .uint(0x42f3, 8) // EBMLMaxSizeLength
        .string(0x4282, document_type) // DocType
        .uint(0x4287, 4) // DocTypeVersion
        .uint(0x4285, 2) // DocTypeReadVersion
}

fn information(created: SystemTime) -> Ebml {
    let application = concat!("Rivero ", env!("CARGO_PKG_VERSION"));
    Ebml::new()
        .uint(0x2a_d7b1, 1_000_000) // TimestampScale: ms
        .date(0x4461, created) // DateUTC
        .string(0x4d80, application) // MuxingApp
        .string(0x5741, application) // WritingApp
        .float(DURATION, 0.0)
}

/// The value of `Duration` for an end in ns.
pub(super) fn duration(end: i64) -> [u8; 8] {
    (end as f64 / 1e6).to_be_bytes()
}

/// Positions of the other elements, padded to its place.
pub(super) fn seek_head(places: &Places, cues: Option<u64>) -> Vec<u8> {
    let entry = |id: u32, position: u64| {
        let content = Ebml::new()
            .binary(0x53ab, &id.to_be_bytes())
            .uint(0x53ac, position - places.segment);
        Ebml::new().master(0x4dbb, content).into_bytes()
    };
    let mut entries = entry(INFO, places.info);
    entries.extend(entry(TRACKS, places.tracks));
    if let Some(cues) = cues {
        entries.extend(entry(CUES, cues));
    }
    Ebml::new()
        .binary(SEEK_HEAD, &entries)
        .padded(SEEK_HEAD_LENGTH)
        .into_bytes()
}

/// The tracks in their place; `None` when they do not fit.
pub(super) fn padded_tracks(tracks: &[Track]) -> Option<Vec<u8>> {
    let element = tracks_element(tracks).padded(TRACKS_LENGTH);
    (element.len() == TRACKS_LENGTH).then(|| element.into_bytes())
}

fn tracks_element(tracks: &[Track]) -> Ebml {
    let entries = tracks
        .iter()
        .zip(1..)
        .fold(Ebml::new(), |entries, (track, number)| {
            entries.master(0xae, entry(track, number))
        });
    Ebml::new().master(TRACKS, entries)
}

fn entry(track: &Track, number: u64) -> Ebml {
    let is_audio = matches!(track.shape, Shape::Audio { .. });
    let entry = Ebml::new()
        .uint(0xd7, number) // TrackNumber
        .uint(0x73c5, number) // TrackUID
        .uint(0x83, if is_audio { 2 } else { 1 }) // TrackType
        .uint(0x9c, 0) // FlagLacing
        .string(0x22_b59c, "und") // Language
        .string(0x86, codec_id(track.codec));
    let private = codec_private(track);
    let entry = if private.is_empty() {
        entry
    } else {
        entry.binary(0x63a2, private) // CodecPrivate
    };
    match track.shape {
        Shape::Video { width, height } => {
            let video = Ebml::new()
                .uint(0xb0, width.into()) // PixelWidth
                .uint(0xba, height.into()); // PixelHeight
            let video = match track.colour {
                Some(known) => video.master(0x55b0, colour(known)),
                None => video,
            };
            let video = match turn(track.quarter_turns) {
                Some(degrees) => video.master(0x7670, projection(degrees)),
                None => video,
            };
            entry.master(0xe0, video)
        }
        Shape::Audio { rate, channels } => {
            let audio = Ebml::new()
                .float(0xb5, rate.into())
                .uint(0x9f, channels.into());
            let entry = entry.master(0xe1, audio);
            // A player takes it from the times of the blocks, and leaves out as much of the beginning.
            let entry = entry.uint(0x56aa, track.delay()); // CodecDelay
            match track.codec {
                Codec::Opus => entry.uint(0x56bb, opus::SEEK_PRE_ROLL),
                _ => entry,
            }
        }
    }
}

/// Colour, with the code points of ITU-T H.273; those that say nothing are left out.
fn colour(colour: Colour) -> Ebml {
    const LIMITED: u64 = 1;
    const FULL: u64 = 2;
    let range = if colour.full_range { FULL } else { LIMITED };
    let points = [
        (0x55b1, colour.matrix),    // MatrixCoefficients
        (0x55ba, colour.transfer),  // TransferCharacteristics
        (0x55bb, colour.primaries), // Primaries
    ];
    let known = points
        .into_iter()
        .filter(|(_, point)| *point != UNSPECIFIED);
    known.fold(Ebml::new().uint(0x55b9, range), |colour, (id, point)| {
        colour.uint(id, point.into())
    })
}

/// The roll that turns a picture by so many quarters clockwise: degrees the other way round.
fn turn(quarters: u8) -> Option<f64> {
    match quarters {
        1 => Some(-90.0),
        2 => Some(180.0),
        3 => Some(90.0),
        _ => None,
    }
}

/// Projection: rectangular, and rolled.
fn projection(degrees: f64) -> Ebml {
    Ebml::new()
        .uint(0x7671, 0) // ProjectionType
        .float(0x7673, 0.0) // ProjectionPoseYaw
        .float(0x7674, 0.0) // ProjectionPosePitch
        .float(0x7675, degrees) // ProjectionPoseRoll
}

/// RFC 9559 and the codec mappings that it refers to.
fn codec_id(codec: Codec) -> &'static str {
    match codec {
        Codec::Vp8 => "V_VP8",
        Codec::Vp9 => "V_VP9",
        Codec::Av1 => "V_AV1",
        Codec::H264 => "V_MPEG4/ISO/AVC",
        Codec::H265 => "V_MPEGH/ISO/HEVC",
        Codec::Jpeg => "V_MJPEG",
        Codec::Opus => "A_OPUS",
        Codec::Aac => "A_AAC",
    }
}

/// What a decoder is set up with. The mapping of VP9 has other fields than `vpcC`, none of which a
/// player needs.
fn codec_private(track: &Track) -> &[u8] {
    match track.codec {
        Codec::Vp9 => &[],
        _ => &track.configuration,
    }
}

/// The index.
pub(super) fn cues(cues: &[Cue]) -> Vec<u8> {
    let mut points = Vec::with_capacity(cues.len() * 24);
    for cue in cues {
        let positions = Ebml::new()
            .uint(0xf7, cue.track as u64 + 1) // CueTrack
            .uint(0xf1, cue.position); // CueClusterPosition
        let point = Ebml::new()
            .uint(0xb3, u64::try_from(cue.time).unwrap_or_default()) // CueTime
            .master(0xb7, positions);
        points.extend(Ebml::new().master(0xbb, point).into_bytes());
    }
    let mut element = CUES.to_be_bytes().to_vec();
    element.extend(size_of_width(points.len() as u64, 8));
    element.extend(points);
    element
}
