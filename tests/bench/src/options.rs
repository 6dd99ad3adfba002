//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{
    capture::Recorded,
    traffic::{Even, Shape, Traffic},
};

/// Measures a release build of Rivero: 1 publisher to N real DTLS-SRTP viewers on loopback, beside
/// the floor (AES-128-GCM and the same socket calls) and a plain forwarder of the `webrtc` crate in
/// the same run, then the control side.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) trial: Option<Trial>,
    /// Where `make build` left `rivero` and `modules/`
    #[arg(
        long,
        global = true,
        env = "RIVERO_RELEASE_DIR",
        default_value = "target/release",
        value_name = "DIR"
    )]
    pub(crate) release_dir: PathBuf,
    /// Numbers of viewers, with commas
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "10,40,100",
        value_name = "N,..",
        value_parser = clap::value_parser!(u32).range(1..=20_000)
    )]
    pub(crate) viewers: Vec<u32>,
    /// Repetitions, of which the medians are shown
    #[arg(long, default_value_t = 1, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) runs: u32,
    /// Seconds of media that are measured, after every viewer receives
    #[arg(long, default_value_t = 5.0, value_name = "S", value_parser = seconds)]
    pub(crate) seconds: f64,
    /// Milliseconds between two viewers' processOffer; 0 = all at once
    #[arg(long, default_value_t = 50, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub(crate) join_interval: u64,
    /// Milliseconds over which the publisher spreads the packets of a frame, as a pacer does;
    /// 0 = one burst
    #[arg(long, default_value_t = 0, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=30))]
    pub(crate) spread: u64,
    /// Packets of a frame, of which 25 come per second
    #[arg(long, default_value_t = Even::VGA_1_MBPS.packets_per_frame, value_name = "P", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) packets_per_frame: u32,
    /// Send what Chromium sent once, in place of frames that are all alike
    #[arg(long, value_name = "CODEC", conflicts_with_all = ["spread", "packets_per_frame"])]
    pub(crate) capture: Option<Recorded>,
    /// Milliseconds between two transport-wide feedbacks of a viewer; 0 = none
    #[arg(long, default_value_t = 100, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub(crate) feedback_interval: u64,
    /// Seconds for each kind of request on the control side; 0 = leave it out
    #[arg(long, default_value_t = 2.0, value_name = "S", value_parser = seconds)]
    pub(crate) control_seconds: f64,
    /// Connections on the control side
    #[arg(long, default_value_t = 8, value_name = "C", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) connections: u32,
    /// Leave forwarding out: the control side only
    #[arg(long)]
    pub(crate) only_control: bool,
    /// Succeed whatever the figures are, as on a machine that others use
    #[arg(long)]
    pub(crate) no_gates: bool,
    /// Leave the floor out
    #[arg(long)]
    pub(crate) no_floor: bool,
    /// Leave the forwarder of the `webrtc` crate out
    #[arg(long)]
    pub(crate) no_forwarder: bool,
    /// The server's core; by default the first that is allowed
    #[arg(long, value_name = "CPU")]
    pub(crate) server_core: Option<usize>,
    /// The load's core; by default the last that is allowed
    #[arg(long, value_name = "CPU")]
    pub(crate) generator_core: Option<usize>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// What else a server can be made to bear.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Trial {
    /// Endpoints are connected and dropped without goodbye; memory, threads and descriptors
    /// after each round, as JSON
    Abandon(Abandon),
    /// One publisher and its viewers on a server that runs already, until the standard input ends;
    /// what they lose, as JSON
    Call(Call),
    /// Mutated copies of real datagrams at a server with calls; what they suffer, as JSON
    Hostile(Hostile),
    /// Plain RTP goes through pairs of RtpEndpoints; CPU beside a loop of recvmmsg and sendmmsg
    Rtp(Rtp),
    /// VP8 is converted to H.264; CPU beside gst-launch-1.0, and latency
    Transcode(Transcode),
}

/// Of [`Trial::Abandon`].
#[derive(Debug, Clone, Args)]
pub(crate) struct Abandon {
    /// Endpoints of a round
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=20_000))]
    pub(crate) endpoints: u32,
    /// Rounds
    #[arg(long, default_value_t = 5, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
}

/// Of [`Trial::Call`].
#[derive(Debug, Clone, Args)]
pub(crate) struct Call {
    /// Address and port of the server's WebSocket
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) server: SocketAddr,
    /// Viewers
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) viewers: u32,
}

/// Of [`Trial::Hostile`].
#[derive(Debug, Clone, Args)]
pub(crate) struct Hostile {
    /// Hostile datagrams
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    pub(crate) datagrams: u64,
    /// Hostile datagrams per second
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
    /// Viewers that are to suffer nothing
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) calls: u32,
    /// Where the random numbers begin
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub(crate) seed: u64,
}

/// Of [`Trial::Rtp`].
#[derive(Debug, Clone, Args)]
pub(crate) struct Rtp {
    /// Streams of sound, each through a pair of endpoints
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub(crate) streams: u32,
    /// Rounds, of which the medians are taken
    #[arg(long, default_value_t = 3, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Seconds that are measured, of each round and side
    #[arg(long, default_value_t = 5.0, value_name = "S", value_parser = window)]
    pub(crate) window: f64,
}

impl Rtp {
    /// The length of the measured windows.
    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs_f64(self.window)
    }
}

/// Of [`Trial::Transcode`].
#[derive(Debug, Clone, Args)]
pub(crate) struct Transcode {
    /// Rounds, of which the medians are taken
    #[arg(long, default_value_t = 3, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Seconds that are measured, of each round and side
    #[arg(long, default_value_t = 5.0, value_name = "S", value_parser = window)]
    pub(crate) window: f64,
}

impl Transcode {
    /// The length of the measured windows.
    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs_f64(self.window)
    }
}

impl Options {
    /// The length of the measured window.
    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// Frames that are all alike.
    pub(crate) fn even(&self) -> Even {
        Even {
            spread: Duration::from_millis(self.spread),
            packets_per_frame: self.packets_per_frame,
            ..Even::VGA_1_MBPS
        }
    }

    /// What the publisher sends.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            shape: match self.capture {
                Some(capture) => Shape::Captured(capture.load()),
                None => Shape::Even(self.even()),
            },
            feedback_interval: Duration::from_millis(self.feedback_interval),
        }
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if (0.0..=600.0).contains(&value) => Ok(value),
        _ => Err("a number of seconds from 0 to 600 is expected".to_owned()),
    }
}

fn window(text: &str) -> Result<f64, String> {
    seconds(text).and_then(|seconds| match seconds >= 1.0 {
        true => Ok(seconds),
        false => Err("at least a second is expected".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viewers_are_a_list() {
        let options = Options::parse_from(["rivero-bench", "--viewers", "3,1000"]);
        assert_eq!(options.viewers, [3, 1000]);
        assert!(Options::try_parse_from(["rivero-bench", "--seconds", "-1"]).is_err());
    }
}
