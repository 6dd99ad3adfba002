//! The ends of a stage: what its converter hands out, and what its consumers say.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use abi_stable::std_types::RSlice;
use rivero_plugin_api::{
    Packet, Upstream,
    abi::{
        traits::{AbiConverterOutput, AbiSinkHandler, AbiSourceHandler},
        types::{AbiError, AbiUpstream},
    },
    supervise,
};

use super::{heritage::Heritage, runner::Runner};
use crate::{sink::Sink, source::Source};

/// A panic of ours must cross neither into the converter nor into who feeds it.
fn contained(body: impl FnOnce()) {
    supervise::contained("the ends of a conversion", body);
}

/// What feeds a stage pushes here: media waits for a worker.
pub(super) struct Intake {
    pub(super) runner: Arc<Runner>,
    /// The sink that this is the handler of; set once that exists.
    pub(super) sink: OnceLock<Weak<Sink>>,
    /// Where events go on that are not to be converted.
    pub(super) output: Weak<Output>,
}

impl Intake {
    /// Events overtake the media that waits. Not under the lock of the order in which that goes out: in a ring they
    /// would meet themselves.
    fn pass(&self, events: &[Packet]) {
        let output = self.output.upgrade();
        let source = output.and_then(|output| output.source.get().and_then(Weak::upgrade));
        if let Some(source) = source.filter(|_| !self.runner.has_ended()) {
            source.push(events);
        }
    }
}

/// The intake as a sink's handler.
pub(super) struct IntakeHandler(pub(super) Arc<Intake>);

impl AbiSinkHandler for IntakeHandler {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        contained(|| {
            if packets.first().is_some_and(Packet::is_event) {
                return self.0.pass(packets.as_slice());
            }
            if let Some(output) = self.0.output.upgrade() {
                output.heritage.note(packets.as_slice());
            }
            let overflowed = self.0.runner.on_packets(packets.as_slice());
            if overflowed && let Some(sink) = self.0.sink.get().and_then(Weak::upgrade) {
                sink.upstream(Upstream::KeyframeRequest);
            }
        });
    }

    fn format(&self, _: u32) {}
}

/// What a converter hands out.
pub(super) struct Output {
    pub(super) runner: Weak<Runner>,
    pub(super) input: OnceLock<Weak<Sink>>,
    pub(super) source: OnceLock<Weak<Source>>,
    pub(super) format: u32,
    /// All packets have the stage's format: that of RTP is what a peer negotiated.
    pub(super) stamps_format: bool,
    /// What goes over from what went in.
    pub(super) heritage: Heritage,
    /// Converters push from threads of their own; a source has one producer at a time.
    pub(super) order: Mutex<Vec<Packet>>,
}

/// The output as a converter calls it.
pub(super) struct OutputHandle(pub(super) Arc<Output>);

impl Output {
    fn push(&self, packets: &[Packet]) {
        let runner = self.runner.upgrade();
        let source = self.source.get().and_then(Weak::upgrade);
        let (Some(runner), Some(source)) = (runner, source) else {
            return;
        };
        let mut stamped = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if runner.has_ended() {
            return;
        }
        stamped.clear();
        stamped.extend(packets.iter().map(|packet| self.stamp(&source, packet)));
        source.push(&stamped);
        stamped.clear();
    }

    fn stamp(&self, source: &Source, packet: &Packet) -> Packet {
        let mut packet = packet.clone();
        packet.origin = source.id();
        packet.kind = source.kind();
        // A conversion has one encoding, whichever of the source's it took.
        packet.layer.encoding = 0;
        if self.stamps_format || packet.format == 0 {
            packet.format = self.format;
        }
        self.heritage.give(&mut packet);
        packet
    }
}

impl AbiConverterOutput for OutputHandle {
    fn push(&self, packets: RSlice<'_, Packet>) {
        contained(|| self.0.push(packets.as_slice()));
    }

    fn upstream(&self, message: AbiUpstream) {
        contained(|| {
            let input = self.0.input.get().and_then(Weak::upgrade);
            if let (Some(input), Some(message)) = (input, message.message()) {
                input.upstream(message);
            }
        });
    }

    fn failed(&self, error: AbiError) {
        contained(|| {
            if let Some(runner) = self.0.runner.upgrade() {
                runner.report_failure(error.into());
            }
        });
    }
}

/// What consumers of a stage say: an encoder hears of it, else what feeds the stage.
pub(super) struct Downstream {
    pub(super) runner: Arc<Runner>,
    pub(super) input: Arc<Sink>,
    pub(super) encodes: bool,
}

impl Downstream {
    fn pass(&self, message: Upstream) {
        if !self.encodes {
            return self.input.upstream(message);
        }
        match message {
            Upstream::KeyframeRequest => self.runner.request_keyframe(),
            Upstream::BandwidthEstimate { bits_per_second }
            | Upstream::TargetBitrate { bits_per_second } => {
                self.runner.set_estimate(bits_per_second);
            }
            Upstream::Loss { fraction } => self.runner.report_loss(fraction),
            Upstream::LayerWish { .. } | Upstream::StartBitrate { .. } => {}
        }
    }
}

impl AbiSourceHandler for Downstream {
    fn upstream(&self, message: AbiUpstream) {
        if let Some(message) = message.message() {
            contained(|| self.pass(message));
        }
    }

    fn consumers(&self, _: u32) {}
}
