//! VP8 to H.264 through a whole server: CPU beside the plain `gst-launch-1.0` pipeline with the
//! same elements and settings, in turn and on the same core, and the time that a picture takes
//! from the publisher's socket to the viewer's.

mod call;
mod clip;

use std::time::Duration;

use crate::{
    affinity::Cores,
    error::Error,
    options::{Options, Transcode},
    process::Process,
    server::Server,
    statistics::{median, percentile, sorted},
};
use call::Call;
use clip::Clip;

/// CPU of the server in units of that of the plain pipeline.
const COST: f64 = 1.1;
/// ms, the median: that of Kurento 7.3.
const LATENCY: f64 = 3.2;
/// Share of the pictures that have to come through.
const COMPLETE: f64 = 0.99;
/// Media before a window.
const SETTLE: Duration = Duration::from_millis(1500);
/// Media after it, so that its last pictures arrive.
const DRAIN: Duration = Duration::from_millis(200);

/// What is measured at one size.
struct Figures {
    clip: Clip,
    server_percent: f64,
    plain_percent: f64,
    /// ms, sorted.
    latencies: Vec<f64>,
    sent: usize,
}

/// Prints the figures; which of them are not what they have to be.
pub(crate) fn measure(
    options: &Options,
    transcode: &Transcode,
    cores: Cores,
) -> Result<Vec<String>, Error> {
    let mut missed = Vec::new();
    println!(
        "VP8 to H.264, 1 publisher, 1 viewer, {} rounds of {} s",
        transcode.rounds, transcode.window
    );
    for (width, height, bitrate) in [(640, 480, 1_000_000), (1280, 720, 1_500_000)] {
        let clip = Clip::make(width, height, bitrate, SETTLE + transcode.window())?;
        let figures = of_size(options, transcode, cores, clip)?;
        figures.print();
        missed.extend(figures.missed());
    }
    Ok(missed)
}

fn of_size(
    options: &Options,
    transcode: &Transcode,
    cores: Cores,
    clip: Clip,
) -> Result<Figures, Error> {
    let server = Server::start(&options.release_dir, cores)?;
    let rounds = all_rounds(&server, transcode, cores, clip);
    rounds.inspect_err(|_| eprintln!("the server's log:\n{}", server.log()))
}

fn all_rounds(
    server: &Server,
    transcode: &Transcode,
    cores: Cores,
    clip: Clip,
) -> Result<Figures, Error> {
    let mut call = Call::open(server.address(), clip.pictures(), clip.bitrate())?;
    call.run_until_converted()?;
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    let (mut latencies, mut sent) = (Vec::new(), 0);
    for _ in 0..transcode.rounds {
        let (percent, pictures, times) = round(server.process(), transcode, &mut call)?;
        ours.push(percent);
        sent += pictures;
        latencies.extend(times);
        let window = transcode.window();
        plain.push(clip.plain_percent(cores, SETTLE, window, &mut |time| call.run_for(time))?);
    }
    Ok(Figures {
        clip,
        server_percent: median(ours),
        plain_percent: median(plain),
        latencies: sorted(latencies),
        sent,
    })
}

/// Percent of a core, pictures sent, and how many ms each took that arrived.
fn round(
    process: Process,
    transcode: &Transcode,
    call: &mut Call,
) -> Result<(f64, usize, Vec<f64>), Error> {
    call.play();
    call.run_for(SETTLE)?;
    call.open_window();
    let before = process.cpu_time()?;
    call.run_for(transcode.window())?;
    let cpu = process.cpu_time()? - before;
    let sent = call.close_window();
    call.run_for(DRAIN)?;
    call.pause();
    let percent = 100.0 * cpu.as_secs_f64() / transcode.window;
    Ok((percent, sent, call.take_latencies()))
}

impl Figures {
    fn ratio(&self) -> f64 {
        self.server_percent / self.plain_percent
    }

    fn print(&self) {
        let p = |share| percentile(&self.latencies, share);
        println!(
            "{}: server {:.1} % of a core, gst-launch {:.1} %: {:.2} times; latency p50 {:.2} ms, p99 {:.2} ms; {} of {} pictures",
            self.clip,
            self.server_percent,
            self.plain_percent,
            self.ratio(),
            p(0.5),
            p(0.99),
            self.latencies.len(),
            self.sent,
        );
    }

    fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        #[allow(clippy::cast_precision_loss)]
        let complete = self.latencies.len() as f64 / self.sent.max(1) as f64;
        if complete < COMPLETE {
            missed.push(format!(
                "{}: {:.1} % of the pictures came",
                self.clip,
                complete * 100.0
            ));
        }
        if self.clip.is_for_cost() {
            if self.ratio() > COST {
                let ratio = self.ratio();
                missed.push(format!(
                    "{}: {ratio:.2} times the CPU of gst-launch, wanted ≤ {COST}",
                    self.clip
                ));
            }
        } else {
            let p50 = percentile(&self.latencies, 0.5);
            if p50 > LATENCY {
                missed.push(format!(
                    "{}: latency p50 {p50:.2} ms, wanted ≤ {LATENCY}",
                    self.clip
                ));
            }
        }
        missed
    }
}
