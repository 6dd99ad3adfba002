//! Whatever the order and the pieces, the same comes out; and what comes in is bounded.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::record::tests::{fragment, record};
use super::super::record::{fragments, records};
use super::*;

const SERVER_HELLO: u8 = 2;
const SERVER_KEY_EXCHANGE: u8 = 12;
const FINISHED: &[u8] = b"an encrypted Finished message";

fn server_flight() -> Vec<(u8, Vec<u8>)> {
    vec![
        (SERVER_HELLO, vec![1; 100]),
        (CERTIFICATE, (0..900).map(|at| at as u8).collect()),
        (SERVER_KEY_EXCHANGE, vec![3; 300]),
        (SERVER_HELLO_DONE, Vec::new()),
    ]
}

/// The flight in records with fragments of at most `size` bytes.
fn in_pieces(flight: &[(u8, Vec<u8>)], size: usize) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for (seq, (message_type, body)) in flight.iter().enumerate() {
        let mut start = 0;
        loop {
            let end = body.len().min(start + size);
            let piece = fragment(*message_type, seq as u16, body, start..end);
            records.push(record(HANDSHAKE, 0, 0, &piece));
            start = end;
            if start == body.len() {
                break;
            }
        }
    }
    records
}

/// Content types of `ordered`, and the messages in it.
fn read(ordered: &[u8]) -> (Vec<u8>, Vec<(u8, Vec<u8>)>) {
    let mut types = Vec::new();
    let mut messages: Vec<(u8, Vec<u8>)> = Vec::new();
    for record in records(ordered) {
        types.push(record.content_type);
        if record.epoch == 0 && record.content_type == HANDSHAKE {
            for fragment in fragments(record.body()) {
                if fragment.offset == 0 {
                    messages.push((fragment.message_type, Vec::new()));
                }
                let (_, body) = messages.last_mut().unwrap();
                assert_eq!(body.len(), fragment.offset);
                body.extend_from_slice(fragment.bytes);
            }
        }
    }
    (types, messages)
}

fn held_len(reassembly: &Reassembly) -> usize {
    let messages = reassembly.messages.values().map(PartialMessage::len);
    messages.sum::<usize>() + reassembly.encrypted.len()
}

#[test]
fn every_order_of_every_piece_gives_the_same() {
    let flight = server_flight();
    for size in [50, 256, 2000] {
        let pieces = in_pieces(&flight, size);
        for shift in 0..pieces.len() {
            let mut reassembly = Reassembly::new(DtlsRole::Client);
            let mut ordered = BytesMut::new();
            // Backwards from somewhere, and each twice.
            for at in (0..pieces.len()).rev() {
                let piece = &pieces[(at + shift) % pieces.len()];
                for _ in 0..2 {
                    let arrival = reassembly.on_datagram(piece);
                    ordered.extend_from_slice(&arrival.ordered);
                    assert!(!arrival.is_repetition, "nothing was answered");
                }
            }
            assert_eq!(read(&ordered).1, flight, "size {size}, shift {shift}");
        }
    }
}

/// As of a peer that makes its datagrams smaller when they seem to get lost.
#[test]
fn pieces_of_different_sizes_complete_each_other() {
    let flight = server_flight();
    let mut reassembly = Reassembly::new(DtlsRole::Client);
    let mut ordered = BytesMut::new();
    for (size, parity) in [(256, 0), (90, 1), (200, 0), (200, 1)] {
        for (at, piece) in in_pieces(&flight, size).iter().enumerate() {
            if at % 2 == parity {
                ordered.extend_from_slice(&reassembly.on_datagram(piece).ordered);
            }
        }
    }
    assert_eq!(read(&ordered).1, flight);
}

#[test]
fn the_end_of_a_message_and_the_next_one_share_a_record() {
    let flight = server_flight();
    let mut reassembly = Reassembly::new(DtlsRole::Client);
    let body = |seq: usize, from: usize| {
        let (message_type, body) = &flight[seq];
        fragment(*message_type, seq as u16, body, from..body.len())
    };
    let beginning = fragment(flight[1].0, 1, &flight[1].1, 0..700);
    let first = [body(0, 0), beginning].concat();
    let second = [body(1, 700), body(2, 0), body(3, 0)].concat();
    let datagrams = [
        record(HANDSHAKE, 0, 0, &first),
        record(HANDSHAKE, 0, 1, &second),
    ];
    let early = reassembly.on_datagram(&datagrams[1]).ordered;
    assert!(early.is_empty());
    let ordered = reassembly.on_datagram(&datagrams[0]).ordered;
    assert_eq!(read(&ordered).1, flight);
}

#[test]
fn long_messages_are_handed_on_in_several_records() {
    let flight = vec![(SERVER_HELLO, vec![1; 40_000])];
    let mut reassembly = Reassembly::new(DtlsRole::Client);
    let mut ordered = BytesMut::new();
    for piece in in_pieces(&flight, 1000) {
        ordered.extend_from_slice(&reassembly.on_datagram(&piece).ordered);
    }
    assert_eq!(read(&ordered), (vec![HANDSHAKE; 3], flight));
}

#[test]
fn encryption_begins_after_the_keys() {
    let change = record(CHANGE_CIPHER_SPEC, 0, 9, &[1]);
    let finished = record(HANDSHAKE, 1, 0, FINISHED);
    let client_flight = |with_certificate: bool| {
        let mut flight = vec![
            (CERTIFICATE, vec![0; 3]),
            (CLIENT_KEY_EXCHANGE, vec![2; 66]),
        ];
        if with_certificate {
            flight[0].1 = vec![1; 500];
            flight.push((CERTIFICATE_VERIFY, vec![3; 80]));
        }
        flight
    };
    for (role, flight) in [
        (DtlsRole::Client, server_flight()),
        (DtlsRole::Server, client_flight(true)),
        (DtlsRole::Server, client_flight(false)),
    ] {
        let mut reassembly = Reassembly::new(role);
        let early = [&finished[..], &change, &change].map(|r| reassembly.on_datagram(r).ordered);
        assert!(early.iter().all(|ordered| ordered.is_empty()));
        let whole = in_pieces(&flight, 2000).concat();
        let (types, messages) = read(&reassembly.on_datagram(&whole).ordered);
        assert_eq!(messages, flight);
        assert_eq!(types[flight.len()..], [CHANGE_CIPHER_SPEC, HANDSHAKE]);
        assert!(reassembly.on_datagram(&change).ordered.is_empty(), "once");
        let later = reassembly.on_datagram(&finished).ordered;
        assert_eq!(later, finished, "encrypted records pass as they are");
    }
}

#[test]
fn only_what_was_answered_is_a_repetition() {
    let flight = server_flight();
    let pieces = in_pieces(&flight, 2000);
    let mut reassembly = Reassembly::new(DtlsRole::Client);
    assert!(!reassembly.on_datagram(&pieces[0]).is_repetition);
    assert!(!reassembly.on_datagram(&pieces[0]).is_repetition, "a copy");
    let rest = reassembly.on_datagram(&pieces[1..].concat());
    assert!(!rest.is_repetition);
    reassembly.flight_sent();
    for piece in &pieces {
        let arrival = reassembly.on_datagram(piece);
        assert!(arrival.is_repetition && arrival.ordered.is_empty());
    }
}

#[test]
fn after_the_handshake_every_message_of_it_is_a_repetition() {
    let flight = server_flight();
    let mut reassembly = Reassembly::new(DtlsRole::Client);
    reassembly.on_datagram(&in_pieces(&flight, 2000).concat());
    reassembly.on_datagram(&record(CHANGE_CIPHER_SPEC, 0, 9, &[1]));
    let finished = record(HANDSHAKE, 1, 0, FINISHED);
    assert!(!reassembly.on_datagram(&finished).is_repetition);
    reassembly.handshake_complete();
    let data = record(23, 1, 1, b"data");
    let arrival = reassembly.on_datagram(&[finished, data.clone()].concat());
    assert!(arrival.is_repetition);
    assert_eq!(arrival.ordered, data, "what shares its datagram passes");
    let arrival = reassembly.on_datagram(&in_pieces(&flight, 2000)[2]);
    assert!(arrival.is_repetition && arrival.ordered.is_empty());
}

#[test]
fn warnings_and_plaintext_data_are_dropped_and_other_alerts_pass() {
    let mut reassembly = Reassembly::new(DtlsRole::Client);
    let mut pass = |content_type, body: &[u8]| {
        let arrival = reassembly.on_datagram(&record(content_type, 0, 0, body));
        !arrival.ordered.is_empty()
    };
    assert!(pass(ALERT, &[2, 40]), "handshake_failure");
    assert!(pass(ALERT, &[WARNING, CLOSE_NOTIFY]));
    assert!(!pass(ALERT, &[WARNING, 112]), "unrecognized_name");
    assert!(!pass(ALERT, &[2]));
    assert!(!pass(23, b"application data"));
}

#[test]
fn a_flood_of_early_messages_stays_bounded() {
    let mut reassembly = Reassembly::new(DtlsRole::Client);
    for round in 0..2_000_u32 {
        let seq = (round % 300) as u16;
        let mut piece = fragment(CERTIFICATE, seq, &[7; 10], 0..10);
        // An announced length of up to 16 MiB, another one each time.
        piece[1..4].copy_from_slice(&(round * 8_191).to_be_bytes()[1..]);
        reassembly.on_datagram(&record(HANDSHAKE, 0, 0, &piece));
        reassembly.on_datagram(&record(HANDSHAKE, 1, 0, &[9; 500]));
        let held = held_len(&reassembly);
        assert!(held <= MAX_HANDSHAKE_LEN + MAX_HELD_LEN, "{held}");
        assert!(reassembly.messages.len() <= usize::from(MAX_MESSAGES));
    }
    let mut ordered = BytesMut::new();
    let flight = server_flight();
    for piece in in_pieces(&flight, 256) {
        ordered.extend_from_slice(&reassembly.on_datagram(&piece).ordered);
    }
    assert_eq!(
        read(&ordered).1,
        flight,
        "the real flight still gets through"
    );
}

#[test]
fn a_handshake_ends_in_length_and_in_messages() {
    let mut reassembly = Reassembly::new(DtlsRole::Server);
    let mut passed = 0;
    for seq in 0..1_000 {
        let piece = fragment(1, seq, &[7; 10_000], 0..10_000);
        let ordered = reassembly
            .on_datagram(&record(HANDSHAKE, 0, 0, &piece))
            .ordered;
        passed += read(&ordered).1.len();
    }
    assert_eq!(passed, MAX_HANDSHAKE_LEN / 10_000);
    let mut reassembly = Reassembly::new(DtlsRole::Server);
    for seq in 0..1_000 {
        let piece = fragment(1, seq, b"", 0..0);
        reassembly.on_datagram(&record(HANDSHAKE, 0, 0, &piece));
    }
    assert_eq!(reassembly.next_message, MAX_MESSAGES);
}

/// One flipped bit in a header must not keep the message out for good.
#[test]
fn a_damaged_piece_is_replaced_by_the_repetition() {
    let flight = server_flight();
    let pieces = in_pieces(&flight, 256);
    let mut reassembly = Reassembly::new(DtlsRole::Client);
    let mut damaged = pieces.concat();
    damaged[15] ^= 0x40;
    assert!(reassembly.on_datagram(&damaged).ordered.is_empty());
    let ordered = reassembly.on_datagram(&pieces.concat()).ordered;
    assert_eq!(read(&ordered).1, flight);
}

/// A handshake fragment whose fields need not agree with each other.
fn any_fragment() -> impl Strategy<Value = Vec<u8>> {
    let sizes = (0..70_000_u32, 0..70_000_u32, 0..300_u32);
    (0..30_u8, 0..40_u16, sizes, vec(any::<u8>(), 0..300)).prop_map(
        |(message_type, seq, (length, offset, len), bytes)| {
            let number = |value: u32| value.to_be_bytes()[1..].to_vec();
            let mut fragment = vec![message_type];
            fragment.extend(number(length));
            fragment.extend(seq.to_be_bytes());
            fragment.extend(number(offset));
            fragment.extend(number(len));
            fragment.extend(bytes);
            fragment
        },
    )
}

proptest! {
    #[test]
    fn whatever_comes_is_survived_within_bounds(
        is_client: bool,
        records in vec((19..25_u8, 0..3_u16, any_fragment()), 0..60),
        noise: Vec<u8>,
    ) {
        let role = if is_client { DtlsRole::Client } else { DtlsRole::Server };
        let mut reassembly = Reassembly::new(role);
        reassembly.on_datagram(&noise);
        for (content_type, epoch, body) in records {
            let seq = reassembly.next_message;
            let arrival = reassembly.on_datagram(&record(content_type, epoch, 0, &body));
            prop_assert!(held_len(&reassembly) <= MAX_HANDSHAKE_LEN + MAX_HELD_LEN);
            prop_assert!(reassembly.passed_len <= MAX_HANDSHAKE_LEN);
            prop_assert!(reassembly.next_message <= MAX_MESSAGES);
            // What comes out are whole records, and the messages that were counted.
            let lengths = super::record::records(&arrival.ordered).map(|r| r.bytes.len());
            prop_assert_eq!(lengths.sum::<usize>(), arrival.ordered.len());
            if epoch == 0 {
                let messages = read(&arrival.ordered).1.len();
                prop_assert_eq!(messages, usize::from(reassembly.next_message - seq));
            }
        }
    }
}
