//! The process of a module.
//!
//! It has a thread that hears the server, and threads that call the module ([`Lane`]). What the module sees of the server
//! are the tables that it would have there ([`services`], [`element`]), which say everything on.
//! When the server is gone, or has no use for it any more, the process ends with all that it started.

mod calls;
mod channel;
mod element;
mod services;

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rivero_plugin_api::{abi::heap, supervise};
use rustix::{
    io::fcntl_dupfd_cloexec,
    process::{Resource, Rlimit, Signal, getpid, kill_process_group, setrlimit},
    stdio::{dup2_stdin, dup2_stdout, stderr, stdin},
};

use super::{
    ring::{Consumer, Memory, Producer},
    socket::{self, DESCRIPTORS, Outbox},
    wire::{ChildLimits, FromChild, Inbox, Start, ToChild, ToHost},
};
use crate::{
    lanes::Lane,
    modules::{
        loader::{self, PrivateCopy},
        overdue,
    },
};
use calls::Calls;
use channel::Channel;

/// Threads that call the module at most. The server makes 64 calls at a time that may take long, and
/// few others; timers and destructors are the child's own.
const THREADS: usize = 256;
/// A thread without work ends after this time.
const IDLE: Duration = Duration::from_secs(10);
/// How long destructors may run on when nothing will be asked any more.
const FAREWELL: Duration = Duration::from_secs(1);
/// Heaps that threads share. By default there may be eight for each core.
const ARENAS: u8 = 4;

/// Serves a module for the server whose end of a socket is the standard input, until that is closed.
///
/// # Errors
/// When this is no child of a server.
pub fn serve_module() -> io::Result<()> {
    heap::share_arenas(ARENAS);
    let socket: OwnedFd = fcntl_dupfd_cloexec(stdin(), 3)?;
    dup2_stdin(File::open("/dev/null")?)?;
    // What a library prints is no output of the server.
    dup2_stdout(stderr())?;
    let socket = Arc::new(socket);
    let [library, to_child, to_host] = socket::take(socket.as_fd())?;
    let producer = Producer::new(Arc::new(Memory::of(to_host)?));
    let consumer = Consumer::new(Arc::new(Memory::of(to_child)?));
    let channel = Channel::new(Outbox::new(socket.clone(), producer));
    let mut child = Child {
        channel,
        ring: consumer,
        calls: None,
        library: Some(library),
        lane: Lane::new("isolated".into(), THREADS, IDLE),
    };
    let heard = child.hear(&socket);
    if let Err(error) = &heard {
        let _ = writeln!(io::stderr(), "it did not understand the server: {error}");
    }
    child.finish();
    // What the module started is of this group, unless it left it on purpose.
    let _ = kill_process_group(getpid(), Signal::KILL);
    heard
}

struct Child {
    channel: Arc<Channel>,
    ring: Consumer,
    /// There are calls once the module runs.
    calls: Option<Arc<Calls>>,
    library: Option<OwnedFd>,
    lane: Lane,
}

const _: () = assert!(DESCRIPTORS == 3);

impl Child {
    fn hear(&mut self, socket: &OwnedFd) -> io::Result<()> {
        let mut inbox = Inbox::default();
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match socket::receive(socket.as_fd(), &mut chunk, true)? {
                0 => return Ok(()),
                received => inbox.add(chunk.get(..received).unwrap_or_default()),
            }
            while let Some(message) = inbox.next().map_err(io::Error::other)? {
                self.handle(message)?;
            }
        }
    }

    fn handle(&mut self, message: ToChild) -> io::Result<()> {
        match message {
            ToChild::Start(start) => {
                if let Some(library) = self.library.take() {
                    self.start(start, library);
                }
            }
            ToChild::Call {
                number,
                depth,
                call,
            } => {
                let Some(calls) = self.calls.clone() else {
                    return Err(io::Error::other("it was called before it ran"));
                };
                let ring = &mut self.ring;
                // Copied out here, in the order in which it was put in.
                let call = calls::Prepared::of(call, |length| ring.take(length));
                let call = call.map_err(io::Error::other)?;
                self.lane.run(move || {
                    rivero_media::at_depth(depth, || {
                        let outcome = calls.perform(call);
                        calls.channel().say(ToHost::Returned { number, outcome });
                    });
                });
            }
            ToChild::Answer { number, answer } => {
                let ring = &mut self.ring;
                self.channel
                    .answered(number, answer, |length| ring.take(length))
                    .map_err(io::Error::other)?;
            }
            ToChild::Drop(remains) => {
                if let Some(calls) = self.calls.clone() {
                    self.lane.run(move || calls.let_go(remains));
                }
            }
        }
        Ok(())
    }

    /// Starts the module, on a thread of its own: the server's end is noticed meanwhile.
    fn start(&mut self, start: Start, library: OwnedFd) {
        limit(start.limits);
        let (channel, lane) = (self.channel.clone(), self.lane.clone());
        channel.begin(&start);
        let calls = Arc::new(Calls::new(&channel));
        self.calls = Some(calls.clone());
        let fails = channel.clone();
        self.lane.run(move || {
            let message = match run(&start, library, &channel, lane) {
                Ok(module) => {
                    let conversions = module.conversions().into();
                    calls.serve(module);
                    ToHost::Started { conversions }
                }
                Err(reason) => ToHost::Refused(reason),
            };
            fails.say(message);
        });
    }

    /// Lets destructors end that run still.
    fn finish(&self) {
        let begin = Instant::now();
        while begin.elapsed() < FAREWELL && self.lane.is_busy() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Loads the library and starts the module in it.
fn run(
    start: &Start,
    library: OwnedFd,
    channel: &Arc<Channel>,
    lane: Lane,
) -> Result<rivero_plugin_api::abi::traits::Module, String> {
    overdue::watch().map_err(|error| error.to_string())?;
    let file = Path::new(&start.file);
    let copy = PrivateCopy::given(library, file);
    let (library, root) = loader::open(file, &copy).map_err(|error| error.to_string())?;
    // It is mapped for as long as this process lives.
    library.leave();
    let host = services::host(channel, lane).map_err(|error| error.to_string())?;
    root.start(host).map_err(|error| match error {
        loader::LoadError::Start(reason) => reason,
        other => other.to_string(),
    })
}

/// Bounds what this process may have. Where the system refuses, what it had counts.
fn limit(limits: ChildLimits) {
    let bound = |resource, bound| {
        let bound = Some(bound);
        let limit = Rlimit {
            current: bound,
            maximum: bound,
        };
        if let Err(error) = setrlimit(resource, limit) {
            supervise::contained("a limit", || {
                let _ = writeln!(io::stderr(), "a limit is not set: {error}");
            });
        }
    };
    // A crash is told of; the memory is of no use to anybody.
    bound(Resource::Core, 0);
    bound(Resource::Data, limits.memory);
    bound(Resource::Nofile, limits.files);
    if let Some(seconds) = limits.cpu {
        bound(Resource::Cpu, seconds);
    }
}

/// What is said of a depth: that of this thread.
fn from_child(message: ToHost) -> FromChild {
    FromChild {
        depth: rivero_media::depth(),
        message,
    }
}
