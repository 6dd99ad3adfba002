//! Keyframes in the pacer, in virtual time.

use super::*;

const MTU: usize = 1200;
/// 15 frames a second.
const FRAME: Duration = Duration::from_micros(66_667);

/// A screen that is shared over a path of a known estimate.
struct Screen {
    pacer: Pacer<usize>,
    now: Instant,
    frames: usize,
    /// When the next frame is captured.
    capture: Instant,
    wants_keyframe: bool,
    /// All packets of a keyframe are marked as one, as parameter sets and slices are.
    marks_all: bool,
    requests: usize,
    keyframes: usize,
    /// Frames, and their packets that left and that were left out.
    sent: BTreeMap<usize, (usize, usize)>,
}

impl Screen {
    fn new(estimate: u64) -> Self {
        let now = Instant::now();
        let mut pacer = Pacer::default();
        pacer.set_estimate(now, estimate, false);
        Self {
            pacer,
            now,
            frames: 0,
            capture: now,
            wants_keyframe: true,
            marks_all: false,
            requests: 0,
            keyframes: 0,
            sent: BTreeMap::new(),
        }
    }

    /// Frames of `size` bytes, and keyframes of `keyframe` where one is asked for.
    fn run(&mut self, duration: Duration, size: usize, keyframe: usize) {
        let end = self.now + duration;
        while self.now < end {
            if self.capture <= self.now {
                self.capture += FRAME;
                let begins = std::mem::take(&mut self.wants_keyframe);
                self.keyframes += usize::from(begins);
                self.frame(if begins { keyframe } else { size }, begins);
            }
            while let Some((frame, passes)) = self.pacer.pop(self.now) {
                let (sent, left_out) = self.sent.entry(frame).or_default();
                *(if passes { sent } else { left_out }) += 1;
            }
            if self.pacer.take_keyframe_request(self.now) {
                self.requests += 1;
                self.wants_keyframe = true;
            }
            self.now += TICK;
        }
    }

    fn frame(&mut self, mut bytes: usize, mut keyframe: bool) {
        self.frames += 1;
        while bytes > 0 {
            let length = bytes.min(MTU);
            bytes -= length;
            let paced = PacedPacket {
                bytes: length,
                timestamp: self.frames as u32 * 6000,
                keyframe,
            };
            self.pacer.push(self.now, paced, self.frames);
            keyframe &= self.marks_all;
        }
    }

    /// Frames that were sent from the first packet to the last.
    fn whole(&self) -> usize {
        let whole = |(sent, left_out): &&(usize, usize)| *sent > 0 && *left_out == 0;
        self.sent.values().filter(whole).count()
    }
}

#[test]
fn a_keyframe_that_takes_seconds_is_sent_once_and_then_the_frames_behind_it() {
    let mut unsettled = Vec::new();
    for (estimate, keyframe) in [
        (500_000, 100_000),
        (500_000, 150_000),
        (500_000, 250_000),
        (300_000, 150_000),
        (300_000, 250_000),
    ] {
        let mut screen = Screen::new(estimate);
        let size = estimate as usize / 8 / 15;
        screen.run(20 * SECOND, size, keyframe);
        let (whole, frames) = (screen.whole(), screen.frames);
        if screen.keyframes != 1 || screen.requests != 0 || frames - whole > 1 {
            unsettled.push(format!(
                "{keyframe} bytes at {estimate} bit/s: {} keyframes, {} asked for, {whole} of \
                 {frames} frames",
                screen.keyframes, screen.requests,
            ));
        }
    }
    assert!(unsettled.is_empty(), "{unsettled:#?}");
}

#[test]
fn frames_that_are_too_much_for_the_path_are_still_left_out_behind_a_large_keyframe() {
    let mut screen = Screen::new(500_000);
    // 2 Mbit/s.
    screen.run(20 * SECOND, 16_667, 150_000);
    assert!(
        (2..=12).contains(&screen.requests) && screen.pacer.dropped() > 0,
        "{} keyframes asked for",
        screen.requests
    );
}

#[test]
fn a_keyframe_marked_on_several_packets_is_sent_whole() {
    let mut screen = Screen::new(500_000);
    (screen.marks_all, screen.wants_keyframe) = (true, false);
    // Something that is still waiting when the keyframe comes.
    screen.frame(20_000, false);
    screen.run(FRAME * 3, 5_000, 0);
    screen.wants_keyframe = true;
    screen.run(SECOND, 1_000, 20_000);
    let torn: Vec<_> = screen
        .sent
        .iter()
        .filter(|(_, (sent, left_out))| *sent > 0 && *left_out > 0)
        .collect();
    assert!(torn.is_empty(), "{torn:?}");
    let whole = screen.sent.values().filter(|sent| **sent == (17, 0));
    assert_eq!(whole.count(), 2, "{:?}", screen.sent);
    assert!(screen.pacer.dropped() > 0);
}
