//! Objects of modules as those that are called: where, and what becomes of it when a call does not return.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::Path,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rivero_media::{Job, Node, Owner, Plane};

use super::{
    ObjectEvents,
    overdue::{self, Called, Manner, Name},
    roles,
};
use crate::{
    error::CallError,
    lanes::{self, Lane, SPARE},
    observe::metrics::{Family, Kind, Labels, count},
};

/// Slow bursts are told of in the log once in so many of a module.
const TOLD_BURSTS: u64 = 1_000;
/// Calls that are counted apart, of all modules: their names come from modules.
const SERIES: usize = 1_024;

/// The threads of one loaded library for what has to return at once.
pub(super) struct Threads {
    /// By the name of its file.
    module: Arc<str>,
    lane: Lane,
    /// Its pads take media on the producer's thread.
    inline: bool,
    plane: Arc<Plane>,
    counts: Arc<Counts>,
    /// How many calls of a sink group hang, by the group's number.
    groups: Mutex<HashMap<u64, Weak<AtomicUsize>>>,
}

impl Threads {
    /// The name of the module's file.
    pub(super) fn module(&self) -> &Arc<str> {
        &self.module
    }

    pub(super) fn new(
        file: &Path,
        inline: bool,
        plane: &Arc<Plane>,
        counts: &Arc<Counts>,
    ) -> Arc<Self> {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let module = Arc::<str>::from(&*name);
        // As many as can run at a time, and another one where that is one: it may be kept for a moment.
        let threads = std::thread::available_parallelism().map_or(2, |count| count.get().max(2));
        Arc::new(Self {
            lane: Lane::of_media(module.clone(), threads),
            module,
            inline,
            plane: plane.clone(),
            counts: counts.clone(),
            groups: Mutex::default(),
        })
    }

    /// Whether the module may make another object.
    ///
    /// # Errors
    /// 40108 when too many of its threads hang.
    pub(super) fn admit(&self) -> Result<(), CallError> {
        let lost = self.lane.lost();
        if lost <= SPARE {
            return Ok(());
        }
        Err(CallError::not_available(format!(
            "the module {} is retired: {lost} of its threads do not return from its code, as the log says",
            self.module
        )))
    }

    /// Its threads end: nothing of the library is in use any more.
    pub(super) fn close(&self) {
        self.lane.close();
    }

    /// What is called for no object, but for the module.
    pub(super) fn as_callee(self: &Arc<Self>) -> Arc<Callee> {
        Callee::new(self, Identity::default(), None)
    }

    fn group(&self, number: u64) -> Arc<AtomicUsize> {
        let mut groups = self.groups.lock();
        if let Some(known) = groups.get(&number).and_then(Weak::upgrade) {
            return known;
        }
        groups.retain(|_, group| group.strong_count() > 0);
        let group = Arc::<AtomicUsize>::default();
        groups.insert(number, Arc::downgrade(&group));
        group
    }
}

/// Who is called.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity {
    /// Plain name of the class.
    pub(super) class: Arc<str>,
    /// Id of the object.
    pub(super) object: Arc<str>,
}

/// An object of a module, a port of a hub, or a module as a whole.
pub(super) struct Callee {
    identity: Identity,
    events: Option<Arc<dyn ObjectEvents>>,
    node: OnceLock<Weak<Node>>,
    /// How many calls hang that have to return at once. Relaxed: it stands for itself.
    hanging: AtomicUsize,
    /// The same of the sink group that it takes media with.
    group: OnceLock<Arc<AtomicUsize>>,
    threads: Arc<Threads>,
}

/// As in the log and in errors: module, class, object.
impl fmt::Display for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { class, object } = &self.identity;
        write!(f, "module {}", self.threads.module)?;
        if !object.is_empty() {
            write!(f, ", {class} {object}")?;
        }
        Ok(())
    }
}

impl Callee {
    pub(super) fn new(
        threads: &Arc<Threads>,
        identity: Identity,
        events: Option<Arc<dyn ObjectEvents>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            identity,
            events,
            node: OnceLock::new(),
            hanging: AtomicUsize::new(0),
            group: OnceLock::new(),
            threads: threads.clone(),
        })
    }

    /// By the name of its file.
    pub(super) fn module(&self) -> &Arc<str> {
        &self.threads.module
    }

    /// Has its pads be those of a node.
    pub(super) fn own(self: &Arc<Self>, node: &Arc<Node>) {
        let _ = self.node.set(Arc::downgrade(node));
        node.set_owner(self.clone());
    }

    /// Names the sink group that its pads belong to.
    pub(super) fn join_group(&self, number: u64) {
        let _ = self.group.set(self.threads.group(number));
    }

    /// Whether the sink group does not take what it was given.
    pub(super) fn is_group_cut(&self) -> bool {
        { self.group.get() }.is_some_and(|hanging| hanging.load(Relaxed) > 0)
    }

    /// Lets go of something of the module, which runs its code: on a thread of the module.
    pub(super) fn bury<T: Send + 'static>(self: &Arc<Self>, remains: T) {
        let (callee, remains) = (self.clone(), Remains::of(remains));
        let bury = move || {
            let mut remains = remains;
            let remains = remains.0.take();
            overdue::call(&callee, "a destructor", Manner::Prompt, || drop(remains));
        };
        // Who is in the module already need not wait for another thread of it.
        let is_there = lanes::current_module().is_some_and(|lane| self.is_called_as(&lane));
        if is_there {
            bury();
        } else {
            self.threads.lane.run(bury);
        }
    }

    /// Whether lanes of this name are its own: that of its module's file, or of its class where the file
    /// has gone.
    pub(super) fn is_called_as(&self, lane: &str) -> bool {
        *self.threads.module == *lane || *self.identity.class == *lane
    }

    /// Whether it is of the library with these threads.
    pub(super) fn is_of(&self, threads: &Arc<Threads>) -> bool {
        Arc::ptr_eq(&self.threads, threads)
    }
}

impl Called for Callee {
    fn check(&self, manner: Manner) {
        roles::check(self, manner, |lane| self.is_called_as(lane));
    }

    fn on_overdue(&self, name: &Name, manner: Manner, thread: &str) {
        let Identity { class, object } = &self.identity;
        let module = &self.threads.module;
        self.threads.counts.overdue(module, name);
        if matches!(manner, Manner::Patient | Manner::Conversion) {
            tracing::warn!(
                %module, %class, %object, callback = %name, %thread,
                "a call of a module has not returned for 1 s"
            );
            if manner == Manner::Conversion {
                self.threads.plane.lose_worker();
            }
            return;
        }
        tracing::error!(
            %module, %class, %object, callback = %name, %thread,
            "a call of a module has not returned for 1 s, as it has to: it is cut off until it does"
        );
        self.hanging.fetch_add(1, Relaxed);
        if manner == Manner::Inline
            && let Some(group) = self.group.get()
        {
            group.fetch_add(1, Relaxed);
        }
        if manner == Manner::Prompt && self.threads.lane.lose() == SPARE + 1 {
            tracing::error!(
                %module,
                "the module is retired: {} of its threads do not return; no more objects of it are made",
                SPARE + 1
            );
        }
        if let Some(events) = &self.events {
            let text = format!(
                "{name} of the module {module} has not returned for 1 s on the thread {thread}: \
                 no media passes the {class} until it does"
            );
            let code = CallError::unexpected("").code;
            events.error("UNEXPECTED_ELEMENT_ERROR", code, &text);
        }
    }

    fn on_return(&self, name: &Name, manner: Manner, took: Duration) {
        let Identity { class, object } = &self.identity;
        let module = &self.threads.module;
        let took = took.as_secs_f64();
        tracing::warn!(
            %module, %class, %object, callback = %name,
            "a call of a module has returned after {took:.1} s"
        );
        match manner {
            Manner::Patient => return,
            Manner::Conversion => return self.threads.plane.regain_worker(),
            Manner::Prompt | Manner::Inline => {}
        }
        if manner == Manner::Prompt {
            self.threads.lane.regain();
        }
        if manner == Manner::Inline
            && let Some(group) = self.group.get()
        {
            group.fetch_sub(1, Relaxed);
        }
        if self.hanging.fetch_sub(1, Relaxed) == 1
            && let Some(node) = self.node.get().and_then(Weak::upgrade)
        {
            node.resume();
        }
    }

    fn on_slow_burst(&self, name: &Name, took: Duration) {
        let module = &self.threads.module;
        let slow = self.threads.counts.slow_burst(module);
        if slow % TOLD_BURSTS == 1 {
            let Identity { class, object } = &self.identity;
            tracing::warn!(
                %module, %class, %object, callback = %name,
                "a burst kept the thread of its producer for {} ms, as one of {slow}",
                took.as_millis()
            );
        }
    }
}

/// How many [`Remains`] there are. Relaxed: it stands for itself.
static REMAINS: AtomicUsize = AtomicUsize::new(0);

/// Waits until all modules have let go of what they are to let go of, for `patience` at most: at the end of the
/// process, which must not come upon code that runs still.
pub(super) fn wait_for_remains(patience: Duration) {
    let begin = Instant::now();
    while REMAINS.load(Relaxed) > 0 && begin.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Left alone where there is no thread left to let go of it.
struct Remains<T>(Option<T>);

impl<T> Remains<T> {
    fn of(remains: T) -> Self {
        REMAINS.fetch_add(1, Relaxed);
        Self(Some(remains))
    }
}

impl<T> Drop for Remains<T> {
    fn drop(&mut self) {
        REMAINS.fetch_sub(1, Relaxed);
        if let Some(remains) = self.0.take() {
            std::mem::forget(remains);
        }
    }
}

impl Owner for Callee {
    fn run(&self, job: Job, on_overdue: Option<Job>) {
        let lane = &self.threads.lane;
        // One that goes on with the next delivery need not wait for another thread.
        if lane.is_current() && overdue::is_idle() {
            overdue::run(job, on_overdue);
        } else {
            lane.run(move || overdue::run(job, on_overdue));
        }
    }

    fn is_cut(&self) -> bool {
        self.hanging.load(Relaxed) > 0
    }

    fn is_inline(&self) -> bool {
        self.threads.inline
    }

    fn on_lost(&self, packets: u64) {
        self.threads.counts.lost(&self.threads.module, packets);
    }
}

/// What modules did not do in time, since the server started.
#[derive(Default)]
pub(super) struct Counts(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// By module and call.
    overdue: BTreeMap<(Arc<str>, String), u64>,
    /// By module.
    slow_bursts: BTreeMap<Arc<str>, u64>,
    packets_lost: BTreeMap<Arc<str>, u64>,
}

impl Counts {
    fn overdue(&self, module: &Arc<str>, name: &Name) {
        let overdue = &mut self.0.lock().overdue;
        let key = (module.clone(), name.to_string());
        if overdue.len() < SERIES || overdue.contains_key(&key) {
            *overdue.entry(key).or_default() += 1;
        }
    }

    fn slow_burst(&self, module: &Arc<str>) -> u64 {
        let mut table = self.0.lock();
        let bursts = table.slow_bursts.entry(module.clone()).or_default();
        *bursts += 1;
        *bursts
    }

    fn lost(&self, module: &Arc<str>, packets: u64) {
        *self
            .0
            .lock()
            .packets_lost
            .entry(module.clone())
            .or_default() += packets;
    }

    pub(super) fn families(&self) -> Vec<Family> {
        let table = self.0.lock();
        let mut overdue = Family::new(
            "module_calls_overdue",
            Kind::Counter,
            "Calls of modules that did not return for a second.",
        );
        for ((module, name), total) in &table.overdue {
            let labels = [
                ("module", (&**module).into()),
                ("call", name.as_str().into()),
            ];
            overdue.add(Labels::new(labels).unwrap_or_default(), count(*total));
        }
        let by_module = |name, help: &'static str, values: &BTreeMap<Arc<str>, u64>| {
            let mut family = Family::new(name, Kind::Counter, help);
            for (module, total) in values {
                family.add(Labels::one("module", module), count(*total));
            }
            family
        };
        vec![
            overdue,
            by_module(
                "module_slow_bursts",
                "Bursts of media that a module kept the producer's thread with for more than 5 ms.",
                &table.slow_bursts,
            ),
            by_module(
                "module_packets_lost",
                "Packets that a module did not take fast enough.",
                &table.packets_lost,
            ),
        ]
    }
}
