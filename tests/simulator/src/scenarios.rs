//! The scenarios: one line of the baseline each.
//!
//! Those of RFC 8867 have its shape: rates, moments and delays. What does not fit is left out: flows that
//! compete with TCP (§5.6, §5.7), because nothing here speaks it. Jitter is a scenario of its own, so that
//! it hides nothing in the others.

use crate::{
    link::{Bursts, Conditions},
    scenario::{Flow, Scenario, Video, WrongReports},
};

/// RFC 8867: one-way delay, ms, where a test case does not say otherwise.
const DELAY: u64 = 50;
/// The same of a queue.
const QUEUE: u64 = 300;
/// Of two queues that are shorter and longer than that: a switch with little memory, and a mobile network.
const SHORT_QUEUE: u64 = 60;
const LONG_QUEUE: u64 = 1000;

/// The encoder of most scenarios: what browsers send of a usual camera at the most, and a picture that can
/// just be recognised.
const ENCODER: Video = Video::Follows {
    least: 150_000,
    most: 1_500_000,
};
const SIMULCAST: &[u64] = &[150_000, 500_000, 1_500_000];

fn flow() -> Flow {
    let path = Conditions {
        delay: DELAY,
        ..Conditions::default()
    };
    Flow {
        start: 0,
        direction: 0,
        video: ENCODER,
        pauses: Vec::new(),
        media: path,
        feedback: path,
        drift: 0,
        wrong_reports: None,
    }
}

/// One flow on a path of this rate, kbit/s, for a minute.
fn scenario(name: &'static str, rate: u64) -> Scenario {
    Scenario {
        name,
        length: 60,
        rates: [vec![(0, rate)], Vec::new()],
        queue: QUEUE,
        flows: vec![flow()],
    }
}

/// The same with other media conditions.
fn with_media(name: &'static str, rate: u64, change: impl FnOnce(&mut Conditions)) -> Scenario {
    with_flow(name, rate, |flow| change(&mut flow.media))
}

fn with_flow(name: &'static str, rate: u64, change: impl FnOnce(&mut Flow)) -> Scenario {
    let mut flow = flow();
    change(&mut flow);
    Scenario {
        flows: vec![flow],
        ..scenario(name, rate)
    }
}

/// All scenarios, in the order of their names.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let mut all = rfc_8867();
    all.extend(capacities());
    all.extend(impairments());
    all.extend(servers_own());
    all.sort_by_key(|scenario| scenario.name);
    all
}

fn rfc_8867() -> Vec<Scenario> {
    let starting_at = |start| Flow { start, ..flow() };
    let with_delay = |delay, start| {
        let path = Conditions {
            delay,
            ..Conditions::default()
        };
        Flow {
            media: path,
            feedback: path,
            ..starting_at(start)
        }
    };
    // Its sound goes on, as that of a call whose camera is switched off.
    let pausing = Flow {
        pauses: vec![(40, 60)],
        ..starting_at(0)
    };
    let back = Flow {
        direction: 1,
        ..flow()
    };
    vec![
        Scenario {
            length: 100,
            rates: [
                vec![(0, 1000), (40, 2500), (60, 600), (80, 1000)],
                Vec::new(),
            ],
            ..scenario("rfc8867-5.1-variable-capacity", 0)
        },
        Scenario {
            length: 125,
            rates: [
                vec![(0, 4000), (25, 2000), (50, 3500), (75, 1000), (100, 2000)],
                Vec::new(),
            ],
            flows: vec![flow(), flow()],
            ..scenario("rfc8867-5.2-variable-capacity-two-flows", 0)
        },
        Scenario {
            length: 100,
            rates: [
                vec![(0, 2000), (20, 1000), (40, 500), (60, 2000)],
                vec![(0, 2000), (35, 800), (70, 2000)],
            ],
            flows: vec![flow(), back],
            ..scenario("rfc8867-5.3-congested-feedback", 0)
        },
        Scenario {
            length: 120,
            flows: vec![flow(), starting_at(20), starting_at(40)],
            ..scenario("rfc8867-5.4-three-flows", 3500)
        },
        Scenario {
            length: 150,
            flows: vec![
                with_delay(10, 0),
                with_delay(25, 10),
                with_delay(50, 20),
                with_delay(100, 30),
                with_delay(150, 40),
            ],
            ..scenario("rfc8867-5.5-round-trip-fairness", 4000)
        },
        Scenario {
            length: 120,
            flows: vec![flow(), pausing, starting_at(0)],
            ..scenario("rfc8867-5.8-pause-and-resume", 3500)
        },
    ]
}

/// One flow, and what its path carries.
fn capacities() -> Vec<Scenario> {
    vec![
        scenario("capacity-2500-more-than-needed", 2500),
        scenario("capacity-1000", 1000),
        scenario("capacity-300", 300),
        Scenario {
            queue: SHORT_QUEUE,
            ..scenario("capacity-1000-short-queue", 1000)
        },
        Scenario {
            queue: LONG_QUEUE,
            ..scenario("capacity-1000-long-queue", 1000)
        },
        Scenario {
            rates: [vec![(0, 2500), (20, 250), (25, 2500)], Vec::new()],
            ..scenario("capacity-falls-to-a-tenth", 0)
        },
    ]
}

/// One flow, and what its path does besides.
fn impairments() -> Vec<Scenario> {
    let bursts = Some(Bursts {
        apart: 500,
        length: 5,
    });
    vec![
        with_media("impaired-jitter", 1000, |media| media.jitter = 30),
        with_media("impaired-loss-2-percent", 2500, |media| media.lost = 20_000),
        with_media("impaired-loss-10-percent", 2500, |media| {
            media.lost = 100_000;
        }),
        with_media("impaired-loss-in-bursts", 2500, |media| {
            media.bursts = bursts
        }),
        with_media("impaired-loss-on-a-narrow-path", 700, |media| {
            media.lost = 20_000;
            media.jitter = 10;
        }),
        with_media("impaired-reordering", 1000, |media| {
            (media.reordered, media.reordered_by) = (50_000, 20);
        }),
        with_flow("impaired-feedback-loss", 1000, |flow| {
            flow.feedback.lost = 200_000;
        }),
        with_flow("impaired-feedback-loss-in-bursts", 1000, |flow| {
            flow.feedback.bursts = Some(Bursts {
                apart: 100,
                length: 20,
            });
        }),
        with_flow("impaired-long-way", 1000, |flow| {
            (flow.media.delay, flow.feedback.delay) = (250, 250);
        }),
    ]
}

/// What a media server has to do with.
fn servers_own() -> Vec<Scenario> {
    let simulcast = Video::Encodings {
        rates: SIMULCAST,
        best_is_off: None,
    };
    vec![
        with_flow("weak-joiner", 300, |flow| flow.video = simulcast),
        with_flow("weak-joiner-400", 400, |flow| flow.video = simulcast),
        with_flow("simulcast-700", 700, |flow| flow.video = simulcast),
        with_flow("simulcast-more-than-needed", 4000, |flow| {
            flow.video = simulcast;
        }),
        Scenario {
            rates: [vec![(0, 2500), (20, 700), (40, 2500)], Vec::new()],
            ..with_flow("simulcast-variable-capacity", 0, |flow| {
                flow.video = simulcast;
            })
        },
        with_flow("layer-turned-off", 2500, |flow| {
            flow.video = Video::Encodings {
                rates: SIMULCAST,
                best_is_off: Some((20, 40)),
            };
        }),
        with_flow("camera-off-and-on", 1000, |flow| {
            flow.pauses = vec![(20, 30), (40, 45)];
        }),
        with_flow("clock-drift-fast", 1000, |flow| flow.drift = 200),
        with_flow("clock-drift-slow", 1000, |flow| flow.drift = -200),
    ]
    .into_iter()
    .chain(wrong_reports())
    .collect()
}

/// Sender reports that say what is not so.
fn wrong_reports() -> impl Iterator<Item = Scenario> {
    [
        ("wrong-reports-video-off", WrongReports::VideoIsOff),
        ("wrong-reports-no-wall-clock", WrongReports::NoWallClock),
        ("wrong-reports-clock-stands", WrongReports::WallClockStands),
        ("wrong-reports-clock-jumps", WrongReports::WallClockJumps),
        ("wrong-reports-double-speed", WrongReports::DoubleSpeed),
        ("wrong-reports-no-timestamp", WrongReports::NoTimestamp),
    ]
    .into_iter()
    .map(|(name, wrong)| with_flow(name, 1000, |flow| flow.wrong_reports = Some(wrong)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_sound() {
        let all = all();
        for scenario in &all {
            let name = scenario.name;
            assert!(name.len() <= crate::table::NAME_WIDTH, "{name} is too long");
            assert!(
                scenario.rates.iter().all(|steps| steps.is_sorted()),
                "{name}"
            );
            assert!(
                scenario.flows.iter().all(|flow| flow.direction < 2),
                "{name}"
            );
            assert!(scenario.length > 20, "{name}: the first 10 s do not count");
        }
        let names: Vec<_> = all.iter().map(|scenario| scenario.name).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    }
}
