//! What stands in for the server: pads that write down what they get, and sources that make media.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rivero_plugin_api::{Bytes, Encoding, Layer, MediaKind, Packet, Rtp, Upstream};
use rivero_rtp_session::{Deliver, Feed};

const HEADER: usize = 12;
const LARGEST_PAYLOAD: usize = 1000;
/// Keyframes are so many times as large as other frames.
const KEYFRAME: usize = 4;

pub(crate) fn format(kind: MediaKind) -> u32 {
    match kind {
        MediaKind::Audio => 1,
        _ => 2,
    }
}

pub(crate) fn clock_rate(kind: MediaKind) -> u32 {
    match kind {
        MediaKind::Audio => 48_000,
        _ => 90_000,
    }
}

/// Where received media goes.
#[derive(Default)]
pub(crate) struct Pad {
    packets: Mutex<Vec<(Duration, Packet)>>,
    /// Came since the last [`stamp`](Self::stamp).
    new: Mutex<Vec<Packet>>,
}

impl Pad {
    /// What has come since the last call came now.
    pub(crate) fn stamp(&self, now: Duration) {
        let new = self.new.lock().unwrap().split_off(0);
        let new = new.into_iter().map(|packet| (now, packet));
        self.packets.lock().unwrap().extend(new);
    }

    pub(crate) fn packets(&self) -> Vec<(Duration, Packet)> {
        self.packets.lock().unwrap().clone()
    }
}

impl Deliver for Pad {
    fn id(&self) -> u32 {
        5
    }

    fn push(&self, packets: &[Packet]) {
        self.new.lock().unwrap().extend_from_slice(packets);
    }

    fn set_format(&self, _: Option<u32>) {}

    fn set_encodings(&self, _: &[Encoding]) {}
}

/// What feeds a sender.
#[derive(Default)]
pub(crate) struct Feeder {
    accepted: Mutex<Vec<u32>>,
    packets: Mutex<Vec<Packet>>,
    messages: Mutex<Vec<Upstream>>,
    better: Mutex<Option<u64>>,
}

impl Feeder {
    pub(crate) fn packets(&self) -> Vec<Packet> {
        self.packets.lock().unwrap().clone()
    }

    /// The source has a better encoding, of so many bit/s.
    pub(crate) fn offer_better(&self, bits_per_second: u64) {
        *self.better.lock().unwrap() = Some(bits_per_second);
    }

    pub(crate) fn messages(&self) -> Vec<Upstream> {
        self.messages.lock().unwrap().clone()
    }
}

impl Feed for Feeder {
    fn set_accepted(&self, formats: &[u32]) {
        *self.accepted.lock().unwrap() = formats.to_vec();
    }

    fn upstream(&self, message: Upstream) {
        self.messages.lock().unwrap().push(message);
    }

    fn history(&self, ssrc: u32, sequence: u16) -> Option<Packet> {
        let packets = self.packets.lock().unwrap();
        let wanted = |packet: &&Packet| packet.rtp.ssrc == ssrc && packet.rtp.sequence == sequence;
        packets.iter().rfind(wanted).cloned()
    }

    fn next_bitrate(&self) -> Option<u64> {
        *self.better.lock().unwrap()
    }
}

/// A source of sound or of pictures.
pub(crate) struct Camera {
    pub(crate) kind: MediaKind,
    pub(crate) feeder: Arc<Feeder>,
    /// Bit/s, and what it is without a limit.
    bitrate: u64,
    best: u64,
    /// Messages that it has followed.
    followed: usize,
    wants_keyframe: bool,
    every: Duration,
    next: Duration,
    frames: u32,
    sequence: u16,
}

impl Camera {
    /// 25 pictures a second of `video` bit/s, or 50 packets of sound.
    pub(crate) fn new(kind: MediaKind, video: u64) -> Self {
        let (bitrate, every) = match kind {
            MediaKind::Audio => (40_000, 20),
            _ => (video, 40),
        };
        Self {
            kind,
            feeder: Arc::default(),
            bitrate,
            best: bitrate,
            followed: 0,
            wants_keyframe: true,
            every: Duration::from_millis(every),
            next: Duration::ZERO,
            frames: 0,
            sequence: 0,
        }
    }

    /// It gives no more than this from now on, bit/s.
    pub(crate) fn set_best(&mut self, bits_per_second: u64) {
        (self.best, self.bitrate) = (bits_per_second, bits_per_second);
    }

    /// The packets of a frame, if it is time for one.
    pub(crate) fn capture(&mut self, now: Duration) -> Vec<Packet> {
        let is_accepted = self
            .feeder
            .accepted
            .lock()
            .unwrap()
            .contains(&format(self.kind));
        if now < self.next || !is_accepted {
            return Vec::new();
        }
        self.next = now + self.every;
        self.follow();
        let is_video = self.kind == MediaKind::Video;
        let keyframe = is_video && std::mem::take(&mut self.wants_keyframe);
        let bits = u128::from(self.bitrate) * self.every.as_millis() / 1000;
        let times = if keyframe { KEYFRAME } else { 1 };
        let mut left = usize::try_from(bits / 8).unwrap() * times;
        let mut packets = Vec::new();
        while left > 0 {
            let length = left.min(LARGEST_PAYLOAD);
            left -= length;
            let (first, last) = (packets.is_empty(), left == 0);
            packets.push(self.packet(now, length, keyframe, first, last));
        }
        self.frames += 1;
        self.feeder
            .packets
            .lock()
            .unwrap()
            .extend_from_slice(&packets);
        packets
    }

    /// Does what it was asked for.
    fn follow(&mut self) {
        let messages = self.feeder.messages();
        for message in &messages[self.followed..] {
            match message {
                Upstream::KeyframeRequest => self.wants_keyframe = true,
                Upstream::BandwidthEstimate { bits_per_second } => {
                    self.bitrate = self.best.min(*bits_per_second);
                }
                _ => {}
            }
        }
        self.followed = messages.len();
    }

    fn packet(
        &mut self,
        now: Duration,
        length: usize,
        keyframe: bool,
        first: bool,
        last: bool,
    ) -> Packet {
        let mut bytes = vec![0; HEADER];
        if self.kind == MediaKind::Video {
            // RFC 7741: the descriptor says where the frame begins, its first byte whether it is a
            // keyframe, and an id of 15 bits counts the frames.
            let [.., high, low] = self.frames.to_be_bytes();
            bytes.extend_from_slice(&[if first { 0x90 } else { 0x80 }, 0x80, 0x80 | high, low]);
            bytes.push(u8::from(!keyframe));
        }
        bytes.extend_from_slice(&self.frames.to_be_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.resize((HEADER + length).max(bytes.len()), 0xaa);
        let units = now.as_millis() * u128::from(clock_rate(self.kind)) / 1000;
        let nanoseconds = i64::try_from(now.as_nanos()).unwrap();
        let begins = self.kind == MediaKind::Audio || keyframe && first;
        let packet = Packet {
            bytes: Bytes::copy_from(&bytes),
            format: format(self.kind),
            origin: 9,
            kind: self.kind,
            flags: if begins { Packet::KEYFRAME } else { 0 },
            layer: Layer::default(),
            presentation_time: nanoseconds,
            ingress_time: nanoseconds,
            duration: 0,
            rtp: Rtp {
                timestamp: u32::try_from(units).unwrap(),
                ssrc: 77,
                sequence: self.sequence,
                marker: last,
                payload_offset: u16::try_from(HEADER).unwrap(),
                ..Rtp::default()
            },
            ..Packet::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }
}
