//! The two ends of a flow: sessions as the server and a browser would negotiate them.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use rivero_plugin_api::{Encoding, MediaKind, Packet};
use rivero_rtp::{
    ExtensionMap, HeaderExtension, OutgoingHeader, codec::VideoCodec, remb::RembEstimator,
};
use rivero_rtp_session::{
    Datagrams, Deliver, DigitFormats, PipelineClock, Protect, ReceivedFormat, Receiver,
    ReceiverConfig, Retransmissions, SendBounds, Sender, SenderConfig, SentFormat, Session,
    StreamDescription, Track,
};

use crate::{
    feeder::Feeder,
    source::{SOUND_CLOCK_RATE, SOUND_FORMAT, VIDEO_CLOCK_RATE, VIDEO_FORMAT},
};

const TRANSPORT_SEQUENCE_ID: u8 = 5;
const SOUND_SSRC: u32 = 1000;
pub(crate) const VIDEO_SSRC: u32 = 1001;
const RTX_SSRC: u32 = 1002;
/// Of both streams.
pub(crate) const FIRST_TIMESTAMP: u32 = u32::MAX - VIDEO_CLOCK_RATE;
const VIEWER_SSRC: u32 = 2000;
/// A thread that waits for a session's timer wakes up a little late: no timer is due again at once.
const LEAST_WAIT: Duration = Duration::from_millis(1);
const MILLION: i128 = 1_000_000;

/// Plain RTP: what SRTP adds is the same for all packets, and nobody listens here.
pub(crate) struct Plain;

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
        header.write_padding(out);
        Ok(out.len() - before)
    }

    fn protect_rtcp(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<usize, Infallible> {
        out.extend_from_slice(plain);
        Ok(plain.len())
    }
}

/// The datagrams of a burst.
#[derive(Default)]
pub(crate) struct Burst(pub(crate) Vec<Vec<u8>>);

impl Datagrams for Burst {
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let mut datagram = Vec::new();
        if write(&mut datagram) {
            self.0.push(datagram);
        }
    }
}

/// Takes what a viewer receives, in the place of the server's source pad.
#[derive(Default)]
pub(crate) struct Screen(Mutex<Vec<Packet>>);

impl Screen {
    /// What has come since the last call.
    pub(crate) fn take(&self) -> Vec<Packet> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Deliver for Screen {
    fn id(&self) -> u32 {
        5
    }

    fn push(&self, packets: &[Packet]) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.extend_from_slice(packets);
    }

    fn set_format(&self, _: Option<u32>) {}

    fn set_encodings(&self, _: &[Encoding]) {}
}

/// A clock that runs faster than virtual time by so many parts per million.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// Any instant at all: sessions only look at how far apart instants are, so that no run depends on
    /// what this one is.
    origin: Instant,
    drift: i64,
}

impl Clock {
    pub(crate) fn new(origin: Instant, drift: i64) -> Self {
        Self { origin, drift }
    }

    /// What it shows.
    pub(crate) fn local(&self, now: Duration) -> Duration {
        scale(now, MILLION + i128::from(self.drift), MILLION)
    }

    /// When it shows this, rounded up so that a timer is never early.
    pub(crate) fn global(&self, local: Duration) -> Duration {
        if self.drift == 0 {
            return local;
        }
        let earlier = scale(local, MILLION, MILLION + i128::from(self.drift));
        earlier + Duration::from_nanos(1)
    }

    pub(crate) fn instant(&self, now: Duration) -> Instant {
        self.origin + self.local(now)
    }
}

fn scale(time: Duration, times: i128, of: i128) -> Duration {
    let nanoseconds = i128::try_from(time.as_nanos()).unwrap_or(0) * times / of;
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

/// A session with its clock and its timer.
pub(crate) struct End {
    pub(crate) session: Session,
    pub(crate) clock: Clock,
    due: Option<Duration>,
    /// When the timer was due last.
    handled: Option<Duration>,
}

impl End {
    fn new(clock: Clock, session: Session) -> Self {
        Self {
            session,
            clock,
            due: None,
            handled: None,
        }
    }

    /// The server's side, which sends.
    pub(crate) fn server(clock: Clock, feeders: &[Arc<Feeder>; 2]) -> Self {
        let mut session = Session::new(PipelineClock::new(clock.origin, 0), SOUND_SSRC);
        let [sound, video] = feeders;
        let track = |kind, feeder: &Arc<Feeder>| Track {
            kind,
            receiver: None,
            sender: Some(Sender::new(feeder.clone(), sender(kind))),
            named_ssrcs: Vec::new(),
            digits: DigitFormats::default(),
        };
        let tracks = vec![
            track(MediaKind::Audio, sound),
            track(MediaKind::Video, video),
        ];
        session.set_tracks(clock.origin, tracks);
        Self::new(clock, session)
    }

    /// The viewer's side, which receives, and asks and reports as a browser does.
    pub(crate) fn viewer(clock: Clock, screen: &Arc<Screen>) -> Self {
        let mut session = Session::new(PipelineClock::new(clock.origin, 0), VIEWER_SSRC);
        let track = |kind, ssrc| Track {
            kind,
            receiver: Some(Receiver::new(screen.clone(), receiver(kind))),
            sender: None,
            named_ssrcs: vec![ssrc],
            digits: DigitFormats::default(),
        };
        let tracks = vec![
            track(MediaKind::Audio, SOUND_SSRC),
            track(MediaKind::Video, VIDEO_SSRC),
        ];
        session.set_tracks(clock.origin, tracks);
        Self::new(clock, session)
    }

    pub(crate) fn connect(&mut self, now: Duration) {
        self.session.set_connected(self.clock.instant(now), true);
    }

    /// Something has been asked of the session: its timer may be another.
    pub(crate) fn update_due(&mut self) {
        let due = self.session.poll_timeout();
        self.due = due.map(|due| {
            let due = self
                .clock
                .global(due.saturating_duration_since(self.clock.origin));
            let earliest = self.handled.map(|handled| handled + LEAST_WAIT);
            earliest.map_or(due, |earliest| due.max(earliest))
        });
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.due
    }

    /// Does what is due by now.
    pub(crate) fn on_timeout(&mut self, now: Duration) {
        self.handled = Some(now);
        self.session.on_timeout(self.clock.instant(now), &mut Plain);
    }
}

fn extensions() -> ExtensionMap {
    // For sound as well, as Chromium negotiates it: its packets are part of what the path carries.
    let mut map = ExtensionMap::default();
    map.insert(TRANSPORT_SEQUENCE_ID, HeaderExtension::TransportSequence);
    map
}

struct Format {
    format: u32,
    payload_type: u8,
    rtx_payload_type: Option<u8>,
    clock_rate: u32,
    codec: Option<VideoCodec>,
    ssrc: u32,
}

fn format(kind: MediaKind) -> Format {
    if kind == MediaKind::Audio {
        return Format {
            format: SOUND_FORMAT,
            payload_type: 111,
            rtx_payload_type: None,
            clock_rate: SOUND_CLOCK_RATE,
            codec: None,
            ssrc: SOUND_SSRC,
        };
    }
    Format {
        format: VIDEO_FORMAT,
        payload_type: 96,
        rtx_payload_type: Some(97),
        clock_rate: VIDEO_CLOCK_RATE,
        codec: Some(VideoCodec::Vp8),
        ssrc: VIDEO_SSRC,
    }
}

fn receiver(kind: MediaKind) -> ReceiverConfig {
    let format = format(kind);
    let is_video = kind == MediaKind::Video;
    ReceiverConfig {
        kind,
        formats: vec![ReceivedFormat {
            payload_type: format.payload_type,
            format: format.format,
            clock_rate: format.clock_rate,
            codec: format.codec,
            nack: is_video,
            pli: is_video,
            fir: is_video,
            remb: false,
            rtx_payload_type: format.rtx_payload_type,
            transport_cc: true,
        }],
        extensions: extensions(),
        streams: StreamDescription {
            repairs: vec![(RTX_SSRC, VIDEO_SSRC)],
            ..StreamDescription::default()
        },
        estimator: RembEstimator::default(),
    }
}

fn sender(kind: MediaKind) -> SenderConfig {
    let format = format(kind);
    SenderConfig {
        ssrc: format.ssrc,
        cname: "simulator".into(),
        formats: vec![SentFormat {
            format: format.format,
            payload_type: format.payload_type,
            clock_rate: format.clock_rate,
            codec: format.codec,
            rtx_payload_type: format.rtx_payload_type,
            transport_cc: true,
        }],
        events: None,
        extensions: extensions(),
        // Those are chosen at random in a server; here they are such that the first wrap-around of both is
        // part of every run.
        sequence: 32_000,
        timestamp: FIRST_TIMESTAMP,
        epoch: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        retransmissions: format.rtx_payload_type.map(|_| Retransmissions {
            ssrc: RTX_SSRC,
            sequence: 32_000,
        }),
        bounds: SendBounds::default(),
        described_limit: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_shows_more_and_its_timers_are_not_early() {
        let clock = Clock::new(Instant::now(), 200);
        let second = Duration::from_secs(1);
        assert_eq!(
            clock.local(10 * second),
            10 * second + Duration::from_millis(2)
        );
        for time in [second, 7 * second / 3, 99 * second] {
            let at = clock.global(time);
            assert!(clock.local(at) >= time && at < time);
        }
        let exact = Clock::new(Instant::now(), 0);
        assert_eq!(exact.global(exact.local(second)), second);
    }
}
