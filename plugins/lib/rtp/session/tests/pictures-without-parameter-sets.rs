//! H.264 whose parameter sets came once, or are in the description alone, has them before each picture that
//! decoders begin with; and who asks for a keyframe in vain asks otherwise, and less often.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here fails the test"
)]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rivero_plugin_api::{Encoding, MediaKind, Packet};
use rivero_rtp::{
    ExtensionMap, OutgoingHeader, RtpHeader,
    codec::VideoCodec,
    remb::RembEstimator,
    rtcp::{CompoundBuilder, RtcpPacket, packets},
};
use rivero_rtp_session::{
    Deliver, DigitFormats, PipelineClock, Protect, ReceivedFormat, Receiver, ReceiverConfig,
    Session, SessionEvent, StreamDescription, Track,
};

const SSRC: u32 = 7;
const SPS: &[u8] = &[0x67, 0x42, 0xe0, 0x1f, 0x80];
const PPS: &[u8] = &[0x68, 0xce];
const IDR: &[u8] = &[0x65, 0x88, 1];
const SLICE: &[u8] = &[0x41, 0x9a, 1];

struct Plain;

impl Protect for Plain {
    type Error = Infallible;

    fn can_send(&self) -> bool {
        true
    }

    fn protect_rtp(
        &mut self,
        _: &OutgoingHeader<'_>,
        _: &[&[u8]],
        _: &mut Vec<u8>,
    ) -> Result<usize, Infallible> {
        Ok(0)
    }

    fn protect_rtcp(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<usize, Infallible> {
        out.extend_from_slice(plain);
        Ok(plain.len())
    }
}

#[derive(Default)]
struct Pad(Mutex<Vec<Packet>>);

impl Deliver for Pad {
    fn id(&self) -> u32 {
        1
    }

    fn push(&self, packets: &[Packet]) {
        self.0.lock().unwrap().extend_from_slice(packets);
    }

    fn set_format(&self, _: Option<u32>) {}

    fn set_encodings(&self, _: &[Encoding]) {}
}

struct Publisher {
    session: Session,
    pad: Arc<Pad>,
    begin: Instant,
    now: Duration,
    sequence: u16,
}

impl Publisher {
    fn new(described: &[&[u8]]) -> Self {
        let pad = Arc::<Pad>::default();
        let config = ReceiverConfig {
            kind: MediaKind::Video,
            formats: vec![ReceivedFormat {
                payload_type: 96,
                format: 3,
                clock_rate: 90_000,
                codec: Some(VideoCodec::H264),
                nack: false,
                pli: true,
                fir: true,
                remb: false,
                rtx_payload_type: None,
                transport_cc: false,
            }],
            extensions: ExtensionMap::default(),
            streams: StreamDescription::default(),
            estimator: RembEstimator::default(),
        };
        let described = described.iter().map(|unit| unit.to_vec()).collect();
        let receiver = Receiver::new(pad.clone(), config).with_parameter_sets(96, described);
        let begin = Instant::now();
        let mut session = Session::new(PipelineClock::new(begin, 0), 1);
        let track = Track {
            kind: MediaKind::Video,
            receiver: Some(receiver),
            sender: None,
            named_ssrcs: Vec::new(),
            digits: DigitFormats::default(),
        };
        session.set_tracks(begin, vec![track]);
        session.set_connected(begin, true);
        Self {
            session,
            pad,
            begin,
            now: Duration::ZERO,
            sequence: 100,
        }
    }

    /// Sends a picture, 40 ms after the one before.
    fn picture(&mut self, units: &[&[u8]]) {
        self.now += Duration::from_millis(40);
        let timestamp = u32::try_from(self.now.as_millis() * 90).unwrap();
        for (number, unit) in units.iter().enumerate() {
            let mut packet = vec![0x80, 96];
            if number + 1 == units.len() {
                packet[1] |= 0x80;
            }
            packet.extend_from_slice(&self.sequence.to_be_bytes());
            packet.extend_from_slice(&timestamp.to_be_bytes());
            packet.extend_from_slice(&SSRC.to_be_bytes());
            packet.extend_from_slice(unit);
            let header = RtpHeader::parse(&packet).unwrap();
            self.session
                .on_rtp(self.begin + self.now, &header, &mut packet);
            self.sequence += 1;
        }
        self.session.deliver();
    }

    /// What the pad got: payloads, and whether a decoder can begin with them. The numbers go on.
    fn taken(&self, next: &mut Option<u16>) -> Vec<(Vec<u8>, bool)> {
        let packets = std::mem::take(&mut *self.pad.0.lock().unwrap());
        let taken = packets.iter().map(|packet| {
            let sequence = packet.rtp.sequence;
            assert!(next.is_none_or(|next| next == sequence));
            *next = Some(sequence.wrapping_add(1));
            (packet.payload().to_vec(), packet.is_keyframe())
        });
        taken.collect()
    }
}

fn units(units: &[(&[u8], bool)]) -> Vec<(Vec<u8>, bool)> {
    units
        .iter()
        .map(|(unit, begins)| (unit.to_vec(), *begins))
        .collect()
}

#[test]
fn sets_that_came_once_go_before_each_picture_to_begin_with() {
    let mut publisher = Publisher::new(&[]);
    let mut next = None;
    publisher.picture(&[IDR]);
    assert_eq!(
        publisher.taken(&mut next),
        units(&[(IDR, false)]),
        "nobody can decode it"
    );
    publisher.picture(&[SPS, PPS, IDR]);
    let whole = publisher.taken(&mut next);
    assert_eq!(whole, units(&[(SPS, true), (PPS, false), (IDR, true)]));
    publisher.picture(&[SLICE]);
    publisher.picture(&[IDR, IDR]);
    let later = publisher.taken(&mut next);
    let wanted = [
        (SLICE, false),
        (SPS, true),
        (PPS, true),
        (IDR, true),
        (IDR, true),
    ];
    assert_eq!(later, units(&wanted));
    publisher.picture(&[SPS, IDR]);
    let half = publisher.taken(&mut next);
    assert_eq!(half, units(&[(SPS, true), (PPS, true), (IDR, true)]));
}

#[test]
fn sets_of_the_description_do_as_well() {
    let mut publisher = Publisher::new(&[SPS, PPS]);
    publisher.picture(&[IDR]);
    let first = publisher.taken(&mut None);
    assert_eq!(first, units(&[(SPS, true), (PPS, true), (IDR, true)]));
}

#[test]
fn a_publisher_without_keyframes_is_asked_otherwise_and_less_often_and_it_is_said() {
    let mut publisher = Publisher::new(&[]);
    let (mut pli, mut fir, mut events) = (0, 0, Vec::new());
    for picture in 0..750 {
        publisher.picture(&[SLICE]);
        let at = publisher.begin + publisher.now;
        if picture % 10 == 0 {
            // As the server repeats it for a viewer that waits.
            let video = Track::number(MediaKind::Video);
            publisher.session.keyframe_requested(at, video, &mut Plain);
        }
        publisher.session.on_timeout(at, &mut Plain);
        while let Some(datagram) = publisher.session.poll_transmit() {
            for packet in packets(&datagram) {
                pli += u32::from(matches!(packet, RtcpPacket::PictureLoss { .. }));
                fir += u32::from(matches!(packet, RtcpPacket::FullIntraRequest { .. }));
            }
        }
        events.extend(std::iter::from_fn(|| publisher.session.poll_event()));
    }
    assert!((6..=10).contains(&pli), "{pli} in half a minute");
    assert!(fir >= 3 && fir < pli, "{fir}");
    assert_eq!(events, [SessionEvent::KeyframeMissing]);
}

#[test]
fn a_good_bye_does_not_end_what_goes_on() {
    let mut publisher = Publisher::new(&[]);
    let mut events = Vec::new();
    for picture in 0..200 {
        publisher.picture(&[SLICE]);
        let at = publisher.begin + publisher.now;
        if picture % 50 == 10 {
            let mut compound = CompoundBuilder::default();
            compound.receiver_report(SSRC, &[]).goodbye(&[SSRC]);
            publisher
                .session
                .on_rtcp(at, compound.as_bytes(), &mut Plain);
        }
        publisher.session.on_timeout(at, &mut Plain);
        events.extend(std::iter::from_fn(|| publisher.session.poll_event()));
    }
    assert_eq!(events, [SessionEvent::MediaActive(true)]);
}
