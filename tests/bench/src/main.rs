//! `rivero-bench`: what one publisher and many viewers cost a running Rivero.
//!
//! It starts `target/release/rivero` with its modules on one core, drives it over its WebSocket
//! like any client, and sends and receives media with real DTLS-SRTP peers from another core:
//!
//! * [`forwarding`]: CPU per forwarded packet, latency, time to first media, memory;
//! * [`floor`]: what encryption and the socket calls alone cost for the same packets;
//! * [`control`]: requests per second;
//! * [`transcoding`]: VP8 to H.264 beside the plain pipeline of GStreamer, and its latency;
//! * [`rtp`]: plain RTP through pairs of RtpEndpoints beside the socket calls alone;
//! * [`abandon`], [`hostile`]: what remains of clients that vanish, and what calls suffer from
//!   hostile datagrams;
//! * [`call`]: what a call on a running server loses, while something else happens to that.
//!
//! [`generator`] is the load: one thread that owns all peers ([`participant`]), few sockets and
//! the connection to the server ([`rpc`]).

mod abandon;
mod affinity;
mod call;
mod capture;
mod control;
mod error;
mod floor;
mod forwarding;
mod generator;
mod hostile;
mod options;
mod participant;
mod process;
mod reception;
mod report;
mod rpc;
mod rtp;
mod sdp;
mod server;
mod source;
mod statistics;
mod traffic;
mod transcoding;

use std::process::ExitCode;

use clap::Parser;

use affinity::Cores;
use error::Error;
use options::{Options, Trial};
use report::Report;
use serde_json::json;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.trial {
        None => measure(&options).map(|report| told(&options, &report)),
        Some(trial) => bear(&options, trial),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rivero-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the figures; a failure where one is not what it has to be.
fn told(options: &Options, report: &Report) -> ExitCode {
    match options.json {
        true => report.print_json(),
        false => report.print_table(),
    }
    judged(options, &report.missed())
}

fn judged(options: &Options, missed: &[String]) -> ExitCode {
    for gate in missed {
        eprintln!("missed: {gate}");
    }
    match missed.is_empty() || options.no_gates {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Prints what became of a trial.
fn bear(options: &Options, trial: &Trial) -> Result<ExitCode, Error> {
    let enter = || -> Result<Cores, Error> {
        let cores = Cores::choose(options.server_core, options.generator_core)?;
        cores.enter_generator()?;
        Ok(cores)
    };
    let outcome = match trial {
        Trial::Abandon(abandon) => {
            json!({"rounds": abandon::measure(options, abandon, enter()?)?})
        }
        // Beside a server that it did not start, and its load, it has no core for itself.
        Trial::Call(call) => json!(call::measure(options, call)?),
        Trial::Hostile(hostile) => json!(hostile::measure(options, hostile, enter()?)?),
        Trial::Rtp(rtp) => {
            let missed = rtp::measure(options, rtp, enter()?)?;
            return Ok(judged(options, &missed));
        }
        Trial::Transcode(transcode) => {
            let missed = transcoding::measure(options, transcode, enter()?)?;
            return Ok(judged(options, &missed));
        }
    };
    println!("{outcome}");
    Ok(ExitCode::SUCCESS)
}

/// All measurements, the repetitions of each spread over the whole time: A, B, A, B.
fn measure(options: &Options) -> Result<Report, Error> {
    let cores = Cores::choose(options.server_core, options.generator_core)?;
    cores.enter_generator()?;
    let mut report = Report::new(options, cores);
    for _ in 0..options.runs {
        let counts = options.viewers.iter().filter(|_| !options.only_control);
        for &viewers in counts {
            let run = forwarding::measure(options, cores, viewers)?;
            report.add_forwarding(viewers, run);
        }
        if options.control_seconds > 0.0 {
            report.add_control(control::measure(options, cores)?);
        }
    }
    Ok(report)
}
