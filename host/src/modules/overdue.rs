//! Which calls of modules are under way, and which of them do not return.
//!
//! Each thread notes what it calls in a [`Slot`] of its own, innermost last. One thread looks at all slots
//! a few times a second. A call that has not returned for a second is named in the log and on the page
//! `/health`; what else is done about it depends on what the module promised ([`Manner`]).

use std::{
    any::Any,
    borrow::Cow,
    fmt,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rivero_media::Job;
use rivero_plugin_api::supervise;

/// Between two looks at all threads.
const PERIOD: Duration = Duration::from_millis(100);
/// A call is overdue after this time; with the time until the next look that is a second at most.
const PATIENCE: Duration = Duration::from_millis(880);
/// A burst that keeps its producer for longer is told of.
const SLOW_BURST: Duration = Duration::from_millis(5);

/// What a module has promised of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It may take its time: a constructor, an operation.
    Patient,
    /// It returns at once, and has threads of the module.
    Prompt,
    /// It returns at once, on the thread of a producer of media, which waits for it.
    Inline,
    /// Work on media, on a thread for conversions.
    Conversion,
}

/// A call of a module.
#[derive(Debug, Clone)]
pub(super) struct Name(Cow<'static, str>);

impl From<&'static str> for Name {
    fn from(name: &'static str) -> Self {
        Self(name.into())
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who is called. As text, for lines: module, class and object.
pub(super) trait Called: Any + fmt::Display + Send + Sync {
    /// Ends the process where it must not be called on this thread, if that is checked.
    fn check(&self, manner: Manner);

    /// A call does not return. It is told of, and what was promised is held against the module.
    fn on_overdue(&self, name: &Name, manner: Manner, thread: &str);

    /// What had not returned has, after so long.
    fn on_return(&self, name: &Name, manner: Manner, took: Duration);

    /// A burst kept its producer.
    fn on_slow_burst(&self, name: &Name, took: Duration);
}

/// A call that is under way.
struct Call {
    /// Put off by the time of the calls within it.
    since: Instant,
    callee: Arc<dyn Called>,
    name: Name,
    manner: Manner,
    /// It was told of.
    overdue: bool,
}

/// What one thread does.
struct Slot {
    thread: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    /// What waits for the job that the thread is at.
    on_overdue: Option<Job>,
}

static SLOTS: Mutex<Vec<Weak<Slot>>> = Mutex::new(Vec::new());

thread_local! {
    static SLOT: Arc<Slot> = Slot::of_this_thread();
}

impl Slot {
    fn of_this_thread() -> Arc<Self> {
        let thread = std::thread::current();
        let slot = Arc::new(Self {
            thread: thread.name().unwrap_or("without a name").to_owned(),
            state: Mutex::default(),
        });
        SLOTS.lock().push(Arc::downgrade(&slot));
        slot
    }

    fn this() -> Option<Arc<Self>> {
        // At the very end of a thread there is none.
        SLOT.try_with(Arc::clone).ok()
    }
}

/// Calls a module: `body` is its code.
pub(super) fn call<T, C: Called>(
    callee: &Arc<C>,
    name: impl Into<Name>,
    manner: Manner,
    body: impl FnOnce() -> T,
) -> T {
    callee.check(manner);
    let Some(slot) = Slot::this() else {
        return body();
    };
    slot.state.lock().calls.push(Call {
        since: Instant::now(),
        callee: callee.clone(),
        name: name.into(),
        manner,
        overdue: false,
    });
    let _end = End(&slot);
    body()
}

/// Ends a call, also where it panics.
struct End<'s>(&'s Slot);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        let Some(call) = state.calls.pop() else {
            return;
        };
        let took = call.since.elapsed();
        if let Some(outer) = state.calls.last_mut() {
            outer.since += took;
        }
        drop(state);
        if call.overdue {
            call.callee.on_return(&call.name, call.manner, took);
        } else if call.manner == Manner::Inline && took > SLOW_BURST {
            call.callee.on_slow_burst(&call.name, took);
        }
    }
}

/// Runs a job of this thread; `on_overdue` is run elsewhere if a call in it does not return.
pub(super) fn run(job: Job, on_overdue: Option<Job>) {
    let Some(slot) = Slot::this() else {
        return job();
    };
    slot.state.lock().on_overdue = on_overdue;
    job();
    let left = slot.state.lock().on_overdue.take();
    // Not under the lock: dropping it may be the end of anything.
    drop(left);
}

/// Whether this thread calls no module now.
pub(super) fn is_idle() -> bool {
    Slot::this().is_none_or(|slot| slot.state.lock().calls.is_empty())
}

/// What this thread calls now.
pub(super) fn current<C: Called>() -> Option<Arc<C>> {
    let slot = Slot::this()?;
    let state = slot.state.lock();
    let callee: Arc<dyn Any + Send + Sync> = state.calls.last()?.callee.clone();
    drop(state);
    callee.downcast().ok()
}

/// The calls that do not return, one line for each.
pub(super) fn all() -> Vec<String> {
    let mut lines = Vec::new();
    for slot in slots() {
        let state = slot.state.lock();
        for call in state.calls.iter().filter(|call| call.overdue) {
            let took = call.since.elapsed().as_secs_f64();
            let (callee, name, thread) = (&call.callee, &call.name, &slot.thread);
            lines.push(format!(
                "{callee}: {name} has not returned for {took:.1} s on the thread {thread}"
            ));
        }
    }
    lines
}

fn slots() -> Vec<Arc<Slot>> {
    let mut alive = Vec::new();
    SLOTS.lock().retain(|slot| {
        let slot = slot.upgrade();
        let keep = slot.is_some();
        alive.extend(slot);
        keep
    });
    alive
}

/// Has calls looked after from now on, those of all servers in this process.
///
/// # Errors
/// When the system refuses a thread.
pub(super) fn watch() -> std::io::Result<()> {
    static WATCHED: Mutex<bool> = Mutex::new(false);
    let mut watched = WATCHED.lock();
    if !*watched {
        supervise::lasting_thread("module-calls", || {
            loop {
                std::thread::sleep(PERIOD);
                slots().iter().for_each(look);
            }
        })?;
        *watched = true;
    }
    Ok(())
}

fn look(slot: &Arc<Slot>) {
    let mut state = slot.state.lock();
    let State { calls, on_overdue } = &mut *state;
    // The others wait for it.
    let Some(call) = calls.last_mut() else {
        return;
    };
    if call.overdue || call.since.elapsed() < PATIENCE {
        return;
    }
    call.overdue = true;
    let job = on_overdue.take_if(|_| call.manner == Manner::Prompt);
    // Under the lock, for which the thread waits at the end of the call: so this is done before what
    // is done about its return.
    call.callee
        .on_overdue(&call.name, call.manner, &slot.thread);
    drop(state);
    if let Some(job) = job {
        supervise::contained("what waits for a module", job);
    }
}
