//! What a module hands to the media plane, holding the module's generation.
//!
//! The plane keeps handlers for as long as a burst or a message is on its way to them, which may be
//! longer than their object lives. Each call is noted as one of the object that it is for.

use std::sync::Arc;

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, RSlice},
};
use rivero_plugin_api::{
    Packet,
    abi::{
        traits::{
            AbiConverter, AbiConverter_TO, AbiConverterOutput, AbiConverterOutput_TO, AbiSinkGroup,
            AbiSinkGroup_TO, AbiSinkHandler, AbiSinkHandler_TO, AbiSourceHandler,
            AbiSourceHandler_TO, Converter, ConverterOutput, SinkGroup, SinkHandler, SourceHandler,
            Timer,
        },
        types::{AbiError, AbiUpstream, SinkSelection},
    },
};

use super::{
    callee::Callee,
    generation::{Generation, Held},
    overdue::{self, Manner, Name},
};

/// Something of a module, for one of its objects, that is let go of on a thread of the module.
pub(super) struct Handler<T: Send + 'static> {
    /// Nothing only while it is let go of.
    inner: Option<Held<T>>,
    callee: Arc<Callee>,
}

impl<T: Send + 'static> Handler<T> {
    pub(super) fn new(inner: T, callee: &Arc<Callee>, generation: &Arc<Generation>) -> Self {
        Self {
            inner: Some(Held::new(inner, generation)),
            callee: callee.clone(),
        }
    }

    pub(super) fn generation(&self) -> Option<&Arc<Generation>> {
        self.inner.as_ref().map(Held::generation)
    }

    pub(super) fn callee(&self) -> &Arc<Callee> {
        &self.callee
    }

    /// Calls it; nothing only while it is let go of.
    pub(super) fn call<R>(
        &self,
        name: impl Into<Name>,
        manner: Manner,
        body: impl FnOnce(&T) -> R,
    ) -> Option<R> {
        let inner = self.inner.as_ref()?;
        Some(overdue::call(&self.callee, name, manner, || body(inner)))
    }
}

impl<T: Send + 'static> Drop for Handler<T> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            self.callee.bury(inner);
        }
    }
}

impl AbiSourceHandler for Handler<SourceHandler> {
    fn upstream(&self, message: AbiUpstream) {
        self.call("upstream", Manner::Prompt, |inner| inner.upstream(message));
    }

    fn consumers(&self, count: u32) {
        self.call("consumers", Manner::Prompt, |inner| inner.consumers(count));
    }
}

pub(super) fn source_handler(
    handler: SourceHandler,
    callee: &Arc<Callee>,
    generation: &Arc<Generation>,
) -> SourceHandler {
    let handler = Handler::new(handler, callee, generation);
    AbiSourceHandler_TO::from_ptr(RArc::new(handler), TD_Opaque)
}

/// A sink's handler, and on whose thread it takes media.
struct Sink {
    handler: Handler<SinkHandler>,
    media: Manner,
}

impl AbiSinkHandler for Sink {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        { &self.handler }.call("packets", self.media, |inner| inner.packets(packets));
    }

    fn format(&self, format: u32) {
        { &self.handler }.call("format", Manner::Prompt, |inner| inner.format(format));
    }
}

pub(super) fn sink_handler(
    handler: SinkHandler,
    callee: &Arc<Callee>,
    generation: &Arc<Generation>,
) -> SinkHandler {
    let sink = Sink {
        handler: Handler::new(handler, callee, generation),
        media: match rivero_media::Owner::is_inline(&**callee) {
            true => Manner::Inline,
            false => Manner::Prompt,
        },
    };
    AbiSinkHandler_TO::from_ptr(RArc::new(sink), TD_Opaque)
}

/// A sink group, with its number: that is asked for under the lock of a graph.
struct Group {
    handler: Handler<SinkGroup>,
    number: u64,
}

impl AbiSinkGroup for Group {
    fn id(&self) -> u64 {
        self.number
    }

    fn push_batch(&self, packets: RSlice<'_, Packet>, sinks: RSlice<'_, SinkSelection>) {
        if !self.handler.callee().is_group_cut() {
            let push = |inner: &SinkGroup| inner.push_batch(packets, sinks);
            self.handler.call("push_batch", Manner::Inline, push);
        }
    }
}

pub(super) fn sink_group(
    group: SinkGroup,
    callee: &Arc<Callee>,
    generation: &Arc<Generation>,
) -> SinkGroup {
    let number = group.id();
    callee.join_group(number);
    let handler = Handler::new(group, callee, generation);
    AbiSinkGroup_TO::from_ptr(RArc::new(Group { handler, number }), TD_Opaque)
}

/// A converter, which is let go of where it worked.
struct AtWork {
    converter: Held<Converter>,
    callee: Arc<Callee>,
}

impl AtWork {
    fn call(&self, name: &'static str, body: impl FnOnce(&Converter)) {
        overdue::call(&self.callee, name, Manner::Conversion, || {
            body(&self.converter)
        });
    }
}

impl AbiConverter for AtWork {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        self.call("packets of a converter", |inner| inner.packets(packets));
    }

    fn upstream(&self, message: AbiUpstream) {
        self.call("upstream of a converter", |inner| inner.upstream(message));
    }

    fn stop(&self) {
        self.call("stop of a converter", |inner| inner.stop());
    }
}

pub(super) fn converter(
    converter: Converter,
    callee: &Arc<Callee>,
    generation: &Arc<Generation>,
) -> Converter {
    let at_work = AtWork {
        converter: Held::new(converter, generation),
        callee: callee.clone(),
    };
    AbiConverter_TO::from_ptr(RArc::new(at_work), TD_Opaque)
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

/// A timer, for whichever object starts it.
pub(super) fn timer(timer: Timer, generation: &Arc<Generation>) -> Handler<Timer> {
    let callee = overdue::current::<Callee>().filter(|callee| callee.is_of(generation.threads()));
    let callee = callee.unwrap_or_else(|| generation.threads().as_callee());
    Handler::new(timer, &callee, generation)
}
