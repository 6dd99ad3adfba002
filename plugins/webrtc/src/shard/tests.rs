//! What goes wrong in one transport, or in a shard, and who notices.

mod browser;

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use rivero_plugin_api::{Bytes, Layer, MediaKind, Packet, Rtp, SinkGroup, SinkSelection};
use rivero_rtp_session::Track;

use super::*;
use crate::link::Fault;
use browser::{Browser, PATIENCE};

/// Checks of the one that nothing happens to.
const CHECKS: usize = 50;

/// Holds the shard's thread until it is dropped: what is sent meanwhile comes all at once.
fn hold(shard: &Shard, token: Token) -> mpsc::Sender<()> {
    let (hold, held) = mpsc::channel::<()>();
    let (holds, is_held) = mpsc::channel();
    shard.with(token, move |_, _| {
        holds.send(()).unwrap();
        let _ = held.recv();
    });
    is_held.recv_timeout(PATIENCE).unwrap();
    hold
}

fn burst(shard: &Shard, token: Token) {
    let packet = Packet {
        bytes: Bytes::default(),
        format: 0,
        origin: 0,
        kind: MediaKind::Video,
        flags: 0,
        layer: Layer::default(),
        presentation_time: 0,
        ingress_time: 0,
        duration: 0,
        rtp: Rtp::default(),
    };
    let sink = SinkSelection {
        token: token.sink(Track::number(MediaKind::Video)),
        packets: 1,
    };
    ShardGroup::new(shard.queue.clone()).push_batch(&[packet], &[sink]);
}

fn works(shard: &Shard, browser: &Browser) {
    browser.send_check();
    assert_eq!(browser.answers(1), 1);
    let (sender, receiver) = mpsc::channel();
    shard.with(browser.token, move |_, _| sender.send(()).unwrap());
    receiver.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_transport_that_panics_is_lost_and_the_others_lose_nothing() {
    for fault in [
        Fault::Datagram,
        Fault::Forward,
        Fault::Deliver,
        Fault::Timeout,
        Fault::Transmit,
        Fault::Report,
    ] {
        let shard = Shard::start(None).unwrap();
        let [victim, other] = ["victim", "other"].map(|name| Browser::connect(&shard, name));
        other.datagrams();
        let held = hold(&shard, other.token);
        victim.sabotage(&shard, fault);
        for _ in 0..CHECKS {
            victim.send_check();
            burst(&shard, victim.token);
            other.send_check();
            burst(&shard, other.token);
        }
        drop(held);
        assert_eq!(other.answers(CHECKS), CHECKS, "{fault:?}");
        let text = victim.lost.recv_timeout(PATIENCE).unwrap();
        assert!(text.contains("on purpose"), "{fault:?}: {text}");
        let seen = victim.datagrams();
        let leaked = |datagram: &Vec<u8>| datagram.starts_with(b"not protected");
        assert!(!seen.iter().any(leaked), "{fault:?}");

        // Nothing leads to it any more, and its place can be taken.
        victim.send_check();
        works(&shard, &other);
        assert!(victim.datagrams().is_empty(), "{fault:?}");
        let (sender, receiver) = mpsc::channel::<()>();
        shard.with(victim.token, move |_, _| sender.send(()).unwrap());
        assert!(receiver.recv().is_err(), "{fault:?}");
        shard.close(victim.token);
        works(&shard, &Browser::connect(&shard, "next"));
        shard.send(Command::Stop);
    }
}

#[test]
fn an_action_that_panics_costs_its_transport_only() {
    let shard = Shard::start(None).unwrap();
    let [victim, other] = ["victim", "other"].map(|name| Browser::connect(&shard, name));
    shard.with(victim.token, |_, _| panic!("in an action"));
    let text = victim.lost.recv_timeout(PATIENCE).unwrap();
    assert!(text.contains("in an action"), "{text}");
    works(&shard, &other);
    shard.send(Command::Stop);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a destructor")
    }
}

#[test]
fn destructors_that_panic_cost_nobody_else_anything() {
    let shard = Shard::start(None).unwrap();
    let [victim, other] = ["victim", "other"].map(|name| Browser::connect(&shard, name));
    victim.sabotage(&shard, Fault::Drop);
    shard.close(victim.token);
    // For a transport that there is not, an action is dropped as it came.
    let bomb = Bomb;
    shard.with(victim.token, move |_, _| drop(bomb));
    works(&shard, &other);
    assert!(other.lost.try_recv().is_err());
    shard.send(Command::Stop);
}

#[test]
fn a_shard_that_fails_tells_its_transports_and_begins_anew() {
    let shard = Shard::start(None).unwrap();
    let before = Browser::connect(&shard, "before");
    for round in ["first", "second"] {
        let browser = Browser::connect(&shard, round);
        shard.send(Command::Panic);
        let text = browser.lost.recv_timeout(PATIENCE).unwrap();
        assert!(text.contains("told to"), "{text}");
        if round == "first" {
            before.lost.recv_timeout(PATIENCE).unwrap();
        }
    }
    let after = Browser::connect(&shard, "after");
    works(&shard, &after);
    shard.send(Command::Stop);
}

fn shards(count: usize) -> Arc<Shards> {
    let shards = (0..count).map(|_| Shard::start(None).unwrap()).collect();
    Arc::new(Shards {
        shards,
        next: AtomicUsize::new(0),
    })
}

/// Waits for the end of a shard's thread, which then changes nothing any more.
fn end(shard: &Shard) {
    while shard.commands.lock().unwrap().send(Command::Stop).is_ok() {
        let _ = shard.waker.wake();
        std::thread::yield_now();
    }
}

fn is_one_of(shard: &Arc<Shard>, others: &[&Arc<Shard>]) -> bool {
    others.iter().any(|other| Arc::ptr_eq(shard, other))
}

#[test]
fn endpoints_get_shards_that_work() {
    let shards = shards(3);
    let [first, second, third] = [0, 1, 2].map(|at| &shards.shards[at]);
    shards.shards.iter().for_each(|shard| end(shard));
    let assigned = || (0..6).map(|_| shards.assign().unwrap()).collect::<Vec<_>>();
    assert!(assigned().iter().any(|shard| is_one_of(shard, &[second])));
    second.pulse.set_down(true);
    assert!(
        assigned()
            .iter()
            .all(|shard| is_one_of(shard, &[first, third]))
    );
    third.pulse.set_stuck(true);
    assert!(assigned().iter().all(|shard| is_one_of(shard, &[first])));
    // One that is stuck may go on; one that is down has nobody who would take anything.
    first.pulse.set_down(true);
    assert!(assigned().iter().all(|shard| is_one_of(shard, &[third])));
    third.pulse.set_down(true);
    assert_eq!(shards.assign().map(|_| ()).unwrap_err().code, 40009);
}

#[test]
fn a_shard_that_does_not_turn_is_found() {
    let shards = shards(2);
    let shard = &shards.shards[1];
    let browser = Browser::connect(shard, "browser");
    let look = |before: &[Option<u64>]| watch::look(&shards.shards, before);
    let held = hold(shard, browser.token);
    let turns = look(&[]);
    assert!(
        !shard.pulse.is_stuck(),
        "a turn is found for the first time"
    );
    let turns = look(&turns);
    assert!(shard.pulse.is_stuck());
    assert!(!shards.shards[0].pulse.is_stuck(), "this one waits");
    drop(held);
    works(shard, &browser);
    let deadline = Instant::now() + PATIENCE;
    let mut turns = turns;
    while shard.pulse.is_stuck() {
        assert!(Instant::now() < deadline);
        turns = look(&turns);
        std::thread::sleep(Duration::from_millis(1));
    }
}
