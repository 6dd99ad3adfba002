//! Streams of plain RTP through pairs of RtpEndpoints, beside a loop that does nothing but receive and send
//! them through as many sockets.

mod calls;
mod load;
mod plain;

use std::{sync::atomic::AtomicBool, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    affinity::Cores,
    error::Error,
    options::{Options, Rtp},
    server::Server,
    statistics::median,
};
use load::Load;
use plain::Plain;

/// Media before the window, so that all sections are open and all threads have begun.
const SETTLE: Duration = Duration::from_secs(1);
/// Nothing is sent before and after the window, so that what was under way has arrived.
const PAUSE: Duration = Duration::from_millis(300);
/// CPU per packet as a multiple of the plain loop's, at most.
const MOST: f64 = 1.5;

/// What one side did with the packets of a window.
struct Side {
    /// µs of CPU for each packet that arrived.
    cpu: f64,
    lost: u64,
}

/// Measures both sides in turn; prints the figures and returns what is not as it has to be.
pub(crate) fn measure(options: &Options, rtp: &Rtp, cores: Cores) -> Result<Vec<String>, Error> {
    let mut rounds = Vec::new();
    for _ in 0..rtp.rounds {
        let server = measure_server(options, rtp, cores)?;
        let plain = measure_plain(rtp, cores)?;
        rounds.push((server, plain));
    }
    let middle = |of: fn(&(Side, Side)) -> f64| median(rounds.iter().map(of).collect());
    let (server, plain) = (
        middle(|(server, _)| server.cpu),
        middle(|(_, plain)| plain.cpu),
    );
    let ratio = middle(|(server, plain)| server.cpu / plain.cpu);
    let lost = |of: fn(&(Side, Side)) -> u64| rounds.iter().map(of).sum::<u64>();
    let (server_lost, plain_lost) = (
        lost(|(server, _)| server.lost),
        lost(|(_, plain)| plain.lost),
    );
    let report: Value = json!({
        "streams": rtp.streams,
        "cpu_us_per_packet": server,
        "plain_us_per_packet": plain,
        "times_plain": ratio,
        "lost": server_lost,
        "plain_lost": plain_lost,
    });
    println!("{report:#}");
    let mut missed = Vec::new();
    if ratio > MOST {
        let text = format!("times_plain is {ratio:.2}, but has to be at most {MOST}");
        missed.push(text);
    }
    if server_lost > 0 {
        missed.push(format!("{server_lost} packets were lost"));
    }
    Ok(missed)
}

fn measure_server(options: &Options, rtp: &Rtp, cores: Cores) -> Result<Side, Error> {
    let server = Server::start(&options.release_dir, cores)?;
    let mut load = Load::new()?;
    let process = server.process();
    let measured = calls::connect(server.address(), rtp.streams, &load).and_then(|calls| {
        load.aim(calls.targets());
        load.send_for(SETTLE)?;
        load.receive_for(PAUSE)?;
        let before = process.cpu_time()?;
        let (sent, received) = window(&mut load, rtp)?;
        let cpu = process.cpu_time()?.saturating_sub(before);
        Ok(Side {
            cpu: per_packet(cpu, received),
            lost: sent.saturating_sub(received),
        })
    });
    measured.inspect_err(|_| eprintln!("the server's log:\n{}", server.log()))
}

fn measure_plain(rtp: &Rtp, cores: Cores) -> Result<Side, Error> {
    let mut load = Load::new()?;
    let plain = Plain::new(rtp.streams, load.destination())?;
    load.aim(plain.targets()?);
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let running = scope.spawn(|| plain.forward(cores, &ended));
        let counted = window(&mut load, rtp);
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        let forwarded = running
            .join()
            .map_err(|_| Error::Other("the plain loop panicked".to_owned()))??;
        let (sent, received) = counted?;
        Ok(Side {
            cpu: per_packet(forwarded, received),
            lost: sent.saturating_sub(received),
        })
    })
}

/// Sends for the length of a window; gives how many packets were sent, and how many arrived.
fn window(load: &mut Load, rtp: &Rtp) -> Result<(u64, u64), Error> {
    load.begin_count();
    load.send_for(rtp.window())?;
    load.receive_for(PAUSE)?;
    Ok(load.counted())
}

fn per_packet(cpu: Duration, packets: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let packets = packets.max(1) as f64;
    cpu.as_secs_f64() * 1e6 / packets
}
