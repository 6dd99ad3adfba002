//! I02: clients and peers that vanish in the middle of a call, round after round.

mod trial;

use serde_json::Value;

#[test]
fn memory_threads_and_descriptors_come_back() {
    let (endpoints, rounds) = match trial::scale() {
        1 => ("100", "3"),
        _ => ("1000", "5"),
    };
    let outcome = trial::run(&["abandon", "--endpoints", endpoints, "--rounds", rounds]);
    let rounds = outcome["rounds"].as_array().unwrap();
    let (first, last) = (rounds.first().unwrap(), rounds.last().unwrap());
    let figure = |round: &Value, key: &str| round[key].as_u64().unwrap_or(u64::MAX);
    for same in ["threads", "descriptors"] {
        assert!(
            figure(last, same) <= figure(first, same),
            "{same}: {outcome}"
        );
    }
    let grown = figure(last, "resident_kib").saturating_sub(figure(first, "resident_kib"));
    assert!(grown <= 5 * 1024, "{outcome}");
}
