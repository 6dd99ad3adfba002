//! What the server calls: the module's objects, handlers and converters, by their numbers.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RBox, RResult, RSlice, RString},
};
use parking_lot::Mutex;
use rivero_plugin_api::{
    Bytes, Error, Packet, SinkSelection,
    abi::{
        traits::{
            AbiResponder, AbiResponder_TO, Converter, Module, Object, Responder, SinkGroup,
            SinkHandler, SourceHandler,
        },
        types::AbiError,
    },
};

use super::{
    super::{
        packets::{Burst, Malformed},
        wire::{Call, Failure, Remains, ToHost},
    },
    channel::Channel,
    element,
    services::watched,
};

/// A handler of a pad. With a group, that is given the media, with the token.
pub(super) enum Handler {
    Source(SourceHandler),
    Sink(SinkHandler, Option<(SinkGroup, u64)>),
}

/// A call whose media was taken out of the ring.
pub(super) struct Prepared {
    call: Call,
    packets: Vec<Packet>,
}

impl Prepared {
    pub(super) fn of(
        mut call: Call,
        take: impl FnMut(usize) -> Option<Bytes>,
    ) -> Result<Self, Malformed> {
        let burst = match &mut call {
            Call::Packets { burst, .. } | Call::ConverterPackets { burst, .. } => {
                std::mem::replace(burst, Burst::of(&[]))
            }
            _ => Burst::of(&[]),
        };
        let packets = burst.packets(take)?;
        Ok(Self { call, packets })
    }
}

/// The module, and all of it that the server has a number of.
pub(super) struct Calls {
    channel: Arc<Channel>,
    module: OnceLock<Module>,
    objects: Mutex<HashMap<u64, Arc<Object>>>,
    handlers: Mutex<HashMap<u64, Arc<Handler>>>,
    converters: Mutex<HashMap<u64, Arc<Converter>>>,
}

type Outcome = Result<String, Failure>;

fn unknown() -> AbiError {
    Error::unexpected("the process of the module does not have this object").into()
}

impl Calls {
    pub(super) fn new(channel: &Arc<Channel>) -> Self {
        Self {
            channel: channel.clone(),
            module: OnceLock::new(),
            objects: Mutex::default(),
            handlers: Mutex::default(),
            converters: Mutex::default(),
        }
    }

    pub(super) fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// From now on calls are those of this module.
    pub(super) fn serve(&self, module: Module) {
        let _ = self.module.set(module);
    }

    /// Keeps a handler until the server lets go of it; its number.
    pub(super) fn keep(&self, handler: Handler) -> u64 {
        let number = self.channel.number();
        self.handlers.lock().insert(number, Arc::new(handler));
        number
    }

    pub(super) fn let_go(&self, remains: Remains) {
        watched(&self.channel, "a destructor", || match remains {
            // Taken out first: the lock is not held while code of the module runs.
            Remains::Object(number) => drop(take(&self.objects, number)),
            Remains::Handler(number) => drop(take(&self.handlers, number)),
            Remains::Converter(number) => drop(take(&self.converters, number)),
        });
    }

    fn object(&self, number: u64) -> Result<Arc<Object>, AbiError> {
        self.objects
            .lock()
            .get(&number)
            .cloned()
            .ok_or_else(unknown)
    }

    fn handler(&self, number: u64) -> Result<Arc<Handler>, AbiError> {
        self.handlers
            .lock()
            .get(&number)
            .cloned()
            .ok_or_else(unknown)
    }

    fn converter(&self, number: u64) -> Result<Arc<Converter>, AbiError> {
        self.converters
            .lock()
            .get(&number)
            .cloned()
            .ok_or_else(unknown)
    }

    fn responder(&self, number: u64) -> Responder {
        let answer = Answering {
            channel: self.channel.clone(),
            number,
            is_given: AtomicBool::new(false),
        };
        AbiResponder_TO::from_ptr(RBox::new(answer), TD_Opaque)
    }

    /// Makes a call of the server.
    pub(super) fn perform(self: &Arc<Self>, call: Prepared) -> Outcome {
        let Prepared { call, packets } = call;
        self.performed(call, &packets)
            .map(|text| text.unwrap_or_default().into_string())
            .map_err(Failure::from)
    }

    fn performed(
        self: &Arc<Self>,
        call: Call,
        packets: &[Packet],
    ) -> Result<Option<RString>, AbiError> {
        let packets = RSlice::from_slice(packets);
        match call {
            Call::Create {
                object,
                element,
                class,
                parameters,
            } => {
                let module = self.module.get().ok_or_else(unknown)?;
                let host = element::connection(self, element);
                let made = module.create(class.as_str().into(), host, parameters.as_str().into());
                let made = Arc::new(made.into_result()?);
                self.objects.lock().insert(object, made);
            }
            Call::Invoke {
                object,
                operation,
                parameters,
                responder,
            } => {
                let (object, responder) = (self.object(object)?, self.responder(responder));
                let (operation, parameters) = (operation.as_str(), parameters.as_str());
                object.invoke(operation.into(), parameters.into(), responder);
            }
            Call::Stats { object, kind } => {
                return { self.object(object)?.stats(kind) }.into_result().map(Some);
            }
            Call::PortAdded {
                object,
                port,
                element,
            } => {
                let host = element::connection(self, element);
                let added = { self.object(object)? }.port_added(port.as_str().into(), host);
                added.into_result()?;
            }
            Call::PortRemoved { object, port } => {
                self.object(object)?.port_removed(port.as_str().into());
            }
            Call::Release { object, responder } => {
                let responder = self.responder(responder);
                self.object(object)?.release(responder);
            }
            Call::Upstream { handler, message } => {
                if let Handler::Source(handler) = &*self.handler(handler)? {
                    handler.upstream(message.into());
                }
            }
            Call::Consumers { handler, count } => {
                if let Handler::Source(handler) = &*self.handler(handler)? {
                    handler.consumers(count);
                }
            }
            Call::Packets { handler, .. } => match &*self.handler(handler)? {
                Handler::Sink(handler, None) => handler.packets(packets),
                Handler::Sink(_, Some((group, token))) => {
                    let sink = SinkSelection {
                        token: *token,
                        packets: u64::MAX >> (64 - packets.len().clamp(1, 64)),
                    };
                    group.push_batch(packets, RSlice::from_slice(&[sink]));
                }
                Handler::Source(_) => {}
            },
            Call::Format { handler, format } => {
                if let Handler::Sink(handler, _) = &*self.handler(handler)? {
                    handler.format(format);
                }
            }
            Call::CreateConverter {
                converter,
                conversion,
                formats: (input, output),
                settings,
            } => {
                let module = self.module.get().ok_or_else(unknown)?;
                let sink = element::output(&self.channel, converter);
                let settings = settings.as_str().into();
                let made = module.create_converter(conversion, input, output, settings, sink);
                let made = Arc::new(made.into_result()?);
                self.converters.lock().insert(converter, made);
            }
            Call::ConverterPackets { converter, .. } => self.converter(converter)?.packets(packets),
            Call::ConverterUpstream { converter, message } => {
                self.converter(converter)?.upstream(message.into());
            }
            Call::ConverterStop { converter } => self.converter(converter)?.stop(),
        }
        Ok(None)
    }
}

fn take<T>(table: &Mutex<HashMap<u64, T>>, number: u64) -> Option<T> {
    table.lock().remove(&number)
}

/// The answer to a call, which the module may give later.
struct Answering {
    channel: Arc<Channel>,
    number: u64,
    is_given: AtomicBool,
}

impl AbiResponder for Answering {
    fn reply(&self, result: RResult<RString, AbiError>) {
        let result = match result {
            RResult::ROk(text) => Ok(text.into_string()),
            RResult::RErr(error) => Err(Failure::from(error)),
        };
        if self.is_given.swap(true, Relaxed) {
            return;
        }
        self.channel.say(ToHost::Reply {
            responder: self.number,
            result: Some(result),
        });
    }
}

/// The server is told that nobody will answer any more.
impl Drop for Answering {
    fn drop(&mut self) {
        if *self.is_given.get_mut() {
            return;
        }
        self.channel.say(ToHost::Reply {
            responder: self.number,
            result: None,
        });
    }
}
