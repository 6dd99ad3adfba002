//! What a module hands to the media plane, holding the module's generation.
//!
//! The plane keeps handlers for as long as a burst or a message is on its way to them, which may be
//! longer than their object lives.

use std::sync::Arc;

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, RBox, RSlice},
};
use rivero_plugin_api::{
    Packet,
    abi::{
        traits::{
            AbiConverter, AbiConverter_TO, AbiConverterOutput, AbiConverterOutput_TO, AbiSinkGroup,
            AbiSinkGroup_TO, AbiSinkHandler, AbiSinkHandler_TO, AbiSourceHandler,
            AbiSourceHandler_TO, AbiTimer, AbiTimer_TO, Converter, ConverterOutput, SinkGroup,
            SinkHandler, SourceHandler, Timer,
        },
        types::{AbiError, AbiUpstream, SinkSelection},
    },
};

use super::generation::{Generation, Held};

impl AbiSourceHandler for Held<SourceHandler> {
    fn upstream(&self, message: AbiUpstream) {
        (**self).upstream(message);
    }

    fn consumers(&self, count: u32) {
        (**self).consumers(count);
    }
}

pub(super) fn source_handler(
    handler: SourceHandler,
    generation: &Arc<Generation>,
) -> SourceHandler {
    AbiSourceHandler_TO::from_ptr(RArc::new(Held::new(handler, generation)), TD_Opaque)
}

impl AbiSinkHandler for Held<SinkHandler> {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        (**self).packets(packets);
    }

    fn format(&self, format: u32) {
        (**self).format(format);
    }
}

pub(super) fn sink_handler(handler: SinkHandler, generation: &Arc<Generation>) -> SinkHandler {
    AbiSinkHandler_TO::from_ptr(RArc::new(Held::new(handler, generation)), TD_Opaque)
}

impl AbiSinkGroup for Held<SinkGroup> {
    fn id(&self) -> u64 {
        (**self).id()
    }

    fn push_batch(&self, packets: RSlice<'_, Packet>, sinks: RSlice<'_, SinkSelection>) {
        (**self).push_batch(packets, sinks);
    }
}

pub(super) fn sink_group(group: SinkGroup, generation: &Arc<Generation>) -> SinkGroup {
    AbiSinkGroup_TO::from_ptr(RArc::new(Held::new(group, generation)), TD_Opaque)
}

impl AbiConverter for Held<Converter> {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        (**self).packets(packets);
    }

    fn upstream(&self, message: AbiUpstream) {
        (**self).upstream(message);
    }

    fn stop(&self) {
        (**self).stop();
    }
}

pub(super) fn converter(converter: Converter, generation: &Arc<Generation>) -> Converter {
    AbiConverter_TO::from_ptr(RArc::new(Held::new(converter, generation)), TD_Opaque)
}

/// What comes out of a converter passes here, so that it is known whose memory it is in.
impl AbiConverterOutput for Held<ConverterOutput> {
    fn push(&self, packets: RSlice<'_, Packet>) {
        self.generation().gives(packets.as_slice());
        (**self).push(packets);
    }

    fn upstream(&self, message: AbiUpstream) {
        (**self).upstream(message);
    }

    fn failed(&self, error: AbiError) {
        (**self).failed(error);
    }
}

pub(super) fn converter_output(
    output: ConverterOutput,
    generation: &Arc<Generation>,
) -> ConverterOutput {
    AbiConverterOutput_TO::from_ptr(RArc::new(Held::new(output, generation)), TD_Opaque)
}

impl AbiTimer for Held<Timer> {
    fn fire(&self) {
        (**self).fire();
    }
}

pub(super) fn timer(timer: Timer, generation: &Arc<Generation>) -> Timer {
    AbiTimer_TO::from_ptr(RBox::new(Held::new(timer, generation)), TD_Opaque)
}
