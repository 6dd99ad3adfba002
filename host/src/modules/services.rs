//! What the host does for modules.

use std::{sync::Arc, time::Duration};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, ROption, RStr, RString},
};
use rivero_plugin_api::{
    BytesMut,
    abi::{
        traits::{AbiHost, AbiHost_TO, Host, Timer},
        types::AbiFormat,
    },
    supervise,
};
use serde_json::Value;

use super::{
    Discovery,
    metrics::{Kind, Metrics},
};
use crate::media::{Plane, RecentFormats, Timers};

/// Shared by all modules of a server.
pub(super) struct Services {
    configuration: Arc<Value>,
    data_directory: String,
    plane: Arc<Plane>,
    /// Apart from those of the media plane: a module's action may be slow.
    timers: Timers,
    metrics: Metrics,
}

impl Services {
    pub(super) fn start(discovery: Discovery, plane: &Arc<Plane>) -> std::io::Result<Self> {
        Ok(Self {
            configuration: discovery.configuration,
            data_directory: discovery.data_directory.display().to_string(),
            plane: plane.clone(),
            timers: Timers::start("module-timers")?,
            metrics: Metrics::default(),
        })
    }

    /// What the modules measure.
    pub(super) fn metrics(&self) -> String {
        self.metrics.text()
    }

    /// The services as one module sees them.
    pub(super) fn for_module(self: &Arc<Self>, namespace: &str) -> Host {
        let services = ModuleServices {
            services: self.clone(),
            namespace: namespace.to_owned(),
            formats: RecentFormats::default(),
        };
        AbiHost_TO::from_ptr(RArc::new(services), TD_Opaque)
    }
}

struct ModuleServices {
    services: Arc<Services>,
    namespace: String,
    /// Those that the module has asked for.
    formats: RecentFormats,
}

/// A panic of ours must not cross into the module.
fn contained<T: Default>(body: impl FnOnce() -> T) -> T {
    supervise::contained("a service of the host", body).unwrap_or_default()
}

impl AbiHost for ModuleServices {
    fn log(&self, level: u8, target: RStr<'_>, message: RStr<'_>, fields: RStr<'_>) {
        contained(|| {
            let (module, target) = (self.namespace.as_str(), target.as_str());
            let fields = if fields.as_str() == "{}" {
                ""
            } else {
                fields.as_str()
            };
            match level {
                0 | 1 => {
                    tracing::error!(target: "module", module, at = target, "{message} {fields}")
                }
                2 => tracing::warn!(target: "module", module, at = target, "{message} {fields}"),
                3 => tracing::info!(target: "module", module, at = target, "{message} {fields}"),
                4 => tracing::debug!(target: "module", module, at = target, "{message} {fields}"),
                _ => tracing::trace!(target: "module", module, at = target, "{message} {fields}"),
            }
        });
    }

    fn log_level(&self) -> u8 {
        use tracing::level_filters::LevelFilter;
        match LevelFilter::current() {
            LevelFilter::OFF => 0,
            LevelFilter::ERROR => 1,
            LevelFilter::WARN => 2,
            LevelFilter::INFO => 3,
            LevelFilter::DEBUG => 4,
            LevelFilter::TRACE => 5,
        }
    }

    fn configuration(&self, class: RStr<'_>) -> RString {
        contained(|| {
            let tree = self.services.configuration.get(&self.namespace);
            let settings = tree.and_then(|tree| tree.get(class.as_str()));
            settings
                .map_or_else(|| "{}".to_owned(), Value::to_string)
                .into()
        })
    }

    fn data_directory(&self) -> RString {
        contained(|| self.services.data_directory.as_str().into())
    }

    fn now(&self) -> i64 {
        contained(|| self.services.plane.now())
    }

    fn format_id(&self, format: &AbiFormat) -> u32 {
        contained(|| {
            let known = self.services.plane.formats();
            self.formats.number(known, format.clone().into())
        })
    }

    fn format(&self, id: u32) -> ROption<AbiFormat> {
        contained(|| self.services.plane.formats().get(id)).map_or(ROption::RNone, |format| {
            ROption::RSome(AbiFormat::from(&*format))
        })
    }

    fn start_timer(&self, delay: u64, timer: Timer) -> u64 {
        contained(|| {
            self.services
                .timers
                .after(Duration::from_nanos(delay), move || timer.fire())
        })
    }

    fn cancel_timer(&self, timer: u64) {
        contained(|| self.services.timers.cancel(timer));
    }

    fn metric(&self, kind: u8, name: RStr<'_>, labels: RStr<'_>, value: f64) {
        contained(|| {
            let kind = if kind == 0 {
                Kind::Counter
            } else {
                Kind::Gauge
            };
            let (module, metrics) = (&self.namespace, &self.services.metrics);
            metrics.record(module, kind, name.as_str(), labels.as_str(), value);
        });
    }

    fn allocate(&self, length: usize) -> BytesMut {
        BytesMut::recycled(length)
    }
}
