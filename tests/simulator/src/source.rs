//! Where media comes from: a microphone, and a camera with its encoder.

use std::{sync::Arc, time::Duration};

use rivero_plugin_api::{Bytes, Layer, MediaKind, Packet, Rtp};

use crate::{
    chance::Chance,
    feeder::Feeder,
    payload::{self, FramePart, LEAST_VIDEO, RTP_HEADER},
    scenario::{SECOND, Video, is_within},
};

/// 30 pictures a second.
const FRAMES_PER_SECOND: u64 = 30;
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / FRAMES_PER_SECOND);
/// A keyframe is so many times as large as what comes between.
const KEYFRAME: u64 = 8;
/// Requests for keyframes are answered so far apart: libwebrtc's encoders ignore those within 300 ms.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(300);
/// Bytes of video in a packet: browsers keep datagrams below 1200 bytes.
const LARGEST_PAYLOAD: usize = 1150;
/// How much frames differ: per mille, to both sides.
const FRAME_NOISE: u64 = 300;

/// Opus at 32 kbit/s in packets of 20 ms.
const SOUND: Duration = Duration::from_millis(20);
const SOUND_BYTES: usize = 80;

/// Switches between encodings as the server makes them, per cent: `media/layers.rs` of the host has the
/// reasons. Up where the path carries more than the better one, down where it carries less than its own.
const TO_RISE: u64 = 115;
const TO_FALL: u64 = 80;

pub(crate) const ORIGIN: u32 = 9;
pub(crate) const SOUND_FORMAT: u32 = 1;
pub(crate) const VIDEO_FORMAT: u32 = 2;
pub(crate) const SOUND_CLOCK_RATE: u32 = 48_000;
pub(crate) const VIDEO_CLOCK_RATE: u32 = 90_000;
const SOUND_SSRC: u32 = 70;
/// Of the least encoding; the others follow.
const VIDEO_SSRC: u32 = 80;

/// A packet of a source, but for its payload.
struct Description {
    kind: MediaKind,
    ssrc: u32,
    sequence: u16,
    marker: bool,
    begins: bool,
}

fn packet(now: Duration, description: &Description, payload: &[u8]) -> Packet {
    let (format, clock_rate) = match description.kind {
        MediaKind::Audio => (SOUND_FORMAT, SOUND_CLOCK_RATE),
        _ => (VIDEO_FORMAT, VIDEO_CLOCK_RATE),
    };
    let mut bytes = vec![0; RTP_HEADER];
    bytes.extend_from_slice(payload);
    let units = now.as_nanos() * u128::from(clock_rate) / 1_000_000_000;
    let time = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    Packet {
        bytes: Bytes::copy_from(&bytes),
        format,
        origin: ORIGIN,
        kind: description.kind,
        flags: if description.begins {
            Packet::KEYFRAME
        } else {
            0
        },
        layer: Layer::default(),
        presentation_time: time,
        ingress_time: time,
        duration: 0,
        rtp: Rtp {
            // RTP timestamps wrap (RFC 3550 §5.1); no run is long enough for it.
            timestamp: u32::try_from(units).unwrap_or(u32::MAX),
            ssrc: description.ssrc,
            sequence: description.sequence,
            marker: description.marker,
            payload_offset: u16::try_from(RTP_HEADER).unwrap_or(u16::MAX),
            ..Rtp::default()
        },
        ..Packet::default()
    }
}

/// A source of sound. Times are those of the clock of the sending side, here and below.
pub(crate) struct Microphone {
    feeder: Arc<Feeder>,
    next: Duration,
    sequence: u16,
}

impl Microphone {
    pub(crate) fn new(feeder: Arc<Feeder>, start: Duration) -> Self {
        Self {
            feeder,
            next: start,
            sequence: 0,
        }
    }

    pub(crate) fn next(&self) -> Duration {
        self.next
    }

    /// The packet that is due, if the peer can be sent any.
    pub(crate) fn capture(&mut self, now: Duration) -> Option<Packet> {
        self.next = now + SOUND;
        if !self.feeder.wishes().accepted {
            return None;
        }
        let description = Description {
            kind: MediaKind::Audio,
            ssrc: SOUND_SSRC,
            sequence: self.sequence,
            marker: false,
            begins: true,
        };
        self.sequence = self.sequence.wrapping_add(1);
        let packet = packet(now, &description, &payload::sound(now, SOUND_BYTES));
        self.feeder.keep(std::slice::from_ref(&packet));
        Some(packet)
    }
}

/// A source of video.
pub(crate) struct Camera {
    feeder: Arc<Feeder>,
    video: Video,
    pauses: Vec<(u64, u64)>,
    chance: Chance,
    next: Duration,
    /// Frames that were sent.
    frames: u32,
    latest_keyframe: Option<Duration>,
    /// The encoding that is sent; there is but one where the encoder follows the estimate.
    encoding: usize,
    /// The next sequence number of each encoding.
    sequences: [u16; 4],
    paused: bool,
}

impl Camera {
    pub(crate) fn new(
        feeder: Arc<Feeder>,
        video: Video,
        pauses: Vec<(u64, u64)>,
        chance: Chance,
        start: Duration,
    ) -> Self {
        Self {
            feeder,
            video,
            pauses,
            chance,
            next: start,
            frames: 0,
            latest_keyframe: None,
            encoding: 0,
            sequences: [0; 4],
            paused: false,
        }
    }

    pub(crate) fn next(&self) -> Duration {
        self.next
    }

    /// The packets of the frame that is due, if the peer can be sent any.
    pub(crate) fn capture(&mut self, now: Duration) -> Vec<Packet> {
        self.next = now + FRAME;
        let was_paused = std::mem::replace(&mut self.paused, is_within(&self.pauses, now));
        if self.paused || !self.feeder.wishes().accepted {
            return Vec::new();
        }
        if was_paused {
            self.feeder.wishes().keyframe = true;
        }
        let bitrate = self.bitrate(now);
        let keyframe = self.begins_keyframe(now);
        let noise = 1000 - FRAME_NOISE
            + self.chance.below(FRAME_NOISE + 1)
            + self.chance.below(FRAME_NOISE + 1);
        let times = if keyframe { KEYFRAME } else { 1 };
        let bytes = bitrate / 8 / FRAMES_PER_SECOND * noise / 1000 * times;
        let packets = self.packets(now, usize::try_from(bytes).unwrap_or(0), keyframe);
        self.frames += 1;
        self.feeder.keep(&packets);
        packets
    }

    /// Bit/s of the present frame.
    fn bitrate(&mut self, now: Duration) -> u64 {
        let limit = self.feeder.wishes().limit;
        if let Video::Follows { least, most } = self.video {
            return limit.clamp(least, most);
        }
        let encodings = self.video.encodings_at(now.as_secs());
        let limit = match limit {
            u64::MAX => self.feeder.wishes().start,
            limit => limit,
        };
        let choice = choose(&encodings, limit, self.encoding);
        let mut wishes = self.feeder.wishes();
        wishes.next_bitrate = encodings.get(choice + 1).copied();
        if choice != self.encoding {
            // The server switches when the keyframe is there that it has asked for. The publisher is taken
            // to be near: it is there at once.
            wishes.keyframe = true;
            self.encoding = choice;
            self.latest_keyframe = None;
        }
        encodings.get(choice).copied().unwrap_or(0)
    }

    fn begins_keyframe(&mut self, now: Duration) -> bool {
        let recent = |latest: Duration| now < latest + KEYFRAME_INTERVAL;
        if !self.feeder.wishes().keyframe || self.latest_keyframe.is_some_and(recent) {
            return false;
        }
        self.feeder.wishes().keyframe = false;
        self.latest_keyframe = Some(now);
        true
    }

    fn packets(&mut self, now: Duration, bytes: usize, keyframe: bool) -> Vec<Packet> {
        let parts = bytes.div_ceil(LARGEST_PAYLOAD).max(1);
        let part = FramePart {
            frame: self.frames,
            parts: u16::try_from(parts).unwrap_or(u16::MAX),
            keyframe,
            captured: now,
        };
        // In equal parts, as libwebrtc's packetisers divide a frame.
        let length = bytes.div_ceil(parts).max(LEAST_VIDEO);
        let packets = (0..parts).map(|number| {
            let sequence = self.next_sequence();
            let description = Description {
                kind: MediaKind::Video,
                ssrc: VIDEO_SSRC + u32::try_from(self.encoding).unwrap_or(0),
                sequence,
                marker: number + 1 == parts,
                begins: keyframe && number == 0,
            };
            packet(now, &description, &part.payload(number == 0, length))
        });
        packets.collect()
    }

    fn next_sequence(&mut self) -> u16 {
        let Some(next) = self.sequences.get_mut(self.encoding) else {
            return 0;
        };
        let sequence = *next;
        *next = sequence.wrapping_add(1);
        sequence
    }
}

/// The encoding that is sent on a path that carries `limit` bit/s, where `present` was.
fn choose(encodings: &[u64], limit: u64, present: usize) -> usize {
    let carries = |bitrate: u64, share: u64| u128::from(limit) * 100 >= u128::from(bitrate * share);
    let held = encodings.get(present).copied();
    let held = held.filter(|held| carries(*held, TO_FALL));
    let fits = |bitrate: &u64| match held {
        Some(held) if *bitrate > held => carries(*bitrate, TO_RISE),
        Some(held) => *bitrate == held,
        None => carries(*bitrate, 100),
    };
    encodings.iter().rposition(fits).unwrap_or(0)
}

/// What a flow with video of `bits_per_second` takes of a link at most, bit/s: sound, and the headers of
/// RTP, with transport-wide numbers, UDP and IP, which are 5 % of video.
pub(crate) fn on_the_wire(bits_per_second: u64) -> u64 {
    let sound_packet = u64::try_from(SOUND_BYTES + RTP_HEADER + 8 + crate::link::IP_UDP);
    let sounds = u64::try_from(SECOND.as_millis() / SOUND.as_millis()).unwrap_or(0);
    bits_per_second * 105 / 100 + sound_packet.unwrap_or(0) * 8 * sounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Purpose;

    const RATES: [u64; 3] = [150_000, 500_000, 1_500_000];

    #[test]
    fn a_better_encoding_needs_room_and_a_lesser_one_need() {
        assert_eq!(choose(&RATES, u64::MAX, 2), 2);
        assert_eq!(choose(&RATES, 1_200_000, 2), 2, "it is held");
        assert_eq!(choose(&RATES, 1_199_000, 2), 1);
        assert_eq!(choose(&RATES, 1_600_000, 1), 1, "there is too little room");
        assert_eq!(choose(&RATES, 1_725_000, 1), 2);
        assert_eq!(choose(&RATES, 10_000, 2), 0);
        assert_eq!(choose(&RATES[..2], u64::MAX, 2), 1, "the best is off");
    }

    #[test]
    fn a_camera_keeps_its_bitrate_and_answers_requests() {
        let feeder = Arc::new(Feeder::default());
        let video = Video::Follows {
            least: 100_000,
            most: 900_000,
        };
        let chance = Chance::new(1, 0, Purpose::Camera);
        let mut camera = Camera::new(feeder.clone(), video, Vec::new(), chance, Duration::ZERO);
        assert!(camera.capture(Duration::ZERO).is_empty(), "nobody takes it");
        let mut wishes = feeder.wishes();
        (wishes.accepted, wishes.keyframe) = (true, true);
        drop(wishes);
        let mut sizes = Vec::new();
        for _ in 0..301 {
            let packets = camera.capture(camera.next());
            let bytes: usize = packets.iter().map(|packet| packet.payload().len()).sum();
            sizes.push(bytes);
            assert!(packets.last().unwrap().rtp.marker);
        }
        assert!((21_000..=39_000).contains(&sizes[0]), "{}", sizes[0]);
        let bits: usize = sizes[1..].iter().sum::<usize>() * 8 / 10;
        assert!((870_000..930_000).contains(&bits), "{bits}");
    }
}
