//! Flights whose datagrams get lost, come late, twice, or in small pieces; and what is not a flight.
//!
//! Both sides of a link are ours unless it says otherwise, so that a test is about the client and the
//! server.

use std::time::Duration;

use super::dtls_link::{Fate, Link};
use super::network::Impairment;
use crate::peer::*;

const ROUND_TRIP: Duration = Duration::from_millis(20);
/// Of `webrtcbin`, which fragments for the smallest path that there is.
const SMALL: Option<usize> = Some(256);
const LIMIT: Duration = Duration::from_secs(20);

/// A client of ours with a server of ours, and with one that sends its flight at once.
const LINKS: [Connect; 2] = [Link::new, Link::to_other_server];
type Connect = fn(Impairment, Option<usize>, u64) -> Link;

fn clean(datagram_len: Option<usize>) -> Link {
    Link::new(Impairment::CLEAN, datagram_len, 1)
}

/// Bounds for the slowest of all seeds. Timers are those of RFC 6347 §4.2.4 from 150 ms on, so a
/// flight is sent at 0, 0.15, 0.45, 1.05, 2.25 and 4.65 s, and there are three exchanges: for the
/// cookie, for the server's flight, for the client's. What has arrived of a flight stays, so each
/// repetition has to bring the rest only. Without loss nothing needs a timer but what jitter delays;
/// with 5 % two repetitions in one exchange and one in the others are as unlucky as 1 of 1000; with
/// 20 % it is five in one and three in the others, 4.65 + 2 * 1.05 s.
///
/// The other server repeats its flight at 1, 3, 7 and 15 s, as the RFC recommends and OpenSSL does,
/// and for nothing else: 5 % take it one repetition or two, and at 20 % the one at 15 s has to be the
/// last, since a client gives its own flight up after 16.65 s.
#[test]
fn handshakes_survive_loss_reordering_and_small_datagrams() {
    for (loss, seconds) in [(0, [0.4, 0.4]), (5, [1.5, 3.5]), (20, [7.0, 16.0])] {
        for (connect, seconds) in LINKS.iter().zip(seconds) {
            let mut slowest = Duration::ZERO;
            for seed in 0..60 {
                let impairment = Impairment {
                    one_way: ROUND_TRIP / 2,
                    loss,
                    duplication: 5,
                    jitter: Duration::from_millis(30),
                };
                for datagram_len in [None, SMALL] {
                    let mut link = connect(impairment, datagram_len, seed);
                    assert!(
                        link.run_until(LIMIT, Link::both_connected),
                        "{loss} % loss, {datagram_len:?}, seed {seed}: {:?}",
                        link.states
                    );
                    slowest = slowest.max(link.elapsed());
                }
            }
            println!("{loss} % loss: the slowest took {slowest:?}");
            assert!(slowest.as_secs_f64() < seconds, "{loss} %: {slowest:?}");
        }
    }
}

/// Runs the handshake with `fate` for each one datagram of each side; none takes longer than `bound`.
fn each_datagram(connect: Connect, fate: Fate, bound: Duration) {
    for datagram_len in [None, SMALL] {
        for (side, chosen) in (0..2).flat_map(|side| (0..12).map(move |chosen| (side, chosen))) {
            let fate = move |from, number| match (from, number) == (side, chosen) {
                true => fate,
                false => Fate::Usual,
            };
            let mut link = connect(Impairment::CLEAN, datagram_len, 1).with_fate(fate);
            assert!(
                link.run_until(LIMIT, Link::both_connected),
                "datagram {chosen} of side {side}, {datagram_len:?}: {:?}",
                link.states
            );
            let took = link.elapsed();
            assert!(
                took <= bound,
                "{chosen} of {side}, {datagram_len:?}: {took:?}"
            );
        }
    }
}

/// A wait, and at most one exchange more than without loss.
#[test]
fn any_datagram_may_get_lost() {
    let exchanges = 4 * ROUND_TRIP;
    each_datagram(
        Link::new,
        Fate::Lost,
        Duration::from_millis(150) + exchanges,
    );
    each_datagram(
        Link::to_other_server,
        Fate::Lost,
        Duration::from_secs(1) + exchanges,
    );
}

/// No timer runs out: what came early waits for it.
#[test]
fn any_datagram_may_come_last_of_its_flight() {
    let delay = Duration::from_millis(15);
    for connect in LINKS {
        each_datagram(connect, Fate::Late(delay), 3 * ROUND_TRIP + delay);
    }
}

#[test]
fn flights_may_arrive_backwards() {
    // Each datagram takes less than the one before it.
    let fate = |_, number| Fate::Late(Duration::from_millis(60 - 2 * (number as u64).min(30)));
    let mut link = clean(SMALL).with_fate(fate);
    assert!(
        link.run_until(LIMIT, Link::both_connected),
        "{:?}",
        link.states
    );
    assert!(
        link.elapsed() < Duration::from_millis(400),
        "{:?}",
        link.elapsed()
    );
}

/// A server is done when it sends its last flight, and a data channel begins at once.
#[test]
fn data_that_overtakes_the_last_flight_arrives() {
    let mut link = clean(SMALL);
    let server_is_done = |link: &Link| link.state(1) == Some(DtlsState::Connected);
    assert!(link.run_until(LIMIT, server_is_done));
    assert_eq!(link.state(0), Some(DtlsState::Connecting));
    link.delay_flying(ROUND_TRIP);
    link.sides[1].send(link.now, b"early");
    assert!(link.run_until(LIMIT, Link::both_connected));
    assert_eq!(link.data[0], [Bytes::from_static(b"early")]);
}

/// RFC 6347 §4.2.4: whoever sends the last flight repeats it as long as the other side misses it.
/// Any piece of the client's flight says so.
#[test]
fn a_connected_server_answers_repetitions_and_a_connected_client_does_not() {
    let mut link = clean(None);
    assert!(link.run_until(LIMIT, Link::both_connected));
    for (side, answers) in [(0, 0), (1, 1)] {
        for at in [10, 60, 70, 120] {
            let now = link.now + Duration::from_millis(at);
            link.sides[side].handle_datagram(now, &early_fragment(2));
        }
        let before = link.sent[side];
        assert!(link.run_until(Duration::ZERO, |_| true));
        // Not the ones that follow a flight within 50 ms.
        assert_eq!(link.sent[side] - before, 2 * answers, "side {side}");
    }
}

#[test]
fn silence_ends_the_handshake_after_its_repetitions() {
    for silent in [0, 1] {
        let mut link =
            clean(None).with_fate(move |from, number| match from == silent && number > 0 {
                true => Fate::Lost,
                false => Fate::Usual,
            });
        let other = 1 - silent;
        let failed = |link: &Link| link.state(other) == Some(DtlsState::Failed);
        assert!(link.run_until(LIMIT, failed), "{:?}", link.states);
        let at = link.elapsed().as_secs_f64();
        assert!((16.0..18.0).contains(&at), "{at}");
        assert_eq!(link.sides[other].poll_timeout(), None);
    }
}

fn plain_record(content_type: u8, body: &[u8]) -> Vec<u8> {
    let mut record = vec![content_type, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0];
    record.extend_from_slice(&(body.len() as u16).to_be_bytes());
    record.extend_from_slice(body);
    record
}

#[test]
fn a_fatal_alert_before_server_hello_ends_the_handshake_at_once() {
    let mut link = clean(None);
    let (now, handshake_failure) = (link.now, plain_record(21, &[2, 40]));
    link.sides[0].handle_datagram(now, &handshake_failure);
    assert!(link.run_until(Duration::ZERO, |link| link.state(0)
        == Some(DtlsState::Failed)));
    assert_eq!(link.sides[0].poll_timeout(), None);
}

#[test]
fn a_warning_before_server_hello_is_ignored() {
    let mut link = clean(None);
    let (now, unrecognized_name) = (link.now, plain_record(21, &[1, 112]));
    link.sides[0].handle_datagram(now, &unrecognized_name);
    assert!(
        link.run_until(LIMIT, Link::both_connected),
        "{:?}",
        link.states
    );
}

/// A fragment of a Certificate message with an announced length of 16 KiB.
fn early_fragment(message_seq: u16) -> Vec<u8> {
    let [high, low] = message_seq.to_be_bytes();
    let mut body = vec![11, 0, 64, 0, high, low, 0, 1, 0, 0, 0, 200];
    body.extend_from_slice(&[7; 200]);
    plain_record(22, &body)
}

#[test]
fn some_early_junk_does_not_keep_the_real_flight_out() {
    for side in [0, 1] {
        let mut link = clean(SMALL);
        for seq in 0..100 {
            let now = link.now;
            // Not of message 10 and later, which this handshake does not have, is any use.
            link.sides[side].handle_datagram(now, &early_fragment(10 + seq));
        }
        assert!(
            link.run_until(LIMIT, Link::both_connected),
            "{:?}",
            link.states
        );
        assert!(link.elapsed() <= 4 * ROUND_TRIP);
    }
}

#[test]
fn an_early_flood_is_given_up() {
    let mut link = clean(None);
    for seq in 0..1_000 {
        let now = link.now;
        link.sides[0].handle_datagram(now, &early_fragment(1 + seq % 30));
    }
    let sent = link.sent[0];
    assert!(link.run_until(Duration::ZERO, |link| link.state(0)
        == Some(DtlsState::Failed)));
    assert!(link.sent[0] - sent <= 1, "ClientHello and no answers");
    assert_eq!(link.sides[0].poll_timeout(), None);
}

/// As of browsers, whose key share of X25519MLKEM768 makes ClientHello longer than a datagram.
#[test]
fn a_post_quantum_client_hello_in_pieces_is_answered_in_any_order() {
    const KEY_SHARE_LEN: usize = 1_216;
    let mut link = clean(None);
    let hello = link.sides[0].poll_transmit().unwrap();
    let (fragment_header, body) = hello[13..].split_at(12);
    // Version and random, then session id, cookie, suites and compression methods with their
    // lengths in front, then the extensions.
    let mut at = 34;
    at += 1 + usize::from(body[at]);
    at += 1 + usize::from(body[at]);
    at += 2 + usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
    at += 1 + usize::from(body[at]);
    let extensions_len = usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
    let mut message = body[..at].to_vec();
    message.extend_from_slice(&((extensions_len + 4 + KEY_SHARE_LEN) as u16).to_be_bytes());
    message.extend_from_slice(&body[at + 2..]);
    message.extend_from_slice(&[0, 51]);
    message.extend_from_slice(&(KEY_SHARE_LEN as u16).to_be_bytes());
    message.extend_from_slice(&[7; KEY_SHARE_LEN]);

    let number = |value: usize| (value as u32).to_be_bytes()[1..].to_vec();
    let pieces = message.chunks(200).enumerate().map(|(index, piece)| {
        let mut body = vec![fragment_header[0]];
        body.extend(number(message.len()));
        body.extend_from_slice(&[0, 0]);
        body.extend(number(index * 200));
        body.extend(number(piece.len()));
        body.extend_from_slice(piece);
        plain_record(22, &body)
    });
    let mut pieces: Vec<_> = pieces.collect();
    let first = pieces.remove(0);
    let now = link.now;
    for piece in pieces.iter().rev() {
        link.sides[1].handle_datagram(now, piece);
    }
    assert!(link.run_until(Duration::ZERO, |link| link.sent[1] == 0));
    link.sides[1].handle_datagram(now, &first);
    assert!(link.run_until(Duration::ZERO, |link| link.sent[1] == 1));
    assert_eq!(link.state(1), Some(DtlsState::Connecting));
}
