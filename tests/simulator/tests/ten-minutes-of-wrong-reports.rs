//! Sound and pictures stay together for as long as a call takes, whatever the sender reports say: what is wrong by little in a minute
//! would be wrong by seconds then.

use rivero_simulator::{run_all, scenario::WrongReports, scenarios};

const TEN_MINUTES: u64 = 600;
/// How far apart sound and pictures may be, ms: nobody notices.
const TOGETHER: u64 = 40;
/// Of the clock of the sending side, parts per million, as crystals have it.
const DRIFT: i64 = 50;

#[test]
fn sound_and_pictures_stay_together() {
    let mut all = Vec::new();
    for mut scenario in scenarios::all() {
        if !scenario.name.starts_with("wrong-reports-") {
            continue;
        }
        scenario.length = TEN_MINUTES;
        for flow in &mut scenario.flows {
            // Where those of pictures alone are not believed, nobody knows of their clock what that of sound tells.
            let tells = flow.wrong_reports != Some(WrongReports::VideoIsOff);
            flow.drift = if tells { DRIFT } else { 0 };
        }
        all.push(scenario);
    }
    assert!(!all.is_empty(), "no scenario is of wrong reports");
    for (scenario, outcomes) in all.iter().zip(run_all(&all, 1)) {
        let skew = outcomes.iter().map(|outcome| outcome.skew).max();
        assert!(
            skew.is_some_and(|skew| skew <= TOGETHER),
            "{}: {skew:?} ms apart",
            scenario.name,
        );
    }
}
