//! The measurement of plain RTP itself, small: it needs what `make build-tests` leaves.

mod trial;

#[test]
fn streams_of_plain_rtp_arrive_whole() {
    let window = trial::scale().to_string();
    let options = ["--streams", "5", "--rounds", "1", "--window", &window];
    let outcome = trial::run(&[&["--no-gates", "rtp"][..], &options].concat());
    assert_eq!(outcome["lost"].as_u64(), Some(0), "{outcome}");
    for measured in ["cpu_us_per_packet", "plain_us_per_packet"] {
        assert!(outcome[measured].as_f64() > Some(0.0), "{outcome}");
    }
}
