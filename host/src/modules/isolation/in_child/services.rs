//! The server's services, as the module has them in its own process.

use std::{
    collections::HashMap,
    fmt, io,
    sync::Arc,
    time::{Duration, Instant},
};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, ROption, RStr, RString},
};
use parking_lot::Mutex;
use rivero_media::Timers;
use rivero_plugin_api::{
    BytesMut,
    abi::{
        traits::{AbiHost, AbiHost_TO, Host, Timer},
        types::AbiFormat,
    },
};

use super::{
    super::wire::{Answer, Format, Question, ToHost},
    channel::Channel,
};
use crate::{
    lanes::Lane,
    modules::overdue::{self, Called, Manner, Name},
};

/// What the server said of a format is good for so long: it forgets those that nobody has or asks for.
const FRESH: Duration = Duration::from_secs(1);
/// Formats that are kept here.
const FORMATS: usize = 256;

/// What the server does for the module.
pub(super) fn host(channel: &Arc<Channel>, lane: Lane) -> io::Result<Host> {
    let services = Services {
        channel: channel.clone(),
        timers: Timers::start("timers")?,
        lane,
        numbers: Mutex::default(),
        formats: Mutex::default(),
    };
    Ok(AbiHost_TO::from_ptr(RArc::new(services), TD_Opaque))
}

struct Services {
    channel: Arc<Channel>,
    timers: Timers,
    lane: Lane,
    numbers: Mutex<HashMap<Format, (u32, Instant)>>,
    formats: Mutex<HashMap<u32, (Format, Instant)>>,
}

/// Keeps what the server said.
fn keep<K: std::hash::Hash + Eq, V>(known: &Mutex<HashMap<K, (V, Instant)>>, key: K, value: V) {
    let mut known = known.lock();
    if known.len() >= FORMATS {
        known.clear();
    }
    known.insert(key, (value, Instant::now()));
}

fn kept<K: std::hash::Hash + Eq, V: Clone>(
    known: &Mutex<HashMap<K, (V, Instant)>>,
    key: &K,
) -> Option<V> {
    let known = known.lock();
    let (value, since) = known.get(key)?;
    (since.elapsed() < FRESH).then(|| value.clone())
}

impl AbiHost for Services {
    fn log(&self, level: u8, target: RStr<'_>, message: RStr<'_>, fields: RStr<'_>) {
        self.channel.say(ToHost::Log {
            level,
            target: target.into(),
            message: message.into(),
            fields: fields.into(),
        });
    }

    fn log_level(&self) -> u8 {
        self.channel.log_level()
    }

    fn configuration(&self, class: RStr<'_>) -> RString {
        let class = class.into();
        match self.channel.ask(Question::Configuration { class }) {
            Ok(Answer::Text(Some(text))) => text.into(),
            _ => "{}".into(),
        }
    }

    fn data_directory(&self) -> RString {
        self.channel.data_directory().into()
    }

    fn now(&self) -> i64 {
        self.channel.now()
    }

    fn format_id(&self, format: &AbiFormat) -> u32 {
        let format = Format::from(format);
        if let Some(number) = kept(&self.numbers, &format) {
            return number;
        }
        match self.channel.ask(Question::FormatId(format.clone())) {
            Ok(Answer::Number(number)) => {
                let number = u32::try_from(number).unwrap_or(0);
                keep(&self.numbers, format, number);
                number
            }
            _ => 0,
        }
    }

    fn format(&self, id: u32) -> ROption<AbiFormat> {
        if let Some(format) = kept(&self.formats, &id) {
            return ROption::RSome(format.into());
        }
        match self.channel.ask(Question::Format(id)) {
            Ok(Answer::Format(Some(format))) => {
                keep(&self.formats, id, format.clone());
                ROption::RSome(format.into())
            }
            _ => ROption::RNone,
        }
    }

    fn start_timer(&self, delay: u64, timer: Timer) -> u64 {
        let (lane, channel) = (self.lane.clone(), self.channel.clone());
        self.timers.after(Duration::from_nanos(delay), move || {
            lane.run(move || {
                watched(&channel, "a timer", move || {
                    timer.fire();
                    drop(timer);
                });
            });
        })
    }

    fn cancel_timer(&self, timer: u64) {
        self.timers.cancel(timer);
    }

    fn metric(&self, kind: u8, name: RStr<'_>, labels: RStr<'_>, value: f64) {
        self.channel.say(ToHost::Metric {
            kind,
            name: name.into(),
            labels: labels.into(),
            value,
        });
    }

    fn allocate(&self, length: usize) -> BytesMut {
        BytesMut::recycled(length)
    }
}

/// Code of the module that the server did not call: nobody there waits for its return.
struct Own(Arc<Channel>);

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the module")
    }
}

impl Called for Own {
    fn check(&self, _: Manner) {}

    fn on_overdue(&self, name: &Name, _: Manner, _: &str) {
        self.0.say(ToHost::Hangs(name.to_string()));
    }

    fn on_return(&self, _: &Name, _: Manner, _: Duration) {}

    fn on_slow_burst(&self, _: &Name, _: Duration) {}
}

/// Runs code of the module that has to return at once; the server is told where it does not.
pub(super) fn watched(channel: &Arc<Channel>, name: &'static str, body: impl FnOnce()) {
    let own = Arc::new(Own(channel.clone()));
    overdue::call(&own, name, Manner::Prompt, body);
}
