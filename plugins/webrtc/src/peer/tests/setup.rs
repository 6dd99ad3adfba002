//! Connecting: how long it takes and what is reported on the way.

use super::super::*;
use super::network::*;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn peers_connect_within_four_round_trips() {
    let mut network = Network::connecting(Impairment::CLEAN, 1);
    assert!(network.run_until(LIMIT, Network::both_connected));
    let round_trip = 2 * Impairment::CLEAN.one_way;
    for side in &network.sides {
        let rounds = side.connected_at().unwrap().as_secs_f64() / round_trip.as_secs_f64();
        println!(
            "connected after {rounds:.2} round trips, {} datagrams",
            side.sent_datagrams
        );
        assert!(rounds <= 4.2, "{rounds}");
    }
}
