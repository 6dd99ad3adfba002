//! `tracing` of a module, and `log` of the libraries it uses, go to the host's subscriber.
//!
//! Every cdylib has its own dispatcher, so each installs this one at its start.

use std::fmt::{Debug, Write};

use ::log::{LevelFilter, Log};
use serde_json::{Map, Value};
use tracing_core::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::host::{Host, host};

struct HostLog;

/// Sends logs and panics of this cdylib to the host.
pub(crate) fn install() {
    let dispatch = tracing_core::Dispatch::new(HostLog);
    // A second start of the same library finds the first one's dispatcher.
    let _ = tracing_core::dispatcher::set_global_default(dispatch);
    if ::log::set_logger(&HostLog).is_ok() {
        ::log::set_max_level(LevelFilter::Trace);
    }
    std::panic::set_hook(Box::new(|panic| {
        if let Some(host) = host() {
            host.log(1, "panic", &panic.to_string(), "{}");
        }
    }));
}

/// What libraries say of themselves is detail here: only their errors keep their level.
fn level_of(level: ::log::Level) -> u8 {
    match level {
        ::log::Level::Error => 1,
        ::log::Level::Warn | ::log::Level::Info | ::log::Level::Debug => 4,
        ::log::Level::Trace => 5,
    }
}

impl Log for HostLog {
    fn enabled(&self, metadata: &::log::Metadata<'_>) -> bool {
        host().is_some_and(|host| level_of(metadata.level()) <= host.log_level())
    }

    fn log(&self, record: &::log::Record<'_>) {
        if let Some(host) = host().filter(|_| Log::enabled(self, record.metadata())) {
            let level = level_of(record.level());
            host.log(level, record.target(), &record.args().to_string(), "{}");
        }
    }

    fn flush(&self) {}
}

fn number(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Subscriber for HostLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        host().is_some_and(|host| number(metadata.level()) <= host.log_level())
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut record = Record::default();
        event.record(&mut record);
        if let Some(host) = host() {
            send(host, event.metadata(), record);
        }
    }
}

fn send(host: &Host, metadata: &Metadata<'_>, record: Record) {
    let fields = Value::Object(record.fields).to_string();
    host.log(
        number(metadata.level()),
        metadata.target(),
        &record.message,
        &fields,
    );
}

#[derive(Default)]
struct Record {
    message: String,
    fields: Map<String, Value>,
}

impl Visit for Record {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.fields.insert(field.name().to_owned(), value.into());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        if write!(text, "{value:?}").is_ok() {
            self.record_str(field, &text);
        }
    }
}
