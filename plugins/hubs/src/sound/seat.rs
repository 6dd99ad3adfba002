//! A port's way in and out, for sound.

use std::sync::{
    Arc, Mutex, MutexGuard, Weak,
    atomic::{
        AtomicBool,
        Ordering::{Acquire, Release},
    },
};

use rivero_mix::{FRAME, FRAME_NS, Frame, Limiter, Voice};
use rivero_plugin_api::{
    AudioLevel, ElementContext, Format, MediaKind, Packaging, Packet, Result, SinkHandler,
    SourceHandler, host, supervise::lock,
};

use super::SoundMix;
use crate::{common::Common, ends::Ends, lag::Lag};

/// The sound of one port.
pub(crate) struct Seat {
    pub(super) port: Box<str>,
    ends: Ends,
    input: Mutex<Input>,
    /// What its pictures wait for.
    lag: Arc<Lag>,
    /// The port has gone, and what was heard of it fades.
    is_leaving: AtomicBool,
    /// Something is connected that may say something.
    has_voice: AtomicBool,
    mix: Weak<SoundMix>,
}

/// What comes in.
#[derive(Default)]
struct Input {
    voice: Voice,
    /// When the last of it is to be heard, by its sender, ns.
    end: i64,
    /// The latest format of its packets, with rate and channels.
    format: Option<(u32, Option<(u32, usize)>)>,
    /// Nobody listens, so nothing is kept.
    is_idle: bool,
    /// As others hear it; `None` for as it comes.
    volume: Option<f32>,
    /// Of the latest packet.
    level: AudioLevel,
}

/// What a seat gives to a mix.
pub(super) struct Share {
    pub(super) seat: Arc<Seat>,
    /// What it says; `None` for silence.
    pub(super) said: Option<Box<Frame>>,
    /// How loud that is by what its sender says (RFC 6464): root mean square, of full scale. A sender knows better than its
    /// samples tell, which encoders have changed and noise has been added to.
    pub(super) level: Option<f32>,
}

/// The root mean square, of full scale, of a level, which is about the packets that came last; 10 ms more or less decide
/// nothing. What nobody is to hear speaks for nobody.
fn root_mean_square(level: AudioLevel, volume: f32) -> Option<f32> {
    level.decibels().map(|decibels| match decibels {
        // The lowest level stands for all that is below it, too.
        -127 => 0.0,
        _ => volume * 10f32.powf(f32::from(decibels) / 20.0),
    })
}

/// Samples; rate and channels are each packet's own.
pub(super) fn raw_sound(rate: u32, channels: u8) -> Format {
    Format {
        packaging: Packaging::Raw,
        ..Format::rtp("S16LE", rate, channels)
    }
}

impl Seat {
    pub(super) fn open(
        mix: &Arc<SoundMix>,
        port: &str,
        context: &ElementContext,
        lag: Arc<Lag>,
    ) -> Result<Arc<Self>> {
        let seat = Arc::new(Self {
            port: port.into(),
            ends: Ends::default(),
            input: Mutex::default(),
            lag,
            is_leaving: AtomicBool::new(false),
            has_voice: AtomicBool::new(false),
            mix: Arc::downgrade(mix),
        });
        let end = End(Arc::downgrade(&seat));
        seat.ends
            .open(context, MediaKind::Audio, &raw_sound(0, 0), end)?;
        Ok(seat)
    }

    fn input(&self) -> MutexGuard<'_, Input> {
        lock(&self.input)
    }

    pub(super) fn is_heard(&self) -> bool {
        self.ends.has_consumers()
    }

    /// Whoever says nothing hears what all of those hear.
    pub(super) fn show(&self, common: &Common) {
        let says_nothing = || !self.has_voice.load(Acquire);
        self.ends.show(common, says_nothing);
    }

    fn on_format(&self, format: Option<u32>) {
        self.has_voice.store(format.is_some(), Release);
        let mix = self.mix.upgrade();
        if let Some(common) = mix.as_ref().and_then(|mix| mix.common.get()) {
            self.show(common);
        }
    }

    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Release);
        self.input().set_volume(0.0);
    }

    /// How loud others hear it.
    pub(super) fn set_volume(&self, volume: f32) {
        if !self.is_leaving() {
            self.input().set_volume(volume);
        }
    }

    /// See [`Voice::counts`].
    pub(super) fn counts(&self) -> (i64, f64) {
        self.input().voice.counts()
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Acquire)
    }

    /// Somebody listens again: what came before is old.
    pub(super) fn begin(&self) {
        let mut input = self.input();
        if std::mem::replace(&mut input.is_idle, false) {
            input.voice = Voice::default();
            let volume = input.volume.unwrap_or(1.0);
            input.voice.set_volume(volume);
        }
    }

    /// Nobody listens.
    pub(super) fn rest(&self) {
        self.input().is_idle = true;
    }

    /// Takes the next 10 ms of it, which are heard at `time`.
    pub(super) fn share(self: &Arc<Self>, time: i64) -> Share {
        let mut frame = Box::new([[0.0; 2]; FRAME]);
        let mut input = self.input();
        let is_sound = input.voice.pull(&mut frame);
        if is_sound {
            self.lag
                .step(time + FRAME_NS, input.end - input.voice.kept());
        }
        let level = root_mean_square(input.level, input.volume.unwrap_or(1.0));
        drop(input);
        Share {
            seat: self.clone(),
            said: is_sound.then_some(frame),
            level,
        }
    }

    pub(super) fn push(&self, packet: Packet) {
        self.ends.push(packet);
    }

    fn on_packets(&self, packets: &[Packet]) {
        let mut input = self.input();
        if input.is_idle || self.is_leaving() {
            return;
        }
        for packet in packets {
            if let Some((rate, channels)) = input.format(packet.format) {
                input.voice.push(packet.payload(), rate, channels);
                let samples = packet.payload().len() / (2 * channels.max(1));
                let length = 1_000_000_000 * samples as u64 / u64::from(rate.max(1));
                input.end = packet.presentation_time.saturating_add_unsigned(length);
                input.level = packet.audio_level;
            }
        }
    }

    fn on_consumers(&self, count: u32) {
        if self.ends.count(count)
            && let Some(mix) = self.mix.upgrade()
        {
            mix.wake();
        }
    }
}

impl Input {
    fn set_volume(&mut self, volume: f32) {
        self.volume = Some(volume);
        self.voice.set_volume(volume);
    }

    fn format(&mut self, id: u32) -> Option<(u32, usize)> {
        match self.format {
            Some((latest, format)) if latest == id => format,
            _ => {
                let format = host()?
                    .format(id)
                    .filter(|format| format.encoding == "S16LE");
                let format = format.map(|format| (format.clock_rate, usize::from(format.channels)));
                self.format = Some((id, format));
                format
            }
        }
    }
}

/// The way out of what one port hears, which is limited for itself.
#[derive(Default)]
pub(super) struct Ear {
    limiter: Limiter,
}

impl Ear {
    /// A frame as bytes that several packets may share.
    pub(super) fn write(&mut self, frame: &Frame) -> Option<rivero_plugin_api::Bytes> {
        let mut bytes = host()?.buffer(FRAME * 4);
        self.limiter.write(frame, &mut bytes);
        Some(bytes.freeze())
    }
}

/// The seat as its pads know it: they do not keep it alive.
#[derive(Clone)]
struct End(Weak<Seat>);

impl SinkHandler for End {
    fn packets(&self, packets: &[Packet]) {
        if let Some(seat) = self.0.upgrade() {
            seat.on_packets(packets);
        }
    }

    fn format(&self, format: Option<u32>) {
        if let Some(seat) = self.0.upgrade() {
            seat.on_format(format);
        }
    }
}

impl SourceHandler for End {
    fn consumers(&self, count: u32) {
        if let Some(seat) = self.0.upgrade() {
            seat.on_consumers(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_that_senders_say() {
        let of = |byte| root_mean_square(AudioLevel::from_byte(byte), 1.0);
        assert_eq!(of(0), Some(1.0));
        assert!((of(20).unwrap() - 0.1).abs() < 1e-6);
        assert_eq!(of(0x80 | 20), of(20), "with and without the bit for voice");
        assert_eq!(of(127), Some(0.0));
        assert_eq!(root_mean_square(AudioLevel::UNKNOWN, 1.0), None);
        let muted = root_mean_square(AudioLevel::from_byte(0), 0.0);
        assert_eq!(muted, Some(0.0), "whoever is muted has no floor");
    }
}
