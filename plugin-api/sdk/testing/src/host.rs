//! The server as the module sees it in a test.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rivero_media::{Plane, RecentFormats};
use rivero_plugin_api::{
    BytesMut, Format,
    abi::{
        abi_stable::{
            sabi_trait::TD_Opaque,
            std_types::{RArc, ROption, RStr, RString},
        },
        module,
        traits::{AbiHost, AbiHost_TO, Host, Timer},
        types::AbiFormat,
    },
    supervise::lock,
};
use serde_json::{Map, Value};

/// The one host of the process.
pub(super) struct TestHost {
    plane: Arc<Plane>,
    formats: RecentFormats,
    now: AtomicI64,
    timers: Mutex<BTreeMap<(i64, u64), Timer>>,
    number: AtomicU64,
    settings: Mutex<BTreeMap<String, Map<String, Value>>>,
    metrics: Mutex<BTreeMap<String, f64>>,
}

/// The host, which the module under test finds as well.
pub(super) fn installed() -> Arc<TestHost> {
    static HOST: OnceLock<Arc<TestHost>> = OnceLock::new();
    let host = HOST.get_or_init(|| {
        let host = Arc::new(TestHost {
            plane: Plane::start().expect("the system gives two threads"),
            formats: RecentFormats::default(),
            now: AtomicI64::new(0),
            timers: Mutex::default(),
            number: AtomicU64::new(0),
            settings: Mutex::default(),
            metrics: Mutex::default(),
        });
        let nothing = || rivero_plugin_api::Module {
            classes: Vec::new(),
            converters: Vec::new(),
        };
        drop(module::start(services(&host), nothing));
        host
    });
    host.clone()
}

/// The host as a module is given it.
pub(super) fn services(host: &Arc<TestHost>) -> Host {
    AbiHost_TO::from_ptr(RArc::new(Services(host.clone())), TD_Opaque)
}

impl TestHost {
    pub(super) fn plane(&self) -> &Arc<Plane> {
        &self.plane
    }

    pub(super) fn number(&self, format: Format) -> u32 {
        self.formats.number(self.plane.formats(), format)
    }

    pub(super) fn format(&self, number: u32) -> Option<Format> {
        let format = self.plane.formats().get(number)?;
        Some((*format).clone())
    }

    /// A pipeline begins: nothing of the one before is left but the time.
    pub(super) fn begin(&self) {
        lock(&self.settings).clear();
        lock(&self.metrics).clear();
    }

    /// A pipeline ends.
    pub(super) fn end(&self) {
        let timers = std::mem::take(&mut *lock(&self.timers));
        drop(timers);
    }

    pub(super) fn time(&self) -> i64 {
        self.now.load(Relaxed)
    }

    pub(super) fn advance(&self, time: Duration) {
        let end = self.time().saturating_add(nanoseconds(time.as_nanos()));
        while let Some(((due, _), timer)) = self.due_before(end) {
            self.now.fetch_max(due, Relaxed);
            timer.fire();
        }
        self.now.fetch_max(end, Relaxed);
    }

    pub(super) fn timers(&self) -> usize {
        lock(&self.timers).len()
    }

    fn due_before(&self, end: i64) -> Option<((i64, u64), Timer)> {
        let mut timers = lock(&self.timers);
        let first = timers.first_entry().filter(|first| first.key().0 <= end)?;
        Some(first.remove_entry())
    }

    pub(super) fn configure(&self, class: &str, settings: Map<String, Value>) {
        lock(&self.settings).insert(class.to_owned(), settings);
    }

    pub(super) fn metric_named(&self, name: &str) -> Option<f64> {
        lock(&self.metrics).get(name).copied()
    }
}

fn nanoseconds(time: impl TryInto<i64>) -> i64 {
    time.try_into().unwrap_or(i64::MAX)
}

/// The host behind the boundary.
struct Services(Arc<TestHost>);

/// Of the log: what is less urgent is left out.
const INFO: u8 = 3;

impl AbiHost for Services {
    fn log(&self, _: u8, target: RStr<'_>, message: RStr<'_>, fields: RStr<'_>) {
        eprintln!("{target}: {message} {fields}");
    }

    fn log_level(&self) -> u8 {
        INFO
    }

    fn configuration(&self, class: RStr<'_>) -> RString {
        let settings = lock(&self.0.settings);
        let settings = settings.get(class.as_str()).cloned();
        Value::Object(settings.unwrap_or_default())
            .to_string()
            .into()
    }

    fn data_directory(&self) -> RString {
        std::env::temp_dir().to_string_lossy().as_ref().into()
    }

    fn now(&self) -> i64 {
        self.0.time()
    }

    fn format_id(&self, format: &AbiFormat) -> u32 {
        self.0.number(format.clone().into())
    }

    fn format(&self, id: u32) -> ROption<AbiFormat> {
        self.0.format(id).as_ref().map(AbiFormat::from).into()
    }

    fn start_timer(&self, delay: u64, timer: Timer) -> u64 {
        let number = self.0.number.fetch_add(1, Relaxed) + 1;
        let due = self.0.time().saturating_add(nanoseconds(delay));
        lock(&self.0.timers).insert((due, number), timer);
        number
    }

    fn cancel_timer(&self, timer: u64) {
        let mut timers = lock(&self.0.timers);
        let key = timers.keys().find(|(_, number)| *number == timer).copied();
        let cancelled = key.and_then(|key| timers.remove(&key));
        drop(timers);
        drop(cancelled);
    }

    fn metric(&self, kind: u8, name: RStr<'_>, _: RStr<'_>, value: f64) {
        let mut metrics = lock(&self.0.metrics);
        let metric = metrics.entry(name.as_str().to_owned()).or_default();
        *metric = if kind == 0 { *metric + value } else { value };
    }

    fn allocate(&self, length: usize) -> BytesMut {
        BytesMut::recycled(length)
    }
}
