//! What the host does for modules.

use std::{sync::Arc, time::Duration};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, ROption, RStr, RString},
};
use rivero_idl::Model;
use rivero_media::{Plane, RecentFormats, Timers};
use rivero_plugin_api::{
    BytesMut,
    abi::{
        traits::{AbiHost, AbiHost_TO, Host, Timer},
        types::AbiFormat,
    },
    supervise,
};
use serde_json::Value;

use super::{Discovery, metrics::Metrics};
use crate::observe::metrics::{Family, Kind};

/// Shared by all modules of a server.
pub(super) struct Services {
    configuration: Arc<Value>,
    model: Arc<Model>,
    data_directory: String,
    plane: Arc<Plane>,
    /// Apart from those of the media plane: a module's action may be slow.
    timers: Timers,
    metrics: Metrics,
}

impl Services {
    pub(super) fn start(
        discovery: Discovery,
        model: &Arc<Model>,
        plane: &Arc<Plane>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            configuration: discovery.configuration,
            model: model.clone(),
            data_directory: discovery.data_directory.display().to_string(),
            plane: plane.clone(),
            timers: Timers::start("module-timers")?,
            metrics: Metrics::default(),
        })
    }

    /// What the modules measure.
    pub(super) fn metrics(&self) -> Vec<Family> {
        self.metrics.families()
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
            // A module may serve classes of several namespaces, and read what those of others
            // are told: `UriEndpoint`, say.
            let known = self.services.model.class(class.as_str());
            let namespace = known.map_or(&self.namespace, |class| &class.namespace);
            let tree = self.services.configuration.get(namespace);
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

#[cfg(test)]
mod tests {
    use rivero_idl::Descriptor;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_class_is_configured_in_its_own_namespace() {
        let own = r#"{"name": "third", "version": "1.0.0", "kurentoVersion": "7.3.0", "remoteClasses": [
            {"name": "Third", "doc": "", "extends": "Filter", "constructor": {"doc": "", "params": []}}
        ]}"#;
        let own = Descriptor::parse("third.kmd.json", own).unwrap();
        let model = Arc::new(Model::with_standard(vec![own]).unwrap());
        let discovery = Discovery {
            directories: Vec::new(),
            configuration: Arc::new(json!({
                "kurento": {"WebRtcEndpoint": {"a": 1}, "Third": {"a": 2}},
                "third": {"WebRtcEndpoint": {"a": 3}, "Third": {"a": 4}, "Unknown": {"a": 5}},
            })),
            configuration_directory: None,
            data_directory: "/nowhere".into(),
            prober: None,
        };
        let plane = Plane::start().unwrap();
        let services = Arc::new(Services::start(discovery, &model, &plane).unwrap());
        for namespace in ["kurento", "third"] {
            let host = services.for_module(namespace);
            let of = |class: &str| host.configuration(class.into()).to_string();
            assert_eq!(of("WebRtcEndpoint"), r#"{"a":1}"#);
            assert_eq!(of("Third"), r#"{"a":4}"#);
        }
        let unknown = services.for_module("third").configuration("Unknown".into());
        assert_eq!(unknown.as_str(), r#"{"a":5}"#);
    }
}
