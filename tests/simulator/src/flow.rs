//! One flow of a run: both ends, what is between them, and what is measured of it.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use rivero_plugin_api::{MediaKind, Packet};
use rivero_rtp::RtpHeader;
use rivero_rtp_session::Track;

use crate::{
    chance::{Chance, Purpose},
    end::{Burst, Clock, End, Plain, Screen, VIDEO_SSRC},
    feeder::Feeder,
    link::{IP_UDP, Path},
    outcome::{FROM, SAMPLE},
    playout::Playout,
    reports,
    scenario::{Flow, SECOND, is_within},
    source::{Camera, Microphone, on_the_wire},
};

/// [`Session::forward`](rivero_rtp_session::Session::forward) takes so many packets: one bit each.
const LARGEST_BURST: usize = 64;
/// What the estimate is compared with is the least share of this time: an estimate need not have found yet
/// that there is more.
const GRACE: usize = 100;

/// The end of a flow that a datagram is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Server,
    Viewer,
}

/// What is measured of a flow while it runs.
#[derive(Default)]
pub(crate) struct Measured {
    /// Bits of media that arrived, each packet once, with all headers, since [`FROM`].
    pub(crate) arrived: u64,
    /// The same, and what would have been its fair share, since the flow has been there for a while.
    pub(crate) arrived_of_share: u64,
    pub(crate) share: u64,
    /// By how much the estimate fell short of the flow's share at the worst, per mille.
    pub(crate) worst_fall: u64,
    /// Packets of sound that were captured.
    pub(crate) sounds: u64,
    /// All bits of media that arrived since the last line of a trace.
    arrived_lately: u64,
    /// The flow's shares of late, bit/s, 0 while it had none.
    shares: VecDeque<u64>,
}

/// A flow that runs. It has more fields than other structs: both ends, both directions and what is measured
/// are what a flow is.
pub(crate) struct RunningFlow<'a> {
    flow: &'a Flow,
    /// When the viewer joins.
    pub(crate) start: Duration,
    connected: bool,
    pub(crate) server: End,
    pub(crate) viewer: End,
    screen: Arc<Screen>,
    microphone: Microphone,
    camera: Camera,
    media: Path,
    feedback: Path,
    pub(crate) playout: Playout,
    pub(crate) measured: Measured,
}

impl<'a> RunningFlow<'a> {
    pub(crate) fn new(origin: Instant, flow: &'a Flow, number: usize, seed: u64) -> Self {
        let chance = |purpose| Chance::new(seed, number, purpose);
        // Viewers join at any time between two frames, so that the frames of flows do not come together.
        let phase = Duration::from_micros(chance(Purpose::Phase).below(33_000));
        let start = SECOND * u32::try_from(flow.start).unwrap_or(u32::MAX) + phase;
        let feeders: [Arc<Feeder>; 2] = std::array::from_fn(|_| Arc::default());
        let clock = Clock::new(origin, flow.drift);
        let screen = Arc::new(Screen::default());
        let server = End::server(clock, &feeders);
        let [sound, video] = feeders;
        let begin = clock.local(start);
        let pauses = flow.pauses.clone();
        Self {
            flow,
            start,
            connected: false,
            server,
            viewer: End::viewer(Clock::new(origin, 0), &screen),
            screen,
            microphone: Microphone::new(sound, begin),
            camera: Camera::new(video, flow.video, pauses, chance(Purpose::Camera), begin),
            media: Path::new(flow.media, chance(Purpose::MediaPath)),
            feedback: Path::new(flow.feedback, chance(Purpose::FeedbackPath)),
            playout: Playout::default(),
            measured: Measured::default(),
        }
    }

    /// The bottleneck before this end.
    pub(crate) fn bottleneck_to(&self, to: To) -> usize {
        match to {
            To::Viewer => self.flow.direction,
            To::Server => 1 - self.flow.direction,
        }
    }

    /// When a datagram reaches this end that leaves the bottleneck now; `None` if it is lost.
    pub(crate) fn pass(&mut self, now: Duration, to: To) -> Option<Duration> {
        match to {
            To::Viewer => self.media.pass(now),
            To::Server => self.feedback.pass(now),
        }
    }

    /// When this flow has something to do, but for what arrives.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        if !self.connected {
            return Some(self.start);
        }
        let captured = self.microphone.next().min(self.camera.next());
        [
            Some(self.server.clock.global(captured)),
            self.server.poll_timeout(),
            self.viewer.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due by now, and gives what is to be sent. `last` is true where sound would not arrive
    /// any more before the end.
    pub(crate) fn on_timeout(&mut self, now: Duration, last: bool) -> Vec<(To, Vec<u8>)> {
        if !self.connected && self.start <= now {
            self.connected = true;
            self.server.connect(now);
            self.viewer.connect(now);
        }
        let mut sent = Vec::new();
        if self.connected {
            self.capture(now, last, &mut sent);
        }
        let is_due = |end: &End| end.poll_timeout().is_some_and(|due| due <= now);
        if is_due(&self.server) {
            self.server.on_timeout(now);
        }
        if is_due(&self.viewer) {
            self.viewer.on_timeout(now);
        }
        self.drain(&mut sent);
        sent
    }

    fn capture(&mut self, now: Duration, last: bool, sent: &mut Vec<(To, Vec<u8>)>) {
        let local = self.server.clock.local(now);
        if self.microphone.next() <= local
            && let Some(packet) = self.microphone.capture(local)
            && !last
        {
            self.measured.sounds += 1;
            self.forward(now, MediaKind::Audio, &[packet], sent);
        }
        if self.camera.next() <= local {
            let packets = self.camera.capture(local);
            for burst in packets.chunks(LARGEST_BURST) {
                self.forward(now, MediaKind::Video, burst, sent);
            }
        }
    }

    fn forward(
        &mut self,
        now: Duration,
        kind: MediaKind,
        packets: &[Packet],
        sent: &mut Vec<(To, Vec<u8>)>,
    ) {
        let End { session, clock, .. } = &mut self.server;
        let (at, track) = (clock.instant(now), Track::number(kind));
        let mut burst = Burst::default();
        session.forward(at, track, packets, u64::MAX, &mut Plain, &mut burst);
        sent.extend(burst.0.into_iter().map(|datagram| (To::Viewer, datagram)));
    }

    /// A datagram arrives. Gives what is to be sent.
    pub(crate) fn on_datagram(
        &mut self,
        now: Duration,
        to: To,
        mut datagram: Vec<u8>,
    ) -> Vec<(To, Vec<u8>)> {
        let end = match to {
            To::Server => &mut self.server,
            To::Viewer => &mut self.viewer,
        };
        let at = end.clock.instant(now);
        if reports::is_rtcp(&datagram) {
            end.session.on_rtcp(at, &datagram, &mut Plain);
        } else if let Ok(header) = RtpHeader::parse(&datagram) {
            end.session.on_rtp(at, &header, &mut datagram);
            end.session.deliver();
            self.play_out(now);
        }
        let mut sent = Vec::new();
        self.drain(&mut sent);
        sent
    }

    fn play_out(&mut self, now: Duration) {
        for packet in self.screen.take() {
            let bits = u64::try_from((packet.bytes.len() + IP_UDP) * 8).unwrap_or(0);
            self.measured.arrived_lately += bits;
            if now >= FROM {
                self.measured.arrived += bits;
            }
            if self.measured.least_share().is_some() {
                self.measured.arrived_of_share += bits;
            }
            let settled = now >= self.start + FROM;
            self.playout.on_packet(now, settled, &packet);
        }
    }

    /// Takes what both sessions have to send.
    fn drain(&mut self, sent: &mut Vec<(To, Vec<u8>)>) {
        while let Some(mut datagram) = self.server.session.poll_transmit() {
            if let Some(wrong) = self.flow.wrong_reports {
                reports::falsify(&mut datagram, wrong, VIDEO_SSRC);
            }
            sent.push((To::Viewer, datagram));
        }
        while let Some(datagram) = self.viewer.session.poll_transmit() {
            sent.push((To::Server, datagram));
        }
        // Nobody asks for what happened to media: what is measured has it.
        while self.server.session.poll_event().is_some() {}
        while self.viewer.session.poll_event().is_some() {}
        self.server.update_due();
        self.viewer.update_due();
    }

    /// Bit/s that the flow would take of a link without a limit, with sound and pictures.
    pub(crate) fn demand(&self, now: Duration) -> Option<u64> {
        let is_on = self.connected && !is_within(&self.flow.pauses, now);
        let encodings = self.flow.video.encodings_at(now.as_secs());
        encodings
            .last()
            .filter(|_| is_on)
            .map(|best| on_the_wire(*best))
    }

    pub(crate) fn direction(&self) -> usize {
        self.flow.direction
    }

    /// Looks at the estimate and at the picture. `share`: what the flow could have now, bit/s, if its camera
    /// is on. Gives what is to be sent.
    pub(crate) fn sample(&mut self, now: Duration, share: Option<u64>) -> Vec<(To, Vec<u8>)> {
        if share.is_none() {
            self.playout.on_pause(now);
        }
        let estimate = self.estimate(now);
        self.measured.sample(share.unwrap_or(0), estimate);
        let mut sent = Vec::new();
        if self.playout.needs_keyframe(now) {
            let End { session, clock, .. } = &mut self.viewer;
            let video = Track::number(MediaKind::Video);
            session.keyframe_requested(clock.instant(now), video, &mut Plain);
            self.drain(&mut sent);
        }
        sent
    }

    fn estimate(&self, now: Duration) -> Option<u64> {
        let at = self.server.clock.instant(now);
        self.server.session.snapshot(at).path_estimate
    }

    /// A part of the line of a trace.
    pub(crate) fn trace(&mut self, now: Duration) -> String {
        let estimate = match self.estimate(now) {
            Some(estimate) => (estimate / 1000).to_string(),
            None => "-".to_owned(),
        };
        let arrived = std::mem::take(&mut self.measured.arrived_lately) / 1000;
        let shown = self.playout.latest_shown().unwrap_or(0);
        format!("  | estimate {estimate:>5}, arrived {arrived:5}, frame {shown:5}")
    }
}

impl Measured {
    fn sample(&mut self, share: u64, estimate: Option<u64>) {
        self.shares.push_back(share);
        if self.shares.len() > GRACE {
            self.shares.pop_front();
        }
        let Some(least) = self.least_share() else {
            return;
        };
        self.share += share * u64::try_from(SAMPLE.as_millis()).unwrap_or(0) / 1000;
        if let Some(estimate) = estimate {
            let fall = least.saturating_sub(estimate) * 1000 / least;
            self.worst_fall = self.worst_fall.max(fall);
        }
    }

    /// The least share of late, once the flow has been there for all of that time.
    fn least_share(&self) -> Option<u64> {
        let least = self.shares.iter().min().copied();
        least.filter(|least| *least > 0 && self.shares.len() == GRACE)
    }
}
