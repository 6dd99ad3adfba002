//! The module's side of the boundary: safe traits behind ABI objects.

use abi_stable::{
    prefix_type::WithMetadata,
    sabi_trait::TD_Opaque,
    std_types::{RArc, RResult, RSlice, RStr, RString, RVec},
};
use serde_json::Value;

use super::{
    ABI_MAJOR, ABI_MINOR,
    guard::{self, Contained},
    packet::Packet,
    traits::{self, *},
    types::{AbiError, AbiUpstream, MediaKind, SinkSelection},
};
use crate::{
    Answer, Converter, ConverterOutput, ElementContext, Error, Host, Module, Object, Result,
    SinkGroup, SinkHandler, SourceHandler, supervise,
};

pub type Started = RResult<traits::Module, AbiError>;
pub type ClassNames = RVec<RString>;

/// The root module around a start function.
pub fn root(
    start: extern "C" fn(traits::Host) -> Started,
    classes: extern "C" fn() -> ClassNames,
) -> RootRef {
    let root = WithMetadata::new(Root {
        major: ABI_MAJOR,
        minor: ABI_MINOR,
        start,
        classes,
    });
    // A few words for each library that is loaded, also if it is closed later.
    RootRef(Box::leak(Box::new(root)).static_as_prefix())
}

/// Starts the module: connects it to the host and asks for its definition.
pub fn start(host: traits::Host, definition: fn() -> Module) -> Started {
    let started = guard::call("the start of the module", || {
        Host::install(host);
        crate::log::install();
        Ok(definition())
    });
    match started {
        Ok(module) => RResult::ROk(AbiModule_TO::from_ptr(RArc::new(Served(module)), TD_Opaque)),
        Err(error) => RResult::RErr(error.into()),
    }
}

/// The names of a module's classes; none where naming them panics.
pub fn class_names(classes: fn() -> Vec<crate::Class>) -> ClassNames {
    let named = guard::contain(|| {
        classes()
            .iter()
            .map(|class| RString::from(&*class.name))
            .collect()
    });
    named.unwrap_or_default()
}

struct Served(Module);

impl AbiModule for Served {
    fn create(
        &self,
        class: RStr<'_>,
        host: ElementHost,
        parameters: RStr<'_>,
    ) -> RResult<traits::Object, AbiError> {
        let created = guard::call("the constructor", || {
            let context = context(host);
            let class = self
                .0
                .classes
                .iter()
                .find(|known| known.name == class.as_str())
                .ok_or_else(|| Error::unexpected(format!("the module has no class {class}")))?;
            let object = (class.create)(context.clone(), json(parameters)?)?;
            Ok(ServedObject {
                object: Contained::new(object),
                context,
            })
        });
        result(created.map(|object| AbiObject_TO::from_ptr(RArc::new(object), TD_Opaque)))
    }

    fn conversions(&self) -> RString {
        let list: Vec<_> = self
            .0
            .converters
            .iter()
            .map(|factory| &factory.conversion)
            .collect();
        serde_json::to_string(&list)
            .unwrap_or_else(|_| "[]".to_owned())
            .into()
    }

    fn create_converter(
        &self,
        conversion: u32,
        input: u32,
        output: u32,
        settings: RStr<'_>,
        sink: traits::ConverterOutput,
    ) -> RResult<traits::Converter, AbiError> {
        let failures = share(&sink);
        let created = guard::call("the constructor of a converter", || {
            let factory = self
                .0
                .converters
                .get(conversion as usize)
                .ok_or_else(|| Error::unexpected("the module has no such converter"))?;
            (factory.create)(input, output, json(settings)?, ConverterOutput::new(sink))
        });
        result(created.map(|created| converter(created, failures)))
    }
}

/// An object as the author's code sees it. Unit tests of a module make theirs of a host that they
/// play themselves.
pub fn context(host: ElementHost) -> ElementContext {
    ElementContext::new(host)
}

struct ServedObject {
    object: Contained<Box<dyn Object>>,
    context: ElementContext,
}

impl ServedObject {
    fn hook(&self, place: &str, body: impl FnOnce(&dyn Object)) {
        let Some(object) = self.object.get() else {
            return;
        };
        if let Err(message) = guard::contain(|| body(&**object)) {
            self.context.panicked(place, &message);
        }
    }

    fn answer<T>(&self, place: &str, body: impl FnOnce(&dyn Object) -> Result<T>) -> Result<T> {
        let object = self
            .object
            .get()
            .ok_or_else(|| Error::unexpected("the object is gone"))?;
        guard::contain(|| body(&**object)).unwrap_or_else(|message| {
            self.context.panicked(place, &message);
            Err(Error::panicked(place, &message))
        })
    }
}

impl AbiObject for ServedObject {
    fn invoke(&self, operation: RStr<'_>, parameters: RStr<'_>, responder: Responder) {
        Answer::during(responder, || {
            self.answer(operation.as_str(), |object| {
                object.invoke(operation.as_str(), json(parameters)?)
            })
        });
    }

    fn stats(&self, kind: u8) -> RResult<RString, AbiError> {
        let kind = match kind {
            0 => Some(MediaKind::Audio),
            1 => Some(MediaKind::Video),
            2 => Some(MediaKind::Data),
            _ => None,
        };
        result(self.answer("stats", |object| {
            let stats = object.element().stats(kind)?;
            Ok(RString::from(Value::Object(stats).to_string()))
        }))
    }

    fn port_added(&self, port: RStr<'_>, host: ElementHost) -> RResult<(), AbiError> {
        result(self.answer("port_added", |object| {
            object.element().port_added(port.as_str(), context(host))
        }))
    }

    fn port_removed(&self, port: RStr<'_>) {
        self.hook("port_removed", |object| {
            object.element().port_removed(port.as_str())
        });
    }

    fn release(&self, released: Responder) {
        Answer::during(released, || {
            self.hook("released", |object| object.element().released());
            Ok(Value::Null)
        });
    }
}

/// A converter as the host calls it; `failures` hears of its panics.
pub fn converter(
    converter: Box<dyn Converter>,
    failures: traits::ConverterOutput,
) -> traits::Converter {
    let served = ServedConverter {
        converter: Contained::new(converter),
        failures,
    };
    AbiConverter_TO::from_ptr(RArc::new(served), TD_Opaque)
}

/// Another handle to the same output.
pub fn share(output: &traits::ConverterOutput) -> traits::ConverterOutput {
    AbiConverterOutput_TO::from_sabi(output.obj.shallow_clone())
}

struct ServedConverter {
    converter: Contained<Box<dyn Converter>>,
    /// Where the host hears of panics.
    failures: traits::ConverterOutput,
}

impl ServedConverter {
    fn run(&self, place: &str, body: impl FnOnce(&dyn Converter)) {
        let Some(converter) = self.converter.get() else {
            return;
        };
        if let Err(message) = guard::contain(|| body(&**converter)) {
            self.failures
                .failed(Error::panicked(place, &message).into());
        }
    }
}

impl AbiConverter for ServedConverter {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        self.run("packets of a converter", |converter| {
            converter.packets(packets.as_slice())
        });
    }

    fn upstream(&self, message: AbiUpstream) {
        if let Some(message) = message.message() {
            self.run("upstream of a converter", |converter| {
                converter.upstream(message)
            });
        }
    }

    fn stop(&self) {
        self.run("stop of a converter", |converter| converter.stop());
    }
}

/// A source handler as the host calls it.
pub fn source_handler(
    handler: impl SourceHandler,
    context: ElementContext,
) -> traits::SourceHandler {
    struct Adapter<T>(Contained<T>, ElementContext);
    impl<T: SourceHandler> AbiSourceHandler for Adapter<T> {
        fn upstream(&self, message: AbiUpstream) {
            if let (Some(handler), Some(message)) = (self.0.get(), message.message()) {
                contained(&self.1, "upstream", || handler.upstream(message));
            }
        }
        fn consumers(&self, count: u32) {
            if let Some(handler) = self.0.get() {
                contained(&self.1, "consumers", || handler.consumers(count));
            }
        }
    }
    let adapter = Adapter(Contained::new(handler), context);
    AbiSourceHandler_TO::from_ptr(RArc::new(adapter), TD_Opaque)
}

/// A sink handler as the host calls it.
pub fn sink_handler(handler: impl SinkHandler, context: ElementContext) -> traits::SinkHandler {
    struct Adapter<T>(Contained<T>, ElementContext);
    impl<T: SinkHandler> AbiSinkHandler for Adapter<T> {
        fn packets(&self, packets: RSlice<'_, Packet>) {
            if let Some(handler) = self.0.get() {
                contained(&self.1, "packets", || handler.packets(packets.as_slice()));
            }
        }
        fn format(&self, format: u32) {
            if let Some(handler) = self.0.get() {
                contained(&self.1, "format", || {
                    handler.format((format != 0).then_some(format))
                });
            }
        }
    }
    let adapter = Adapter(Contained::new(handler), context);
    AbiSinkHandler_TO::from_ptr(RArc::new(adapter), TD_Opaque)
}

/// A sink group as the host calls it.
pub fn sink_group(group: impl SinkGroup) -> traits::SinkGroup {
    struct Adapter<T>(Contained<T>);
    impl<T: SinkGroup> AbiSinkGroup for Adapter<T> {
        fn id(&self) -> u64 {
            std::ptr::from_ref(self).addr() as u64
        }
        fn push_batch(&self, packets: RSlice<'_, Packet>, sinks: RSlice<'_, SinkSelection>) {
            if let Some(group) = self.0.get() {
                log_panic("push_batch", || {
                    group.push_batch(packets.as_slice(), sinks.as_slice());
                });
            }
        }
    }
    AbiSinkGroup_TO::from_ptr(RArc::new(Adapter(Contained::new(group))), TD_Opaque)
}

fn contained(context: &ElementContext, place: &str, body: impl FnOnce()) {
    if let Err(message) = guard::contain(body) {
        context.panicked(place, &message);
    }
}

fn log_panic(place: &str, body: impl FnOnce()) {
    supervise::contained(place, body);
}

fn json(text: RStr<'_>) -> Result<Value> {
    serde_json::from_str(text.as_str()).map_err(|error| {
        Error::marshall(format!(
            "the host sent parameters that are no JSON: {error}"
        ))
    })
}

/// A result for the other side of the boundary.
pub fn result<T>(result: Result<T>) -> RResult<T, AbiError> {
    match result {
        Ok(value) => RResult::ROk(value),
        Err(error) => RResult::RErr(error.into()),
    }
}
