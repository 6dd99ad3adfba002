//! What the server looks at once a second: how busy it is, whether its threads still turn, and what room
//! is left for recordings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::time::MissedTickBehavior;

use super::Core;
use crate::observe::disks::Disk;
use crate::observe::load::{self, Load, Reading};
use crate::observe::metrics::{Family, Kind, Labels, count};
use crate::observe::usage;
use crate::observe::watchdog::Pulse;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// What the configuration says about health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthOptions {
    /// Where recordings go.
    pub recordings: Vec<PathBuf>,
    /// Bytes that have to be free there.
    pub least_free: u64,
}

impl Default for HealthOptions {
    fn default() -> HealthOptions {
        HealthOptions {
            recordings: Vec::new(),
            least_free: 256 << 20,
        }
    }
}

/// What was seen.
#[derive(Debug)]
pub struct Monitor {
    options: Mutex<HealthOptions>,
    /// Seconds since 1970.
    started: f64,
    sampled: Mutex<Sampled>,
    disks: Mutex<Vec<Disk>>,
    runtime: Arc<Pulse>,
    events: Arc<Pulse>,
    timers: Arc<Pulse>,
    /// Whoever looks at file systems.
    files: Arc<Pulse>,
}

#[derive(Debug, Default)]
struct Sampled {
    load: Load,
    former: Option<Reading>,
}

impl Monitor {
    /// Nothing was seen yet.
    #[must_use]
    pub fn new(options: HealthOptions) -> Arc<Monitor> {
        Arc::new(Monitor {
            options: Mutex::new(options),
            started: {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                now.unwrap_or_default().as_secs_f64()
            },
            sampled: Mutex::default(),
            disks: Mutex::default(),
            runtime: Pulse::new("the runtime"),
            events: Pulse::new("the thread of events"),
            timers: Pulse::new("the thread of media timers"),
            files: Pulse::new("the disk of recordings"),
        })
    }

    /// Looks after other places from now on.
    pub(super) fn set_options(&self, options: HealthOptions) {
        *self.options.lock() = options;
    }

    /// Why the server cannot go on, if so: one line for each of its threads that does not turn.
    #[must_use]
    pub fn blocked(&self) -> Vec<String> {
        let pulses = [&self.runtime, &self.events, &self.timers];
        pulses
            .into_iter()
            .filter_map(|pulse| pulse.problem())
            .collect()
    }

    /// What is wrong with the places of recordings.
    #[must_use]
    pub fn disks(&self) -> Vec<String> {
        let least_free = self.options.lock().least_free;
        let disks = self.disks.lock();
        let full = disks.iter().filter_map(|disk| disk.problem(least_free));
        full.chain(self.files.problem()).collect()
    }

    /// How busy the server is.
    #[must_use]
    pub fn load(&self) -> Load {
        self.sampled.lock().load
    }

    fn look(self: &Arc<Self>, core: &Core, memory_limit: u64) {
        self.runtime.beat();
        self.events
            .ask(|answer| core.events.when_idle(&core.accounts.of_server(), answer));
        self.timers.ask(|answer| core.plane.soon(answer));
        self.look_at_disks();
        let caller = core.itself();
        let view = core.registry.view(&caller);
        let lives = |id: &str| view.object(id).is_ok();
        core.factories.tidy_metrics(&lives);
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        core.accounts
            .look_at_media(Instant::now(), since_1970.unwrap_or_default());
        let now = Reading {
            at: Instant::now(),
            cpu: usage::cpu_time(),
            converting: core.plane.converting_time(),
            memory: load::memory_share(memory_limit),
            lanes: core.lanes.fullness(),
        };
        let mut sampled = self.sampled.lock();
        if let Some(former) = sampled.former.replace(now) {
            sampled.load = sampled.load.after(&former, &now, usage::cpu_count());
        }
    }

    /// On another thread: a file system on the network may not answer.
    fn look_at_disks(self: &Arc<Self>) {
        let monitor = self.clone();
        self.files.ask(|answer| {
            drop(tokio::task::spawn_blocking(move || {
                let look = |directory: &PathBuf| Disk::look(directory);
                let recordings = monitor.options.lock().recordings.clone();
                let disks = recordings.iter().map(look).collect();
                *monitor.disks.lock() = disks;
                answer();
            }));
        });
    }

    /// For the page.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let load = self.load();
        let mut parts = Family::new(
            "load_part",
            Kind::Gauge,
            "Parts of the load, of which it is the greatest, each from 0 to 1.",
        );
        for (part, value) in load.parts() {
            parts.add(Labels::one("part", part), value);
        }
        let mut silence = Family::new(
            "watchdog_silence_seconds",
            Kind::Gauge,
            "How long ago the latest sign of life of a thread was.",
        );
        for pulse in [&self.runtime, &self.events, &self.timers, &self.files] {
            silence.add(Labels::one("thread", pulse.name), pulse.age().as_secs_f64());
        }
        let mut free = Family::new(
            "recordings_free_bytes",
            Kind::Gauge,
            "What may still be written where recordings go.",
        );
        let mut size = Family::new(
            "recordings_size_bytes",
            Kind::Gauge,
            "The size of the file system where recordings go.",
        );
        for disk in &*self.disks.lock() {
            if let Ok((left, all)) = disk.room {
                let labels = Labels::one("directory", &disk.directory.to_string_lossy());
                free.add(labels.clone(), count(left));
                size.add(labels, count(all));
            }
        }
        let total = Family::of(
            "load",
            Kind::Gauge,
            "How busy the server is, from 0 to 1: the greatest of its parts.",
            load.total(),
        );
        let started = Family::of(
            "start_time_seconds",
            Kind::Gauge,
            "When the server started, in seconds since 1970.",
            self.started,
        );
        vec![total, parts, silence, free, size, started]
    }
}

/// Looks for as long as it is polled.
pub(crate) async fn watch(core: Arc<Core>) {
    let memory_limit = load::memory_limit();
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        core.monitor.look(&core, memory_limit);
    }
}
