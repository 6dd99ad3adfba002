//! Digits that a peer dials are handed to whoever consumes its sound, and sent to another peer in place of its sound: under
//! the number whose clock is that of the sound which it gets at that moment.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here fails the test"
)]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use rivero_plugin_api::{Bytes, Encoding, MediaKind, Packet, Rtp, Upstream};
use rivero_rtp::{ExtensionMap, OutgoingHeader, RtpHeader, remb::RembEstimator};
use rivero_rtp_session::{
    Datagrams, Deliver, Digit, DigitFormats, Feed, PipelineClock, Protect, ReceivedFormat,
    Receiver, ReceiverConfig, SendBounds, Sender, SenderConfig, SentFormat, Session, SessionEvent,
    StreamDescription, Track,
};

const RELAYED: u32 = 9;
const OPUS: SentFormat = sent(1, 111, 48_000);
const PCMU: SentFormat = sent(2, 0, 8000);
const SOUND: u8 = Track::number(MediaKind::Audio);

const fn sent(format: u32, payload_type: u8, clock_rate: u32) -> SentFormat {
    SentFormat {
        format,
        payload_type,
        clock_rate,
        codec: None,
        rtx_payload_type: None,
        transport_cc: false,
    }
}

struct Plain;

impl Protect for Plain {
    type Error = Infallible;

    fn can_send(&self) -> bool {
        true
    }

    fn protect_rtp(
        &mut self,
        header: &OutgoingHeader<'_>,
        payload: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<usize, Infallible> {
        let before = out.len();
        header.write_to(out);
        payload.iter().for_each(|part| out.extend_from_slice(part));
        Ok(out.len() - before)
    }

    fn protect_rtcp(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<usize, Infallible> {
        out.extend_from_slice(plain);
        Ok(plain.len())
    }
}

#[derive(Default)]
struct Pad(Mutex<Vec<Packet>>, Mutex<Vec<u32>>);

impl Deliver for Pad {
    fn id(&self) -> u32 {
        5
    }

    fn push(&self, packets: &[Packet]) {
        self.0.lock().unwrap().extend_from_slice(packets);
    }

    fn set_format(&self, _: Option<u32>) {}

    fn set_encodings(&self, _: &[Encoding]) {}
}

impl Feed for Pad {
    fn set_accepted(&self, formats: &[u32]) {
        *self.1.lock().unwrap() = formats.to_vec();
    }

    fn upstream(&self, _: Upstream) {}

    fn history(&self, _: u32, _: u16) -> Option<Packet> {
        None
    }

    fn next_bitrate(&self) -> Option<u64> {
        None
    }
}

#[derive(Default)]
struct Sent(Vec<Vec<u8>>);

impl Datagrams for Sent {
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let mut datagram = Vec::new();
        if write(&mut datagram) {
            self.0.push(datagram);
        }
    }
}

struct Peer {
    session: Session,
    pad: Arc<Pad>,
    begin: Instant,
    now: Duration,
    sequence: u16,
    sent: Sent,
}

impl Peer {
    /// A peer that has digits at these clock rates, under numbers from 120 on.
    fn new(rates: &[u32]) -> Self {
        let pad = Arc::<Pad>::default();
        let begin = Instant::now();
        let digits = DigitFormats {
            received: (120..).zip(rates.iter().copied()).collect(),
            sent: (120..)
                .zip(rates)
                .map(|(payload_type, rate)| sent(20, payload_type, *rate))
                .collect(),
            relayed: RELAYED,
        };
        let receiver = ReceiverConfig {
            kind: MediaKind::Audio,
            formats: vec![ReceivedFormat {
                payload_type: 0,
                format: 2,
                clock_rate: 8000,
                codec: None,
                nack: false,
                pli: false,
                fir: false,
                remb: false,
                rtx_payload_type: None,
                transport_cc: false,
            }],
            extensions: ExtensionMap::default(),
            streams: StreamDescription::default(),
            estimator: RembEstimator::default(),
        };
        let sender = SenderConfig {
            ssrc: 77,
            cname: "us".into(),
            formats: vec![OPUS, PCMU],
            events: digits.accepted(),
            extensions: ExtensionMap::default(),
            sequence: 65_530,
            timestamp: u32::MAX - 100,
            epoch: SystemTime::UNIX_EPOCH,
            retransmissions: None,
            bounds: SendBounds::default(),
            described_limit: None,
        };
        let mut session = Session::new(PipelineClock::new(begin, 0), 1);
        let track = Track {
            kind: MediaKind::Audio,
            receiver: Some(Receiver::new(pad.clone(), receiver)),
            sender: Some(Sender::new(pad.clone(), sender)),
            named_ssrcs: Vec::new(),
            digits,
        };
        session.set_tracks(begin, vec![track]);
        session.set_connected(begin, true);
        Self {
            session,
            pad,
            begin,
            now: Duration::from_secs(1),
            sequence: 100,
            sent: Sent::default(),
        }
    }

    /// A packet that the peer sends.
    fn sends(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type];
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&7u32.to_be_bytes());
        packet.extend_from_slice(payload);
        self.sequence += 1;
        let header = RtpHeader::parse(&packet).unwrap();
        let now = self.begin + self.now;
        self.session.on_rtp(now, &header, &mut packet);
        self.session.deliver();
    }

    /// A burst that the peer is to get.
    fn gets(&mut self, packets: &[Packet]) {
        let (now, track) = (self.begin + self.now, SOUND);
        let selection = (1 << packets.len()) - 1;
        self.session
            .forward(now, track, packets, selection, &mut Plain, &mut self.sent);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(datagram) = self.session.poll_transmit() {
            self.sent.0.push(datagram);
        }
    }

    /// Time passes, with sound of a format every 20 ms.
    fn pass(&mut self, sound: SentFormat, milliseconds: u64) {
        for ms in 0..milliseconds {
            self.now += Duration::from_millis(1);
            if ms % 20 == 0 {
                let packet = self.sound(sound);
                self.gets(&[packet]);
            }
            let now = self.begin + self.now;
            if self.session.poll_timeout().is_some_and(|due| due <= now) {
                self.session.on_timeout(now, &mut Plain);
                self.drain();
            }
        }
    }

    fn sound(&mut self, format: SentFormat) -> Packet {
        self.sequence += 1;
        let nanoseconds = i64::try_from(self.now.as_nanos()).unwrap();
        let units = self.now.as_millis() as u32 * (format.clock_rate / 1000);
        Packet {
            presentation_time: nanoseconds,
            ..packet(format.format, 3, self.sequence, units, &[1; 20])
        }
    }

    /// Payload type, timestamp and payload of what was sent since, whose numbers go on.
    fn take_sent(&mut self) -> Vec<(u8, u32, Vec<u8>)> {
        let mut sent = std::mem::take(&mut self.sent.0);
        sent.retain(|datagram| !(192..=223).contains(&datagram[1]));
        let headers: Vec<RtpHeader> = { sent.iter() }
            .map(|datagram| RtpHeader::parse(datagram).unwrap())
            .collect();
        for pair in headers.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        }
        { headers.into_iter().zip(&sent) }
            .map(|(header, datagram)| {
                let payload = header.payload(datagram).unwrap().to_vec();
                (header.payload_type, header.timestamp, payload)
            })
            .collect()
    }
}

fn packet(format: u32, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) -> Packet {
    Packet {
        bytes: Bytes::copy_from(payload),
        format,
        origin: 4,
        kind: MediaKind::Audio,
        rtp: Rtp {
            timestamp,
            ssrc,
            sequence,
            ..Rtp::default()
        },
        ..Packet::default()
    }
}

/// A packet of a digit as another peer's session hands it on.
fn relayed(event: u8, milliseconds: u16, has_ended: bool) -> Packet {
    let [high, low] = (milliseconds * 8).to_be_bytes();
    let payload = [event, u8::from(has_ended) << 7 | 10, high, low];
    Packet {
        flags: Packet::EVENT,
        ..packet(RELAYED, !3, 9, 5000, &payload)
    }
}

/// Event, duration and payload type of the digits among what was sent: their last packets.
fn digits(sent: &[(u8, u32, Vec<u8>)]) -> Vec<(u8, u16, u8)> {
    let ends = sent
        .iter()
        .filter(|(payload_type, ..)| *payload_type >= 120);
    let ends = ends.filter(|(_, _, payload)| payload[1] & 0x80 != 0);
    let mut all: Vec<(u8, u16, u8)> = ends
        .map(|(payload_type, _, payload)| {
            let duration = u16::from_be_bytes([payload[2], payload[3]]);
            (payload[0], duration, *payload_type)
        })
        .collect();
    all.dedup();
    all
}

#[test]
fn digits_have_the_clock_of_the_sound_that_they_interrupt() {
    let mut peer = Peer::new(&[48_000, 8000]);
    for (sound, duration, payload_type) in [(OPUS, 4800, 120), (PCMU, 800, 121)] {
        peer.pass(sound, 100);
        peer.take_sent();
        // Each has a timestamp of its own (RFC 4733 §2.1).
        let digit = |milliseconds, has_ended| Packet {
            rtp: Rtp {
                timestamp: u32::from(payload_type) * 1000,
                ..Rtp::default()
            },
            ..relayed(5, milliseconds, has_ended)
        };
        let mixed = [peer.sound(sound), digit(50, false), peer.sound(sound)];
        peer.gets(&mixed);
        peer.pass(sound, 40);
        peer.gets(&[digit(100, true)]);
        peer.pass(sound, 200);
        let sent = peer.take_sent();
        assert_eq!(digits(&sent), [(5, duration, payload_type)]);
        // Nothing sounds between the first packet of a digit and its last.
        let is_digit = |(payload_type, ..): &(u8, u32, Vec<u8>)| *payload_type >= 120;
        let first = sent.iter().position(is_digit).unwrap();
        let last = sent.iter().rposition(is_digit).unwrap();
        assert!(sent[first..last].iter().all(is_digit));
        assert!(sent[last + 1..].len() > 2, "sound goes on");
        let stamps: Vec<u32> = sent[first..=last].iter().map(|packet| packet.1).collect();
        assert!(stamps.iter().all(|stamp| *stamp == stamps[0]));
    }
}

#[test]
fn who_takes_no_digits_beside_its_sound_hears_it_go_on() {
    let mut peer = Peer::new(&[8000]);
    peer.pass(OPUS, 100);
    peer.gets(&[relayed(5, 50, false)]);
    peer.pass(OPUS, 100);
    let now = peer.begin + peer.now;
    let digit = Digit {
        character: '5',
        milliseconds: 100,
    };
    assert!(!peer.session.send_digits(now, &[digit], Duration::ZERO));
    let sent = peer.take_sent();
    assert!(sent.len() >= 10 && sent.iter().all(|packet| packet.0 == 111));
    let mut none = Peer::new(&[]);
    none.pass(OPUS, 100);
    none.gets(&[relayed(5, 50, false)]);
    none.pass(OPUS, 40);
    assert!(none.take_sent().iter().all(|packet| packet.0 == 111));
    let accepted = |peer: &Peer| peer.pad.1.lock().unwrap().clone();
    assert_eq!(accepted(&none), [1, 2]);
    assert_eq!(accepted(&peer), [1, 2, RELAYED]);
}

#[test]
fn what_a_peer_dials_is_told_and_handed_on() {
    let mut peer = Peer::new(&[48_000, 8000]);
    peer.sends(0, 160, &[1; 160]);
    for (units, end) in [(2400u16, 0), (4800, 0x80), (4800, 0x80), (4800, 0x80)] {
        let [high, low] = units.to_be_bytes();
        peer.sends(120, 320, &[11, end | 10, high, low]);
    }
    peer.sends(0, 480, &[1; 160]);
    let events: Vec<SessionEvent> = std::iter::from_fn(|| peer.session.poll_event()).collect();
    let digit = Digit {
        character: '#',
        milliseconds: 100,
    };
    assert!(events.contains(&SessionEvent::Digit(digit)));
    let packets = peer.pad.0.lock().unwrap().clone();
    let (handed, sound): (Vec<_>, Vec<_>) = packets.into_iter().partition(Packet::is_event);
    assert_eq!((handed.len(), sound.len()), (4, 2));
    let last = handed.last().unwrap();
    assert_eq!(last.payload(), [11, 0x8a, 3, 32].as_slice());
    assert_eq!((last.format, last.origin), (RELAYED, 5));
}

#[test]
fn a_peer_that_takes_no_digits_any_more_is_sent_its_sound() {
    let mut peer = Peer::new(&[8000]);
    peer.pass(PCMU, 40);
    let digit = Digit {
        character: '1',
        milliseconds: 5000,
    };
    let now = peer.begin + peer.now;
    assert!(peer.session.send_digits(now, &[digit; 8], Duration::ZERO));
    peer.pass(PCMU, 100);
    let without = Track {
        kind: MediaKind::Audio,
        receiver: None,
        sender: Some(Sender::new(
            peer.pad.clone(),
            SenderConfig {
                ssrc: 77,
                cname: "us".into(),
                formats: vec![OPUS, PCMU],
                events: None,
                extensions: ExtensionMap::default(),
                sequence: 0,
                timestamp: 0,
                epoch: SystemTime::UNIX_EPOCH,
                retransmissions: None,
                bounds: SendBounds::default(),
                described_limit: None,
            },
        )),
        named_ssrcs: Vec::new(),
        digits: DigitFormats::default(),
    };
    peer.session.set_tracks(now, vec![without]);
    peer.take_sent();
    peer.pass(PCMU, 100);
    let sent = peer.take_sent();
    assert!(sent.len() == 5 && sent.iter().all(|packet| packet.0 == 0));
}
