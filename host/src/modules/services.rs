//! What the host does for modules.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, ROption, RStr, RString},
};
use arc_swap::ArcSwap;
use rivero_idl::Model;
use rivero_media::{Owner, Plane, Timers};
use rivero_plugin_api::{
    BytesMut,
    abi::{
        traits::{AbiHost, AbiHost_TO, Host, Timer},
        types::AbiFormat,
    },
    supervise,
};
use serde_json::Value;
use tracing::level_filters::LevelFilter;

use super::{
    Discovery,
    callee::{Counts, Threads},
    generation::{Generation, Generations, Origin, Retired},
    held,
    isolation::{self, Isolated, Isolation},
    loader::{Library, PrivateCopy},
    metrics::Metrics,
    overdue::{self, Manner},
};
use crate::observe::log_levels;
use crate::observe::metrics::{Family, Kind, Labels};

/// Shared by all modules of a server, whichever there are.
pub(super) struct Services {
    data_directory: String,
    plane: Arc<Plane>,
    /// Apart from those of the media plane: a module's action may be slow.
    timers: Timers,
    metrics: Metrics,
    counts: Arc<Counts>,
    retired: Arc<Retired>,
    isolated: Isolated,
    /// What classes are told. Replaced as a whole when the configuration is read again, or the
    /// files of modules change.
    configuration: ArcSwap<Value>,
    /// This program, which the processes of modules run.
    program: PathBuf,
}

/// What modules are loaded into: the services, and what the files of a moment brought about.
pub(super) struct Environment {
    services: Arc<Services>,
    model: Arc<Model>,
}

impl Environment {
    pub(super) fn new(services: &Arc<Services>, model: &Arc<Model>) -> Arc<Self> {
        Arc::new(Self {
            services: services.clone(),
            model: model.clone(),
        })
    }

    pub(super) fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// How a file's module is isolated, if it is, and the program that serves it then.
    pub(super) fn isolation(
        &self,
        file: &Path,
        copy: &PrivateCopy,
    ) -> Option<(Isolation, PathBuf)> {
        let isolation = isolation::of(&self.services.isolated, file, copy)?;
        Some((isolation, self.services.program.clone()))
    }

    /// A library that was opened here, or by another process, of a module that is told a namespace and whose pads take media
    /// inline or not.
    pub(super) fn generation(
        &self,
        origin: Origin,
        (namespace, inline): (&str, bool),
        library: Option<Library>,
    ) -> Arc<Generation> {
        let told = (namespace.to_owned(), self.model.clone());
        let Services {
            plane,
            counts,
            retired,
            ..
        } = &*self.services;
        let threads = Threads::new(&origin.file, inline, plane, counts);
        Generation::new(origin, told, library, threads, retired)
    }
}

impl Services {
    pub(super) fn start(discovery: &Discovery, plane: &Arc<Plane>) -> std::io::Result<Self> {
        let this_program = || PathBuf::from("/proc/self/exe");
        overdue::watch()?;
        Ok(Self {
            data_directory: discovery.data_directory.display().to_string(),
            plane: plane.clone(),
            timers: Timers::start("module-timers")?,
            metrics: Metrics::default(),
            counts: Arc::default(),
            retired: Arc::default(),
            isolated: discovery.isolated.clone(),
            configuration: ArcSwap::default(),
            program: discovery.prober.clone().unwrap_or_else(this_program),
        })
    }

    /// What classes are told from now on.
    pub(super) fn configure(&self, configuration: &Arc<Value>) {
        self.configuration.store(configuration.clone());
    }

    /// What the modules measure, and how many of their libraries there are.
    pub(super) fn metrics(&self) -> Vec<Family> {
        let mut families = self.metrics.families();
        families.extend(self.counts.families());
        families.extend(generation_families(&self.retired.generations()));
        families
    }

    /// Ends the series of what is gone; `lives` knows objects by their ids.
    pub(super) fn tidy_metrics(&self, lives: &dyn Fn(&str) -> bool) {
        self.metrics.tidy(lives);
    }

    /// Where modules may write.
    pub(super) fn data_directory(&self) -> &str {
        &self.data_directory
    }

    /// Libraries of no use any more.
    pub(super) fn retired(&self) -> &Retired {
        &self.retired
    }

    /// The services as one module sees them.
    pub(super) fn for_module(self: &Arc<Self>, generation: &Arc<Generation>) -> Host {
        let services = ModuleServices {
            services: self.clone(),
            namespace: generation.namespace.clone(),
            file: generation.threads().module().clone(),
            generation: Arc::downgrade(generation),
        };
        AbiHost_TO::from_ptr(RArc::new(services), TD_Opaque)
    }
}

fn generation_families(generations: &Generations) -> [Family; 3] {
    let Generations {
        in_use,
        waiting,
        pinned,
        pinned_bytes,
        closed,
    } = *generations;
    let help = "Loaded libraries of modules: in use, of no use any more and about to be closed, or kept mapped.";
    let mut count = Family::new("module_generations", Kind::Gauge, help);
    for (state, value) in [("in_use", in_use), ("waiting", waiting), ("pinned", pinned)] {
        count.add(Labels::one("state", state), value as f64);
    }
    let bytes = Family::of(
        "module_generations_pinned_bytes",
        Kind::Gauge,
        "Bytes of addresses of libraries that are of no use any more and kept mapped.",
        pinned_bytes as f64,
    );
    let closed = Family::of(
        "module_generations_closed",
        Kind::Counter,
        "Libraries of modules that were unmapped.",
        closed as f64,
    );
    [count, bytes, closed]
}

/// A module keeps this for as long as its library is mapped, in a place where nothing is ever let
/// go of: so it holds nothing of its own generation.
struct ModuleServices {
    services: Arc<Services>,
    namespace: String,
    /// The name of its file, without the ending.
    file: Arc<str>,
    generation: Weak<Generation>,
}

/// A level as modules count them.
fn level_number(level: LevelFilter) -> u8 {
    match level {
        LevelFilter::OFF => 0,
        LevelFilter::ERROR => 1,
        LevelFilter::WARN => 2,
        LevelFilter::INFO => 3,
        LevelFilter::DEBUG => 4,
        LevelFilter::TRACE => 5,
    }
}

/// What a class is told of the configuration, for a module of this namespace. A module may serve
/// classes of several namespaces, and read what those of others are told: `UriEndpoint`, say.
fn configured(model: &Model, configuration: &Value, namespace: &str, class: &str) -> String {
    let known = model.class(class);
    let namespace = known.map_or(namespace, |class| &class.namespace);
    let settings = configuration
        .get(namespace)
        .and_then(|tree| tree.get(class));
    settings.map_or_else(|| "{}".to_owned(), Value::to_string)
}

/// A panic of ours must not cross into the module.
fn contained<T: Default>(body: impl FnOnce() -> T) -> T {
    supervise::contained("a service of the host", body).unwrap_or_default()
}

impl AbiHost for ModuleServices {
    fn log(&self, level: u8, target: RStr<'_>, message: RStr<'_>, fields: RStr<'_>) {
        contained(|| {
            // Most modules ask before; a library of theirs may not.
            if level.clamp(1, 5) > level_number(log_levels::of_module(&self.file)) {
                return;
            }
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
        level_number(log_levels::of_module(&self.file))
    }

    fn configuration(&self, class: RStr<'_>) -> RString {
        contained(|| {
            let Some(generation) = self.generation.upgrade() else {
                return "{}".into();
            };
            let (model, configuration) = (&generation.model, self.services.configuration.load());
            configured(model, &configuration, &self.namespace, class.as_str()).into()
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
            // A thread that is left over of a module that is gone has nowhere to push to.
            let generation = self.generation.upgrade();
            generation.map_or(0, |generation| {
                generation.formats.number(known, format.clone().into())
            })
        })
    }

    fn format(&self, id: u32) -> ROption<AbiFormat> {
        contained(|| self.services.plane.formats().get(id)).map_or(ROption::RNone, |format| {
            ROption::RSome(AbiFormat::from(&*format))
        })
    }

    fn start_timer(&self, delay: u64, timer: Timer) -> u64 {
        contained(|| {
            let Some(generation) = self.generation.upgrade() else {
                return 0;
            };
            let timer = held::timer(timer, &generation);
            drop(generation);
            let delay = Duration::from_nanos(delay);
            self.services.timers.after(delay, move || {
                let callee = timer.callee().clone();
                let fire = move || {
                    timer.call("a timer", Manner::Prompt, |timer| timer.fire());
                };
                callee.run(Box::new(fire), None);
            })
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
            // A thread that is left over of a library that is gone has nothing to measure.
            let Some(generation) = self.generation.upgrade() else {
                return;
            };
            let from = (self.namespace.as_str(), &generation.alive);
            let metrics = &self.services.metrics;
            let codec = |name: &str| self.services.plane.codec_name(name);
            let named = (name.as_str(), labels.as_str());
            metrics.record(from, kind, named, value, codec);
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
        let model = Model::with_standard(vec![own]).unwrap();
        let configuration = json!({
            "kurento": {"WebRtcEndpoint": {"a": 1}, "Third": {"a": 2}},
            "third": {"WebRtcEndpoint": {"a": 3}, "Third": {"a": 4}, "Unknown": {"a": 5}},
        });
        for namespace in ["kurento", "third"] {
            let of = |class: &str| configured(&model, &configuration, namespace, class);
            assert_eq!(of("WebRtcEndpoint"), r#"{"a":1}"#);
            assert_eq!(of("Third"), r#"{"a":4}"#);
        }
        let unknown = configured(&model, &configuration, "third", "Unknown");
        assert_eq!(unknown, r#"{"a":5}"#);
    }
}
