//! Whoever guesses tokens waits longer and longer, and who has the right one does not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::{Bench, Client, Toys, guard, token};
use serde_json::json;
use tokio::task::JoinSet;

async fn bench() -> Bench {
    let auth = json!({"tokens": {"a": {"value": token("a")}}});
    Bench::with(Toys::new(), |options| options.guard = Arc::new(guard(auth))).await
}

#[tokio::test]
async fn answers_to_guesses_come_late_and_those_to_others_do_not() {
    let bench = bench().await;
    let begun = Instant::now();
    for number in 0..5 {
        let wrong = format!("wrong-{number}");
        assert_eq!(Client::refused(bench.address, &wrong).await, 401);
    }
    // Three are free, the next ones cost 250 and 500 ms.
    assert!(begun.elapsed() >= Duration::from_millis(750));
    let mut client = Client::bearing(bench.address, &token("a")).await;
    client.result("ping", json!({})).await;
}

#[tokio::test]
async fn many_guesses_at_a_time_are_not_even_looked_at() {
    let bench = bench().await;
    let address = bench.address;
    let mut guesses = JoinSet::new();
    for number in 0..40 {
        guesses.spawn(async move { Client::refused(address, &format!("wrong-{number}")).await });
    }
    let statuses = guesses.join_all().await;
    let count = |status| statuses.iter().filter(|given| **given == status).count();
    assert_eq!(count(401) + count(429), 40, "{statuses:?}");
    assert!(count(429) > 0, "{statuses:?}");
    // Requests without a token are not guesses, and a right one is heard as soon as there is room.
    let mut client = Client::bearing(address, &token("a")).await;
    client.result("ping", json!({})).await;
}
