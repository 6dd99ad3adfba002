//! What goes wrong in one link, and who notices.

mod browser;

use std::sync::mpsc;

use rivero_plugin_api::{Bytes, Layer, MediaKind, Packet, Rtp, SinkSelection};
use rivero_rtp_session::Track;

use super::*;
use crate::link::Fault;
use browser::{Browser, PATIENCE};

/// Checks of the one that nothing happens to.
const CHECKS: usize = 50;

fn start() -> Arc<Shard> {
    Shard::start::<LinkRouting>("webrtc", Sockets::bind(None).unwrap()).unwrap()
}

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
        ..Packet::default()
    };
    let sink = SinkSelection {
        token: token.sink(Track::number(MediaKind::Video)),
        packets: 1,
    };
    shard.push_batch(&[packet], &[sink]);
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
        let shard = start();
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
    let shard = start();
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
    let shard = start();
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
