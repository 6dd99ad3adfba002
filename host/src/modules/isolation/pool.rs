//! The children of a module: which of them serves whom, and that there is always one.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::{Arc, Weak, mpsc::sync_channel},
    time::{Duration, Instant},
};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, RResult, RStr, RString},
};
use parking_lot::{Condvar, Mutex};
use rivero_plugin_api::{
    Error,
    abi::{
        traits::{
            AbiHost_TO, AbiModule, AbiModule_TO, Converter, ConverterOutput, ElementHost, Host,
            Module, Object,
        },
        types::AbiError,
    },
    supervise,
};
use rustix::time::{ClockId, clock_gettime};

use super::{
    Isolation, Mode,
    link::Link,
    process::Process,
    proxies,
    reader::Reader,
    ring::{Consumer, Memory, Producer},
    socket::{self, Outbox},
    wire::{Start, ToChild},
};

/// A module that takes longer to start does not run.
const START: Duration = Duration::from_secs(10);
/// Between a death and the next start: none after the first of a minute, then this, doubled …
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// … up to this, so that there is a new child within a second,
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// or up to this where it does not even start.
const LONGEST_PAUSE_OF_STARTS: Duration = Duration::from_secs(10);
const CALM: Duration = Duration::from_secs(60);

/// What children of a module are made of.
pub(super) struct Spec {
    pub(super) module: String,
    /// The operator's file, and a copy of its content.
    pub(super) file: PathBuf,
    pub(super) copy: File,
    pub(super) program: PathBuf,
    pub(super) isolation: Isolation,
    pub(super) host: Host,
}

/// A child as long as somebody has use for it.
pub(super) struct Child {
    link: Arc<Link>,
    of_use: Arc<()>,
}

impl Child {
    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.link.finish();
    }
}

/// The module as the server has it: where to make an object is all that is decided here.
pub(super) struct Pool {
    shared: Arc<Shared>,
    conversions: String,
}

struct Shared {
    spec: Spec,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Of a module: the one that serves. Of pipelines: those that serve each, as long as they have objects.
    serving: HashMap<String, Weak<Child>>,
    /// Those that wait for their first object.
    ready: Vec<Arc<Child>>,
    /// The one child of a module is kept without objects, as a library stays loaded.
    kept: Option<Arc<Child>>,
    /// Why the last start failed.
    failure: Option<String>,
    deaths: Deaths,
    closed: bool,
}

/// How long to wait before the next start.
#[derive(Default)]
struct Deaths {
    last: Option<Instant>,
    in_a_row: u32,
}

impl Deaths {
    fn note(&mut self, now: Instant) {
        let again = self
            .last
            .is_some_and(|last| now.duration_since(last) < CALM);
        self.in_a_row = if again { self.in_a_row + 1 } else { 1 };
        self.last = Some(now);
    }

    fn pause(&self, longest: Duration) -> Duration {
        match self.in_a_row {
            0 | 1 => Duration::ZERO,
            more => (FIRST_PAUSE * 2_u32.saturating_pow((more - 2).min(16))).min(longest),
        }
    }
}

impl State {
    fn forget_the_dead(&mut self) {
        let is_alive = |child: &Arc<Child>| child.link.is_alive();
        self.ready.retain(is_alive);
        self.kept = self.kept.take().filter(is_alive);
        self.serving.retain(|_, child| {
            let child = child.upgrade();
            child.is_some_and(|child| child.link.is_alive())
        });
    }

    /// Whether another child is to be started.
    fn wants(&mut self, mode: Mode) -> bool {
        self.forget_the_dead();
        self.ready.is_empty() && (mode == Mode::Pipeline || self.kept.is_none())
    }
}

/// Starts the module in a child.
///
/// # Errors
/// Why it does not run.
pub(super) fn start(spec: Spec) -> Result<Module, String> {
    let shared = Arc::new(Shared {
        spec,
        state: Mutex::default(),
        changed: Condvar::new(),
    });
    let (first, conversions) = shared.start_child()?;
    shared.state.lock().ready.push(first);
    let starter = shared.clone();
    let name = format!("isolate-{}", shared.spec.module);
    supervise::lasting_thread(&name, move || starter.keep_ready())
        .map_err(|error| format!("no thread to start its processes: {error}"))?;
    let pool = Pool {
        shared,
        conversions,
    };
    Ok(AbiModule_TO::from_ptr(RArc::new(pool), TD_Opaque))
}

impl Shared {
    /// Starts children whenever some are wanted, until the module is of no use any more.
    fn keep_ready(self: &Arc<Self>) {
        let mode = self.spec.isolation.mode;
        loop {
            let mut state = self.state.lock();
            while !state.closed && !state.wants(mode) {
                self.changed.wait(&mut state);
            }
            let longest = match state.failure {
                Some(_) => LONGEST_PAUSE_OF_STARTS,
                None => LONGEST_PAUSE,
            };
            let until = Instant::now() + state.deaths.pause(longest);
            while !state.closed && !self.changed.wait_until(&mut state, until).timed_out() {}
            if state.closed {
                return;
            }
            drop(state);
            let started = self.start_child();
            let mut state = self.state.lock();
            match started {
                Ok((child, _)) => {
                    state.ready.push(child);
                    state.failure = None;
                }
                Err(reason) => {
                    tracing::error!(module = %self.spec.module, "no process for the module: {reason}");
                    state.failure = Some(reason);
                    state.deaths.note(Instant::now());
                }
            }
            self.changed.notify_all();
        }
    }

    /// The child that makes objects of a pipeline.
    fn child_for(self: &Arc<Self>, pipeline: &str) -> Result<Arc<Child>, AbiError> {
        let mode = self.spec.isolation.mode;
        let key = match mode {
            Mode::Pipeline => pipeline,
            Mode::Module => "",
        };
        let deadline = Instant::now() + START;
        let mut state = self.state.lock();
        loop {
            state.forget_the_dead();
            if let Some(child) = state.serving.get(key).and_then(Weak::upgrade) {
                return Ok(child);
            }
            if let Some(child) = state.ready.pop() {
                state.serving.insert(key.to_owned(), Arc::downgrade(&child));
                if mode == Mode::Module {
                    state.kept = Some(child.clone());
                }
                // Another one may be wanted now.
                self.changed.notify_all();
                return Ok(child);
            }
            if mode == Mode::Pipeline && state.failure.is_none() {
                // Many pipelines may begin at once: none waits for the processes of others.
                drop(state);
                let (child, _) = self
                    .start_child()
                    .map_err(|reason| self.no_process(&reason))?;
                state = self.state.lock();
                // If another thread was faster the next pipeline has this one.
                state.ready.push(child);
                continue;
            }
            let is_late = self.changed.wait_until(&mut state, deadline).timed_out();
            if let Some(reason) = state
                .failure
                .clone()
                .filter(|_| is_late || state.ready.is_empty())
            {
                return Err(self.no_process(&reason));
            }
            if is_late {
                return Err(self.no_process("none has started yet; try again"));
            }
        }
    }

    fn no_process(&self, reason: &str) -> AbiError {
        let text = format!("the module {} has no process: {reason}", self.spec.module);
        Error::unexpected(text).into()
    }

    /// Starts a child and waits for its module; besides, what that converts.
    fn start_child(self: &Arc<Self>) -> Result<(Arc<Child>, String), String> {
        let Spec {
            module,
            file,
            copy,
            program,
            isolation,
            host,
        } = &self.spec;
        let began = Instant::now();
        let failed =
            |error: io::Error| format!("it cannot be started in a process of its own: {error}");
        let to_child = Arc::new(Memory::new(isolation.ring).map_err(failed)?);
        let to_host = Arc::new(Memory::new(isolation.ring).map_err(failed)?);
        let (own, other) = socket::pair().map_err(failed)?;
        let process = Process::start(program, Path::new(module), other).map_err(failed)?;
        let (id, socket) = (process.id(), Arc::new(own));
        let outbox = Outbox::new(socket.clone(), Producer::new(to_child.clone()));
        let link = Link::new(share(host), process, socket, outbox);
        let (sender, started) = sync_channel(1);
        let reader = Reader::new(&link, Consumer::new(to_host.clone()), module, sender);
        let child = Arc::new(Child {
            link: link.clone(),
            of_use: Arc::default(),
        });
        let (of_use, pool) = (Arc::downgrade(&child.of_use), Arc::downgrade(self));
        let (name, heard) = (module.clone(), link.clone());
        supervise::thread(&format!("child-{module}"), move || {
            let run = || reader.run(|| of_use.strong_count() > 0);
            let how = supervise::contained("what hears a module's process", run);
            let how = how.unwrap_or_else(|| heard.fail());
            let is_of_use = of_use.strong_count() > 0;
            if is_of_use {
                tracing::error!(module = %name, process = id, "the process of the module is gone: {how}");
            }
            if let Some(pool) = pool.upgrade() {
                pool.on_end(is_of_use);
            }
        })
        .map_err(failed)?;
        let descriptors = [copy.as_fd(), to_child.file(), to_host.file()];
        let start = ToChild::Start(Start {
            file: file.to_string_lossy().into_owned(),
            data_directory: host.data_directory().into(),
            log_level: host.log_level(),
            clock_offset: host.now() - monotonic(),
            limits: isolation.limits,
        });
        let given = socket::give(link.socket.as_fd(), &descriptors).map_err(failed);
        let told = given.and_then(|()| link.say(&start, &[]).map_err(|error| error.to_string()));
        if let Err(error) = told {
            // Its end says more, where it has one.
            return Err(started
                .recv_timeout(START)
                .ok()
                .and_then(Result::err)
                .unwrap_or(error));
        }
        match started.recv_timeout(START) {
            Ok(Ok(conversions)) => {
                let took = began.elapsed().as_millis();
                tracing::info!(%module, process = id, "a process of the module runs, after {took} ms");
                Ok((child, conversions))
            }
            Ok(Err(reason)) => Err(reason),
            Err(_) => {
                let seconds = START.as_secs();
                let reason = format!("it did not start within {seconds} s");
                link.give_up(&reason);
                Err(reason)
            }
        }
    }

    fn on_end(&self, is_death: bool) {
        let mut state = self.state.lock();
        if is_death {
            state.deaths.note(Instant::now());
        }
        drop(state);
        self.changed.notify_all();
    }
}

/// Another handle to the same services.
fn share(host: &Host) -> Host {
    AbiHost_TO::from_sabi(host.obj.shallow_clone())
}

/// The clock that all processes of a machine have, ns.
pub(super) fn monotonic() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.closed = true;
        let left = (std::mem::take(&mut state.ready), state.kept.take());
        drop(state);
        drop(left);
        self.shared.changed.notify_all();
    }
}

impl AbiModule for Pool {
    fn create(
        &self,
        class: RStr<'_>,
        host: ElementHost,
        parameters: RStr<'_>,
    ) -> RResult<Object, AbiError> {
        let child = self.shared.child_for(host.pipeline().as_str());
        child
            .and_then(|child| proxies::create(&child, class.as_str(), host, parameters.as_str()))
            .into()
    }

    fn conversions(&self) -> RString {
        self.conversions.as_str().into()
    }

    fn create_converter(
        &self,
        conversion: u32,
        input: u32,
        output: u32,
        settings: RStr<'_>,
        sink: ConverterOutput,
    ) -> RResult<Converter, AbiError> {
        // Conversions belong to no pipeline: all of them have one child.
        let child = self.shared.child_for("");
        let formats = (input, output);
        child
            .and_then(|child| {
                let settings = settings.as_str();
                proxies::create_converter(&child, conversion, formats, settings, sink)
            })
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_between_deaths_grow_to_a_bound() {
        let mut deaths = Deaths::default();
        let begin = Instant::now();
        let mut pause = |second: u64, longest| {
            deaths.note(begin + Duration::from_secs(second));
            deaths.pause(longest).as_millis()
        };
        let pauses = [0, 1, 2, 3].map(|second| pause(second, LONGEST_PAUSE));
        assert_eq!(pauses, [0, 250, 500, 500]);
        assert_eq!(pause(4, LONGEST_PAUSE_OF_STARTS), 2000);
        assert_eq!(pause(100, LONGEST_PAUSE), 0);
    }
}
