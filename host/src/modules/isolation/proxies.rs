//! What the server has of a module in another process: each call of these is a message.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, RResult, RSlice, RStr, RString},
};
use rivero_plugin_api::{
    Packet,
    abi::{
        traits::{
            AbiConverter, AbiConverter_TO, AbiObject, AbiObject_TO, AbiSinkHandler,
            AbiSinkHandler_TO, AbiSourceHandler, AbiSourceHandler_TO, Converter, ConverterOutput,
            ElementHost, Object, Responder, SinkHandler, SourceHandler,
        },
        types::{AbiError, AbiUpstream},
    },
};

use super::{
    link::{Link, Outcome, PATIENT, PROMPT, RELEASE},
    pool::Child,
    wire::{Call, Element, Remains},
};

fn unit(outcome: Outcome) -> RResult<(), AbiError> {
    match outcome {
        Ok(_) => RResult::ROk(()),
        Err(error) => RResult::RErr(error),
    }
}

/// Enters the connection of an object, or of a port, and says how the child is to know it.
fn element(link: &Link, host: ElementHost) -> Result<Element, AbiError> {
    let (id, pipeline) = (host.id().into(), host.pipeline().into());
    Ok(Element {
        number: link.add_element(host)?,
        id,
        pipeline,
    })
}

/// An object that lives in a child, which it keeps.
struct RemoteObject {
    child: Arc<Child>,
    number: u64,
}

/// Makes an object in a child.
pub(super) fn create(
    child: &Arc<Child>,
    class: &str,
    host: ElementHost,
    parameters: &str,
) -> Result<Object, AbiError> {
    let link = child.link();
    let element = element(link, host)?;
    let (object, connection) = (link.number(), element.number);
    let call = Call::Create {
        object,
        element,
        class: class.to_owned(),
        parameters: parameters.to_owned(),
    };
    // It tells of itself when it is dropped, whether it came to be or not.
    let remote = RemoteObject {
        child: child.clone(),
        number: object,
    };
    match link.call("the constructor", call, PATIENT) {
        Ok(_) => Ok(AbiObject_TO::from_ptr(RArc::new(remote), TD_Opaque)),
        Err(error) => {
            link.drop_element(connection);
            Err(error)
        }
    }
}

impl RemoteObject {
    fn link(&self) -> &Arc<Link> {
        self.child.link()
    }

    /// Makes a call that is answered by a responder.
    fn answered(
        &self,
        name: &str,
        responder: Responder,
        patience: std::time::Duration,
        call: impl FnOnce(u64) -> Call,
    ) {
        let link = self.link();
        let number = match link.add_responder(responder) {
            Ok(number) => number,
            Err(responder) => return responder.reply(RResult::RErr(link.ended())),
        };
        if let Err(error) = link.call(name, call(number), patience)
            && let Some(responder) = link.take_responder(number)
        {
            responder.reply(RResult::RErr(error));
        }
    }
}

impl AbiObject for RemoteObject {
    fn invoke(&self, operation: RStr<'_>, parameters: RStr<'_>, responder: Responder) {
        let (name, parameters) = (operation.to_string(), parameters.to_string());
        self.answered(operation.as_str(), responder, PATIENT, |responder| {
            Call::Invoke {
                object: self.number,
                operation: name,
                parameters,
                responder,
            }
        });
    }

    fn stats(&self, kind: u8) -> RResult<RString, AbiError> {
        let object = self.number;
        let outcome = { self.link() }.call("stats", Call::Stats { object, kind }, PATIENT);
        outcome.map(RString::from).into()
    }

    fn port_added(&self, port: RStr<'_>, host: ElementHost) -> RResult<(), AbiError> {
        let link = self.link();
        let element = match element(link, host) {
            Ok(element) => element,
            Err(error) => return RResult::RErr(error),
        };
        let connection = element.number;
        let call = Call::PortAdded {
            object: self.number,
            port: port.to_string(),
            element,
        };
        let added = link.call("port_added", call, PATIENT);
        if added.is_err() {
            link.drop_element(connection);
        }
        unit(added)
    }

    fn port_removed(&self, port: RStr<'_>) {
        let call = Call::PortRemoved {
            object: self.number,
            port: port.to_string(),
        };
        // Nobody could do anything about it.
        let _ = self.link().call("port_removed", call, PATIENT);
    }

    fn release(&self, released: Responder) {
        let object = self.number;
        self.answered("release", released, RELEASE, |responder| Call::Release {
            object,
            responder,
        });
    }
}

impl Drop for RemoteObject {
    fn drop(&mut self) {
        self.link().let_go(Remains::Object(self.number));
    }
}

/// A handler of a pad, which the child's objects keep alive.
struct RemoteHandler {
    link: Arc<Link>,
    number: u64,
    /// Packets were lost, and those up to the next keyframe are of no use.
    waits: AtomicBool,
}

impl RemoteHandler {
    fn new(link: &Arc<Link>, number: u64) -> Self {
        Self {
            link: link.clone(),
            number,
            waits: AtomicBool::new(false),
        }
    }

    /// Calls it; what comes of that, nobody could do anything about.
    fn call(&self, name: &str, call: Call) {
        let _ = self.link.call(name, call, PROMPT);
    }
}

impl Drop for RemoteHandler {
    fn drop(&mut self) {
        self.link.let_go(Remains::Handler(self.number));
    }
}

impl AbiSourceHandler for RemoteHandler {
    fn upstream(&self, message: AbiUpstream) {
        let call = Call::Upstream {
            handler: self.number,
            message: message.into(),
        };
        self.call("upstream", call);
    }

    fn consumers(&self, count: u32) {
        let handler = self.number;
        self.call("consumers", Call::Consumers { handler, count });
    }
}

pub(super) fn source_handler(link: &Arc<Link>, number: u64) -> SourceHandler {
    let handler = RemoteHandler::new(link, number);
    AbiSourceHandler_TO::from_ptr(RArc::new(handler), TD_Opaque)
}

impl AbiSinkHandler for RemoteHandler {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        let handler = self.number;
        let packets = packets.as_slice();
        let begin = match self.waits.load(Relaxed) {
            false => Some(0),
            true => packets.iter().position(Packet::is_keyframe),
        };
        let (lost, rest) = packets.split_at(begin.unwrap_or(packets.len()));
        if !lost.is_empty() {
            self.link.count_lost(lost.len());
        }
        if rest.is_empty() {
            return;
        }
        let taken = self
            .link
            .hand_over("packets", rest, PROMPT, |burst| Call::Packets {
                handler,
                burst,
            });
        // Of one pad only one thread hands packets over at a time.
        self.waits.store(taken.is_err(), Relaxed);
    }

    fn format(&self, format: u32) {
        let handler = self.number;
        self.call("format", Call::Format { handler, format });
    }
}

pub(super) fn sink_handler(link: &Arc<Link>, number: u64) -> SinkHandler {
    let handler = RemoteHandler::new(link, number);
    AbiSinkHandler_TO::from_ptr(RArc::new(handler), TD_Opaque)
}

/// A converter that works in a child, which it keeps.
struct RemoteConverter {
    child: Arc<Child>,
    number: u64,
}

/// Makes a converter in a child.
pub(super) fn create_converter(
    child: &Arc<Child>,
    conversion: u32,
    formats: (u32, u32),
    settings: &str,
    output: ConverterOutput,
) -> Result<Converter, AbiError> {
    let link = child.link();
    let number = link.add_output(output)?;
    let remote = RemoteConverter {
        child: child.clone(),
        number,
    };
    let call = Call::CreateConverter {
        converter: number,
        conversion,
        formats,
        settings: settings.to_owned(),
    };
    link.call("the constructor of a converter", call, PATIENT)?;
    Ok(AbiConverter_TO::from_ptr(RArc::new(remote), TD_Opaque))
}

impl AbiConverter for RemoteConverter {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        let (link, converter) = (self.child.link(), self.number);
        let taken = link.hand_over(
            "packets of a converter",
            packets.as_slice(),
            PATIENT,
            |burst| Call::ConverterPackets { converter, burst },
        );
        if let Err(error) = taken
            && let Some(output) = link.output(converter)
        {
            output.failed(error);
        }
    }

    fn upstream(&self, message: AbiUpstream) {
        let call = Call::ConverterUpstream {
            converter: self.number,
            message: message.into(),
        };
        let _ = { self.child.link() }.call("upstream of a converter", call, PATIENT);
    }

    fn stop(&self) {
        let converter = self.number;
        let call = Call::ConverterStop { converter };
        let _ = { self.child.link() }.call("stop of a converter", call, PATIENT);
    }
}

impl Drop for RemoteConverter {
    fn drop(&mut self) {
        let link = self.child.link();
        link.let_go(Remains::Converter(self.number));
        link.drop_output(self.number);
    }
}
