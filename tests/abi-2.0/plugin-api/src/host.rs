//! Services of the host.

use std::sync::{Arc, OnceLock};

use abi_stable::std_types::ROption;
use serde::de::DeserializeOwned;

use crate::{
    BytesMut, Error, Format, Result,
    abi::{traits, types::AbiFormat},
};

static HOST: OnceLock<Host> = OnceLock::new();

/// The server that loaded this module.
#[derive(Clone)]
pub struct Host(Arc<traits::Host>);

/// The host. Outside of a server (a unit test) there is none.
pub fn host() -> Option<&'static Host> {
    HOST.get()
}

impl Host {
    pub(crate) fn install(host: traits::Host) -> &'static Host {
        HOST.get_or_init(|| Host(Arc::new(host)))
    }

    pub(crate) fn services(&self) -> &traits::Host {
        &self.0
    }

    /// The clock of all pipelines: ns, monotonic, the same in every module.
    pub fn now(&self) -> i64 {
        self.0.now()
    }

    /// The configuration of a class, `modules.<module>.<Class>`, as `T`.
    ///
    /// # Errors
    /// 40003 with the offending key when it does not fit.
    pub fn configuration<T: DeserializeOwned>(&self, class: &str) -> Result<T> {
        serde_json::from_str(&self.0.configuration(class.into())).map_err(|error| {
            Error::unexpected(format!(
                "the configuration of {class} does not fit: {error}"
            ))
        })
    }

    /// A directory where the server may write.
    pub fn data_directory(&self) -> std::path::PathBuf {
        self.0.data_directory().as_str().into()
    }

    /// The number of a format; equal formats have the same one. It means the format as long as a
    /// pad has it or accepts it, and until this module has asked for 4,096 others. So what makes
    /// packets in formats that follow from what others send, as raw pictures of any size, asks
    /// again for each packet. 0 when the format's texts have more than 64 KiB.
    pub fn format_id(&self, format: &Format) -> u32 {
        self.0.format_id(&AbiFormat::from(format))
    }

    /// The format behind a number.
    pub fn format(&self, id: u32) -> Option<Format> {
        match self.0.format(id) {
            ROption::RSome(format) => Some(format.into()),
            ROption::RNone => None,
        }
    }

    /// Adds to a counter of `/metrics`. `labels`: JSON object of strings.
    pub fn count(&self, name: &str, labels: &serde_json::Value, amount: f64) {
        self.0
            .metric(0, name.into(), labels.to_string().as_str().into(), amount);
    }

    /// Sets a gauge of `/metrics`.
    pub fn gauge(&self, name: &str, labels: &serde_json::Value, value: f64) {
        self.0
            .metric(1, name.into(), labels.to_string().as_str().into(), value);
    }

    /// A buffer to be filled as a whole and shared. What is in it is unspecified: large ones are
    /// used again, and zeroing them would cost more than filling them.
    ///
    /// # Panics
    /// When nothing can be as long, as [`Vec::with_capacity`] does.
    pub fn buffer(&self, length: usize) -> BytesMut {
        BytesMut::check_length(length);
        self.0.allocate(length)
    }

    pub(crate) fn log(&self, level: u8, target: &str, message: &str, fields: &str) {
        self.0
            .log(level, target.into(), message.into(), fields.into());
    }

    pub(crate) fn log_level(&self) -> u8 {
        self.0.log_level()
    }
}
