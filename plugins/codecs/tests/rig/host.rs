//! The services of a host that the converters use.

use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use rivero_codecs::conversions;
use rivero_plugin_api::abi::abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, ROption, RResult, RStr, RString},
};
use rivero_plugin_api::abi::bytes::BytesMut;
use rivero_plugin_api::abi::module;
use rivero_plugin_api::abi::traits::{self, AbiHost, AbiHost_TO, Timer};
use rivero_plugin_api::abi::types::AbiFormat;
use rivero_plugin_api::{Format, Module};

static FORMATS: Mutex<Vec<Option<Format>>> = Mutex::new(Vec::new());
static MODULE: OnceLock<traits::Module> = OnceLock::new();

/// The module, started.
pub fn module() -> &'static traits::Module {
    MODULE.get_or_init(|| {
        let host = AbiHost_TO::from_ptr(RArc::new(Services(Instant::now())), TD_Opaque);
        let definition = || Module {
            classes: Vec::new(),
            converters: conversions::all(),
        };
        match module::start(host, definition) {
            RResult::ROk(module) => module,
            RResult::RErr(error) => panic!("{error:?}"),
        }
    })
}

pub fn format_id(format: &Format) -> u32 {
    let mut formats = FORMATS.lock().unwrap();
    let index = formats
        .iter()
        .position(|known| known.as_ref() == Some(format))
        .unwrap_or_else(|| {
            formats.push(Some(format.clone()));
            formats.len() - 1
        });
    u32::try_from(index + 1).unwrap()
}

pub fn format(id: u32) -> Option<Format> {
    let index = usize::try_from(id).unwrap().checked_sub(1)?;
    FORMATS.lock().unwrap().get(index).cloned().flatten()
}

/// Forgets a format, as the host does with sizes that nobody has asked for in a while.
pub fn forget_format(id: u32) {
    let index = usize::try_from(id).unwrap() - 1;
    FORMATS.lock().unwrap()[index] = None;
}

struct Services(Instant);

impl AbiHost for Services {
    fn log(&self, level: u8, target: RStr<'_>, message: RStr<'_>, fields: RStr<'_>) {
        eprintln!("{level} {target}: {message} {fields}");
    }

    fn log_level(&self) -> u8 {
        3
    }

    fn configuration(&self, _: RStr<'_>) -> RString {
        "{}".into()
    }

    fn data_directory(&self) -> RString {
        RString::new()
    }

    fn now(&self) -> i64 {
        i64::try_from(self.0.elapsed().as_nanos()).unwrap()
    }

    fn format_id(&self, format: &AbiFormat) -> u32 {
        format_id(&format.clone().into())
    }

    fn format(&self, id: u32) -> ROption<AbiFormat> {
        format(id).as_ref().map(AbiFormat::from).into()
    }

    fn start_timer(&self, delay: u64, timer: Timer) -> u64 {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_nanos(delay));
            timer.fire();
        });
        0
    }

    fn cancel_timer(&self, _: u64) {}

    fn metric(&self, _: u8, _: RStr<'_>, _: RStr<'_>, _: f64) {}

    fn allocate(&self, length: usize) -> BytesMut {
        BytesMut::new(length)
    }
}
