//! One publisher, N viewers: the server's costs and what the viewers see.

use std::{
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    affinity::Cores,
    error::Error,
    floor::{Floor, Sending},
    generator::Generator,
    options::Options,
    process::{Process, core_time},
    server::Server,
    statistics::{percentile, sorted},
};

/// Media before the window, so that joining is over.
const SETTLE: Duration = Duration::from_secs(1);
/// Media after the window, so that its last packets arrive.
const DRAIN: Duration = Duration::from_millis(300);
/// Between two looks at whether the server still does what it does once after its start.
const WARM_UP_STEP: Duration = Duration::from_millis(500);
/// CPU time in a step above which it does.
const WARM_UP_CPU: Duration = Duration::from_millis(25);
/// Looks at most.
const WARM_UP_STEPS: usize = 30;
/// From releasing the pipeline to looking at what was given back.
const RELEASE: Duration = Duration::from_secs(1);

/// Figures of one run. Times per packet are µs of CPU, other times ms, memory KiB.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Forwarding {
    /// CPU time of the server per packet that a viewer received.
    pub(crate) cpu_us_per_packet: f64,
    /// Share of its core that the server used, percent.
    pub(crate) cpu_percent: f64,
    /// UDP messages (a sendmsg, whatever it carries) that the server sent for each frame and viewer;
    /// the few of reports and supervision are among them.
    pub(crate) messages_per_frame: f64,
    /// CPU time per packet of encryption and the same socket calls, with segmented sending.
    pub(crate) floor_gso_us: Option<f64>,
    /// The same, each packet sent in a call of its own.
    pub(crate) floor_single_us: Option<f64>,
    /// CPU time per packet of encryption and segmented sending, when nothing is received.
    pub(crate) floor_sending_us: Option<f64>,
    /// CPU time of the forwarder of the `webrtc` crate per packet that a viewer received.
    pub(crate) forwarder_us: Option<f64>,
    /// Packets that its viewers lacked, all together.
    pub(crate) forwarder_lost: Option<f64>,
    /// `cpu_us_per_packet` as a multiple of `floor_gso_us`.
    pub(crate) times_floor: Option<f64>,
    /// The same of `floor_sending_us`.
    pub(crate) times_sending: Option<f64>,
    /// From the publisher's send call to the viewer.
    pub(crate) latency_p50_ms: f64,
    /// As above.
    pub(crate) latency_p99_ms: f64,
    /// Share of the server's core that other processes and the hypervisor used, percent: above
    /// a few percent, times and latencies are not the server's alone.
    pub(crate) others_percent: f64,
    /// From processOffer to its answer.
    pub(crate) answer_p50_ms: f64,
    /// As above.
    pub(crate) answer_p99_ms: f64,
    /// From processOffer to the end of the DTLS handshake.
    pub(crate) connect_p50_ms: f64,
    /// As above.
    pub(crate) connect_p95_ms: f64,
    /// From processOffer to a viewer's first packet, which begins a keyframe.
    pub(crate) join_p50_ms: f64,
    /// As above.
    pub(crate) join_p95_ms: f64,
    /// Resident memory under media beyond that with the publisher alone, per viewer.
    pub(crate) memory_per_viewer_kib: f64,
    /// Resident memory before the first object.
    pub(crate) idle_kib: f64,
    /// Resident memory under media.
    pub(crate) media_kib: f64,
    /// Resident memory a second after everything was released.
    pub(crate) released_kib: f64,
    /// Threads of the server under media.
    pub(crate) threads: f64,
    /// The same less the processor's cores.
    pub(crate) threads_beyond_cores: f64,
    /// Open file descriptors of the server under media.
    pub(crate) descriptors: f64,
    /// Packets that the publisher sent in the window.
    pub(crate) sent: f64,
    /// Packets that viewers lacked, all together.
    pub(crate) lost: f64,
    /// Packets that came more than once or too late, all together.
    pub(crate) repeated: f64,
    /// Start of the process to accepting connections.
    pub(crate) start_ms: f64,
}

/// One run with a server of its own, and right after it, for as many viewers, the floor and the
/// forwarder of the `webrtc` crate.
pub(crate) fn measure(options: &Options, cores: Cores, viewers: u32) -> Result<Forwarding, Error> {
    let server = Server::start(&options.release_dir, cores)?;
    let run = measure_server(options, cores, &server, viewers);
    let (mut run, mut generator) =
        run.inspect_err(|_| eprintln!("the server's log:\n{}", server.log()))?;
    drop(server);
    if !options.no_floor {
        let mut floor = |sending| measure_floor(options, cores, &mut generator, sending);
        let (gso, single) = (floor(Sending::Segmented)?, floor(Sending::Single)?);
        let sending = measure_sending(options, cores, &mut generator)?;
        run.floor_gso_us = Some(gso);
        run.floor_single_us = Some(single);
        run.floor_sending_us = Some(sending);
        run.times_floor = Some(run.cpu_us_per_packet / gso);
        run.times_sending = Some(run.cpu_us_per_packet / sending);
    }
    if !options.no_forwarder {
        let forwarder = Server::start_forwarder(&options.release_dir, cores)?;
        let other = measure_server(options, cores, &forwarder, viewers);
        let (other, _) =
            other.inspect_err(|_| eprintln!("the forwarder's log:\n{}", forwarder.log()))?;
        run.forwarder_us = Some(other.cpu_us_per_packet);
        run.forwarder_lost = Some(other.lost);
    }
    Ok(run)
}

fn measure_server(
    options: &Options,
    cores: Cores,
    server: &Server,
    viewers: u32,
) -> Result<(Forwarding, Generator), Error> {
    let process = server.process();
    let idle = kib(process)?;
    let mut generator = Generator::new(server.address(), viewers as usize, options.traffic())?;
    generator.start_publishing()?;
    warm_up(&mut generator, process)?;
    let publishing = kib(process)?;
    generator.prepare_viewers()?;
    generator.join_viewers(Duration::from_millis(options.join_interval))?;
    generator.run_for(SETTLE)?;

    generator.open_window();
    let (cpu_before, begin) = (process.cpu_time()?, Instant::now());
    let core_before = core_time(cores.server)?;
    let first_frame = generator.frames();
    generator.run_for(options.window())?;
    let (cpu, time) = (process.cpu_time()? - cpu_before, begin.elapsed());
    let others = (core_time(cores.server)? - core_before).saturating_sub(cpu);
    generator.close_window();
    let frames = generator.frames().saturating_sub(first_frame).max(1);
    let messages = count(generator.messages()) / f64::from(frames) / f64::from(viewers.max(1));
    let media = kib(process)?;
    generator.run_for(DRAIN)?;

    let (sent, received, repeated) = generator.counted();
    let answers = sorted(generator.answer_times());
    let connects = sorted(generator.connect_times());
    let joins = sorted(generator.join_times());
    let latencies = sorted(generator.take_latencies());
    let (threads, descriptors) = (process.threads()?, process.descriptors()?);
    generator.release()?;
    generator.run_for(RELEASE)?;
    let run = Forwarding {
        cpu_us_per_packet: micros(cpu) / count(received.max(1)),
        cpu_percent: percent(cpu, time),
        messages_per_frame: messages,
        others_percent: percent(others, time),
        answer_p50_ms: percentile(&answers, 0.5),
        answer_p99_ms: percentile(&answers, 0.99),
        connect_p50_ms: percentile(&connects, 0.5),
        connect_p95_ms: percentile(&connects, 0.95),
        floor_gso_us: None,
        floor_single_us: None,
        floor_sending_us: None,
        forwarder_us: None,
        forwarder_lost: None,
        times_floor: None,
        times_sending: None,
        latency_p50_ms: percentile(&latencies, 0.5),
        latency_p99_ms: percentile(&latencies, 0.99),
        join_p50_ms: percentile(&joins, 0.5),
        join_p95_ms: percentile(&joins, 0.95),
        memory_per_viewer_kib: (media - publishing) / f64::from(viewers),
        idle_kib: idle,
        media_kib: media,
        released_kib: kib(process)?,
        threads: count(threads),
        threads_beyond_cores: count(threads) - 1.0,
        descriptors: count(descriptors),
        sent: count(sent),
        lost: count((sent * u64::from(viewers)).saturating_sub(received)),
        repeated: count(repeated),
        start_ms: server.start_time().as_secs_f64() * 1e3,
    };
    Ok((run, generator))
}

/// Waits until the server has done what it does once, such as filling its pool of RSA keys, whose
/// generation takes half a second and more of CPU: neither joining nor forwarding is to pay for it.
fn warm_up(generator: &mut Generator, process: Process) -> Result<(), Error> {
    for _ in 0..WARM_UP_STEPS {
        let before = process.cpu_time()?;
        generator.run_for(WARM_UP_STEP)?;
        if process.cpu_time()? - before < WARM_UP_CPU {
            return Ok(());
        }
    }
    Err(Error::Other(
        "the server does not come to rest with one publisher".to_owned(),
    ))
}

/// µs of CPU per packet of a forwarder that only encrypts, under the same load.
fn measure_floor(
    options: &Options,
    cores: Cores,
    generator: &mut Generator,
    sending: Sending,
) -> Result<f64, Error> {
    let floor = Floor::new(&generator.targets(), sending)?;
    let (address, window) = (floor.address(), options.window());
    let publisher = generator.publisher_address();
    thread::scope(|scope| {
        let floor = scope.spawn(move || floor.forward(cores, publisher, window));
        generator.drive_floor(address, || floor.is_finished())?;
        ended(floor)
    })
}

/// µs of CPU per packet of encryption and sending alone.
fn measure_sending(
    options: &Options,
    cores: Cores,
    generator: &mut Generator,
) -> Result<f64, Error> {
    let floor = Floor::new(&generator.targets(), Sending::Segmented)?;
    let (traffic, window) = (options.traffic(), options.window());
    thread::scope(|scope| {
        let floor = scope.spawn(move || floor.send_alone(cores, traffic, window));
        generator.discard_until(|| floor.is_finished())?;
        ended(floor)
    })
}

/// What a thread has measured, in µs.
fn ended(thread: ScopedJoinHandle<'_, Result<Duration, Error>>) -> Result<f64, Error> {
    let measured = thread.join();
    let measured = measured.map_err(|_| Error::Other("the floor panicked".to_owned()))?;
    measured.map(micros)
}

fn kib(process: Process) -> Result<f64, Error> {
    process.resident_kib().map(count)
}

fn percent(part: Duration, whole: Duration) -> f64 {
    100.0 * part.as_secs_f64() / whole.as_secs_f64()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[allow(clippy::cast_precision_loss)]
fn count(number: u64) -> f64 {
    number as f64
}
