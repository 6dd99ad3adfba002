//! `kmd exercise`: the process in which a module is put through something, and which may die of it.

use super::leaks::over_rounds;
use super::plan::{Fault, Finding, Job, Line, Piece, Plan, Step, Subject};
use super::process::{Surroundings, Usage};
use super::stage::{self, Stage};
use crate::Failure;
use rivero_plugin_api::{Format, Packet};
use rivero_testing::{Loaded, Pipeline};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// What has to return at once and takes longer is told: the server names it in its log then.
const AT_ONCE: Duration = Duration::from_secs(1);
/// KiB that one sequence may leave in use. Libraries that a module brings have caches.
const GROWTH: usize = 256 << 10;
/// KiB that media may take that passes by for long.
const KEPT: usize = 64 << 10;

/// Puts a module through something, for `kmd check` and `kmd fuzz`, which call this.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to do.
    job: PathBuf,
    /// Where to say what came of it.
    report: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let job: Job = serde_json::from_slice(&std::fs::read(&arguments.job)?)?;
    // Nobody would read what comes of it.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    // A module that crashes is told of; its memory is of no use to anybody.
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
    let report = Report(File::create(&arguments.report)?);
    report.doing("its start");
    let before = Surroundings::now();
    let module = Loaded::open(&job.library)?;
    match &job.subject {
        Subject::Class {
            name,
            is_hub,
            parameters,
        } => {
            let class = Exercised {
                module: &module,
                class: (name, *is_hub),
                parameters,
                report: &report,
            };
            class.run(&job.plan);
        }
        Subject::Conversion {
            index,
            input,
            output,
        } => convert(&module, *index, (input, output), &job.plan, &report),
    }
    report.found(before.changes());
    report.line(&Line::Done);
    // Threads of the module may be anywhere, and are not waited for.
    std::process::exit(0)
}

/// Where the process says what it does. A line is there before what it tells of is begun.
struct Report(File);

impl Report {
    fn line(&self, line: &Line) {
        let text = serde_json::to_string(line).unwrap_or_default() + "\n";
        // Whoever reads it notices that lines are missing.
        let _ = (&self.0).write_all(text.as_bytes());
    }

    fn doing(&self, text: impl Into<String>) {
        self.line(&Line::Doing(text.into()));
    }

    fn found(&self, findings: Vec<Finding>) {
        for finding in findings {
            self.line(&Line::Found(finding));
        }
    }
}

fn pipeline() -> Pipeline {
    Pipeline::new("{}")
}

/// Panics of the module's own threads, which it counts.
fn panics(pipeline: &Pipeline) -> Vec<Finding> {
    let count = pipeline.metric("panics_total").unwrap_or(0.0);
    let text = format!("{count} panic(s) of its threads");
    let fault = Fault::Panic;
    (count > 0.0)
        .then_some(Finding { fault, text })
        .into_iter()
        .collect()
}

/// A class, and how its objects are made.
struct Exercised<'a> {
    module: &'a Loaded,
    class: (&'a str, bool),
    parameters: &'a Value,
    report: &'a Report,
}

impl Exercised<'_> {
    fn run(&self, plan: &Plan) {
        match plan {
            Plan::Once(steps) => self.once(steps),
            Plan::Repeated {
                rounds,
                objects,
                steps,
            } => self.repeated(*rounds, *objects, steps),
            Plan::AtOnce {
                objects,
                calls,
                media,
            } => self.at_once(*objects, calls, media),
            Plan::Kept {
                media,
                times,
                is_taken,
            } => self.kept(media, *times, *is_taken),
        }
    }

    fn create<'p>(&self, pipeline: &'p Pipeline) -> Option<Stage<'p>> {
        match Stage::new(pipeline, self.module, self.class, self.parameters) {
            Ok(stage) => Some(stage),
            Err(finding) => {
                self.report.found(finding.into_iter().collect());
                None
            }
        }
    }

    fn once(&self, steps: &[Step]) {
        let pipeline = pipeline();
        let before = Usage::now().memory;
        self.report.doing("its constructor");
        let Some(stage) = self.create(&pipeline) else {
            return;
        };
        for step in steps {
            self.timed(&stage, step);
        }
        self.report.doing("its release");
        self.report.found(stage.end());
        self.report.found(panics(&pipeline));
        drop(pipeline);
        let grown = Usage::now().memory.saturating_sub(before);
        if grown > GROWTH {
            let text = format!("{} MiB are in use after it", grown >> 10);
            let fault = Fault::Growth;
            self.report.found(vec![Finding { fault, text }]);
        }
    }

    fn timed(&self, stage: &Stage<'_>, step: &Step) {
        self.report.doing(step.to_string());
        let begun = Instant::now();
        stage.step(step);
        let took = begun.elapsed();
        self.report.found(stage.findings());
        let may_block = matches!(
            step,
            Step::Call(..) | Step::Stats | Step::AddPort | Step::RemovePort | Step::Release
        );
        if !may_block && took > AT_ONCE {
            let text = format!("{step}: it took {} ms", took.as_millis());
            let fault = Fault::Slow;
            self.report.found(vec![Finding { fault, text }]);
        }
    }

    fn repeated(&self, rounds: usize, objects: usize, steps: &[Step]) {
        let left = over_rounds(rounds, objects, |round| {
            let pipeline = pipeline();
            for number in 0..objects {
                self.report
                    .doing(format!("object {}", round * objects + number + 1));
                let Some(stage) = self.create(&pipeline) else {
                    continue;
                };
                steps.iter().for_each(|step| stage.step(step));
                let mut found = stage.findings();
                found.extend(stage.end());
                self.report.found(found);
            }
            // What a timer does once after the end is its own business, if it comes to an end.
            pipeline.advance(Duration::from_secs(60));
            self.report.found(panics(&pipeline));
            pipeline.timers()
        });
        self.report.found(left);
    }

    fn at_once(&self, objects: usize, calls: &[Step], media: &[Step]) {
        let pipeline = pipeline();
        thread::scope(|scope| {
            // Two objects at a time, as two lanes of a server have them.
            for _ in 0..2 {
                scope.spawn(|| {
                    for number in 0..objects {
                        self.report
                            .doing(format!("object {} of {objects}", number + 1));
                        self.beside(&pipeline, calls, media);
                    }
                });
            }
        });
        self.report.found(panics(&pipeline));
    }

    /// Calls on one thread, media and time on two others, and the release while those go on.
    fn beside(&self, pipeline: &Pipeline, calls: &[Step], media: &[Step]) {
        let Some(stage) = self.create(pipeline) else {
            return;
        };
        let ports = [Step::AddPort, Step::AddPort, Step::Watch(true)];
        ports.iter().for_each(|step| stage.step(step));
        let is_over = AtomicBool::new(false);
        let goes_on = || !is_over.load(Relaxed);
        thread::scope(|scope| {
            scope.spawn(|| {
                for step in media.iter().cycle().take_while(|_| goes_on()) {
                    stage.step(step);
                }
            });
            scope.spawn(|| {
                while goes_on() {
                    stage.step(&Step::Pass(10));
                    stage.step(&Step::Ask(super::plan::Wish::Keyframe));
                }
            });
            calls.iter().for_each(|step| stage.step(step));
            thread::sleep(Duration::from_millis(2));
            stage.step(&Step::Release);
            thread::sleep(Duration::from_millis(2));
            is_over.store(true, Relaxed);
        });
        let mut found = stage.findings();
        found.extend(stage.end());
        self.report.found(found);
    }

    fn kept(&self, media: &[Step], times: usize, is_taken: bool) {
        let pipeline = pipeline();
        let Some(stage) = self.create(&pipeline) else {
            return;
        };
        let begin = [Step::AddPort, Step::AddPort, Step::Watch(is_taken)];
        begin.iter().for_each(|step| stage.step(step));
        let mut before = None;
        for number in 0..times {
            self.report
                .doing(format!("media, {number} of {times} times"));
            media.iter().for_each(|step| stage.step(step));
            // What it keeps at most is there by then.
            if number >= times / 4 {
                before.get_or_insert_with(|| Usage::now().memory);
            }
        }
        let grown = Usage::now().memory.saturating_sub(before.unwrap_or(0));
        self.report.found(stage.findings());
        self.report.found(stage.end());
        if grown > KEPT {
            let text = format!(
                "{} MiB more are in use after {times} times the same media",
                grown >> 10
            );
            let fault = Fault::Growth;
            self.report.found(vec![Finding { fault, text }]);
        }
    }
}

/// A converter gets the packets of all steps.
fn convert(module: &Loaded, index: u32, formats: (&Format, &Format), plan: &Plan, report: &Report) {
    let (steps, rounds, objects) = match plan {
        Plan::Once(steps) => (steps, 1, 1),
        Plan::Repeated {
            rounds,
            objects,
            steps,
        } => (steps, *rounds, *objects),
        Plan::AtOnce { objects, media, .. } => (media, 1, *objects),
        Plan::Kept { media, times, .. } => (media, 1, *times),
    };
    let pieces = |step: &Step| match step {
        Step::Push(_, pieces) => pieces.clone(),
        _ => Vec::new(),
    };
    let pieces: Vec<Piece> = steps.iter().flat_map(pieces).collect();
    let left = over_rounds(rounds, objects, |round| {
        let pipeline = pipeline();
        for number in 0..objects {
            report.doing(format!("conversion {}", round * objects + number + 1));
            let packets: Vec<Packet> = pieces
                .iter()
                .map(|piece| stage::packet(&pipeline, piece))
                .collect();
            let converted = pipeline.convert_loaded(module, index, formats, &packets);
            let failed = converted
                .err()
                .filter(|error| error.message.starts_with("the module panicked"));
            let panic = failed.map(|error| Finding {
                fault: Fault::Panic,
                text: error.message,
            });
            report.found(panic.into_iter().collect());
        }
        report.found(panics(&pipeline));
        0
    });
    report.found(left);
}
