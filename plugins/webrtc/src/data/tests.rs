//! Two sides in virtual time over a link that delays and loses.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rivero_sdp::SctpParameters;

use super::{ChannelOptions, DataError, DataEvent, DataTransport, Limit};
use crate::peer::DtlsRole;

const DELAY: Duration = Duration::from_millis(20);

/// One in `loss` packets is lost, 0 for none.
struct Link {
    now: Instant,
    sides: [DataTransport; 2],
    flying: Vec<(Instant, usize, Bytes)>,
    /// What was sent, and to whom.
    log: Vec<(usize, Bytes)>,
    events: [Vec<DataEvent>; 2],
    loss: u32,
    random: u32,
}

fn parameters(limit: u64, ports: (u16, u16)) -> SctpParameters {
    SctpParameters {
        local_port: ports.0,
        remote_port: ports.1,
        remote_max_message_size: limit,
    }
}

impl Link {
    fn new(loss: u32, sides: [DataTransport; 2]) -> Self {
        Self {
            now: Instant::now(),
            sides,
            flying: Vec::new(),
            log: Vec::new(),
            events: [Vec::new(), Vec::new()],
            loss,
            random: 12345,
        }
    }

    fn pair(loss: u32) -> Self {
        let side = |role| DataTransport::new(role, parameters(0, (5000, 5000)));
        let mut link = Self::new(loss, [side(DtlsRole::Client), side(DtlsRole::Server)]);
        link.start();
        link
    }

    fn start(&mut self) {
        let now = self.now;
        self.sides.iter_mut().for_each(|side| side.start(now));
        self.until(|link| {
            [0, 1]
                .iter()
                .all(|side| link.events[*side].contains(&DataEvent::Up))
        });
    }

    fn loses(&mut self) -> bool {
        self.random = self
            .random
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        self.loss > 0 && (self.random >> 16).is_multiple_of(self.loss)
    }

    /// Takes what both sides have to say; then the next thing happens.
    fn step(&mut self) {
        for side in 0..2 {
            while let Some(packet) = self.sides[side].poll_packet(self.now) {
                self.log.push((1 - side, packet.clone()));
                if !self.loses() {
                    self.flying.push((self.now + DELAY, 1 - side, packet));
                }
            }
            while let Some(event) = self.sides[side].poll_event() {
                self.events[side].push(event);
            }
        }
        let arrival = self.flying.iter().map(|(at, ..)| *at).min();
        let timers = self.sides.iter().filter_map(DataTransport::poll_timeout);
        let Some(next) = timers.chain(arrival).min() else {
            return; // both have said all
        };
        self.now = next.max(self.now);
        let now = self.now;
        let arrived: Vec<_> = self.flying.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, side, packet) in arrived {
            self.sides[side].handle(now, packet);
        }
        self.sides
            .iter_mut()
            .for_each(|side| side.handle_timeout(now));
    }

    fn until(&mut self, reached: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(120);
        let mut idle = 0;
        while !reached(self) {
            let before = self.now;
            self.step();
            idle = if self.now > before { 0 } else { idle + 1 };
            assert!(
                self.now < end && idle < 1000,
                "not reached: {:?}",
                self.events
            );
        }
    }

    fn open(&mut self, side: usize, options: ChannelOptions) -> u16 {
        let id = self.sides[side].open(self.now, options).unwrap();
        let opened = DataEvent::Opened(id);
        self.until(|link| link.events.iter().all(|events| events.contains(&opened)));
        id
    }

    fn messages(&self, side: usize) -> Vec<(bool, Bytes)> {
        let message = |event: &DataEvent| match event {
            DataEvent::Message { text, data, .. } => Some((*text, data.clone())),
            _ => None,
        };
        self.events[side].iter().filter_map(message).collect()
    }
}

fn options(label: &str) -> ChannelOptions {
    ChannelOptions {
        label: label.to_owned(),
        protocol: String::new(),
        ordered: true,
        limit: Limit::None,
    }
}

fn send(link: &mut Link, side: usize, label: &str, text: bool, data: impl Into<Bytes>) {
    let name = super::channels::name_of(&options(label));
    link.sides[side]
        .send(link.now, name, text, data.into())
        .unwrap();
}

#[test]
fn messages_of_all_kinds_arrive_in_order_in_spite_of_loss() {
    let mut link = Link::pair(8);
    link.open(0, options("chat"));
    for number in 0..50 {
        send(&mut link, 0, "chat", true, format!("message {number}"));
    }
    send(&mut link, 0, "chat", true, "");
    send(&mut link, 0, "chat", false, "");
    send(&mut link, 0, "chat", false, vec![7; 200_000]);
    link.until(|link| link.messages(1).len() == 53);
    let messages = link.messages(1);
    for (number, (text, data)) in messages.iter().take(50).enumerate() {
        assert!(*text);
        assert_eq!(*data, format!("message {number}"));
    }
    assert_eq!(messages[50], (true, Bytes::new()));
    assert_eq!(messages[51], (false, Bytes::new()));
    assert_eq!(messages[52], (false, Bytes::from(vec![7; 200_000])));
}

#[test]
fn j07_either_side_opens_and_ids_do_not_meet() {
    let mut link = Link::pair(0);
    let ids = [link.open(0, options("a")), link.open(1, options("b"))];
    assert_eq!(ids, [0, 1]);
    assert_eq!(
        [link.open(0, options("c")), link.open(1, options("d"))],
        [2, 3]
    );
    // A message goes to the channel of its name.
    send(&mut link, 1, "c", true, "for c");
    link.until(|link| !link.messages(0).is_empty());
    let received = link.sides[0].snapshots();
    let counts: Vec<u64> = received
        .iter()
        .map(|channel| channel.received.messages)
        .collect();
    assert_eq!(counts, [0, 0, 1, 0]);
}

#[test]
fn j07_closing_is_told_once_to_both_and_another_channel_can_be_opened() {
    for closer in [0, 1] {
        let mut link = Link::pair(5);
        let id = link.open(0, options("first"));
        link.sides[closer].close(link.now, id).unwrap();
        let closed = DataEvent::Closed(id);
        link.until(|link| link.events.iter().all(|events| events.contains(&closed)));
        for events in &mut link.events {
            assert_eq!(events.iter().filter(|event| **event == closed).count(), 1);
            events.clear();
        }
        assert_eq!(link.open(0, options("second")), id + 2);
        send(&mut link, 1, "second", true, "hello");
        link.until(|link| link.messages(0).len() == 1);
        assert!(link.events.iter().all(|events| !events.contains(&closed)));
        assert_eq!(link.sides[closer].totals(), (2, 1));
    }
}

#[test]
fn a_limit_of_retransmissions_gives_messages_up() {
    let mut link = Link::pair(0);
    link.open(
        0,
        ChannelOptions {
            limit: Limit::Retransmits(0),
            ordered: false,
            ..options("lossy")
        },
    );
    link.loss = 3;
    for number in 0..100u8 {
        send(&mut link, 0, "lossy", false, vec![number]);
        (0..4).for_each(|_| link.step());
    }
    link.loss = 0;
    send(&mut link, 0, "lossy", false, vec![200]);
    let last = (false, Bytes::from_static(&[200]));
    link.until(|link| link.messages(1).contains(&last));
    let count = link.messages(1).len();
    assert!((30..100).contains(&count), "{count}");
}

#[test]
fn larger_messages_than_the_peer_takes_are_refused() {
    let side = |role| DataTransport::new(role, parameters(1000, (5000, 5000)));
    let mut link = Link::new(0, [side(DtlsRole::Client), side(DtlsRole::Server)]);
    link.start();
    link.open(0, options("small"));
    let refused = link.sides[0].send(link.now, 0, false, vec![0; 1001].into());
    assert_eq!(
        refused,
        Err(DataError::TooLarge {
            size: 1001,
            limit: 1000
        })
    );
    send(&mut link, 0, "small", false, vec![0; 1000]);
    link.until(|link| link.messages(1).len() == 1);
}

#[test]
fn what_waits_for_a_peer_that_does_not_read_is_bounded() {
    let mut link = Link::pair(0);
    link.open(0, options("bulk"));
    let piece = Bytes::from(vec![0; 200_000]);
    let now = link.now;
    let sent = (0..1000).take_while(|_| link.sides[0].send(now, 0, false, piece.clone()).is_ok());
    assert_eq!(sent.count(), 83);
    assert_eq!(
        link.sides[0].send(now, 0, false, piece),
        Err(DataError::Full)
    );
}

#[test]
fn other_ports_are_used_and_a_server_that_waits_in_vain_connects() {
    // Both wait, as the DTLS server and a stack that never begins.
    let sides = [(6000, 7000), (7000, 6000)]
        .map(|ports| DataTransport::new(DtlsRole::Server, parameters(0, ports)));
    let mut link = Link::new(0, sides);
    let now = link.now;
    link.sides[0].start(now);
    link.until(|link| link.events[0].contains(&DataEvent::Up));
    link.sides[0].open(link.now, options("a")).unwrap();
    let packet = link.sides[0].poll_packet(link.now).unwrap();
    assert_eq!(packet[..4], [0x17, 0x70, 0x1b, 0x58]);
}

#[test]
fn channels_asked_for_too_early_are_opened_when_that_is_possible() {
    let side = |role| DataTransport::new(role, parameters(0, (5000, 5000)));
    let mut link = Link::new(0, [side(DtlsRole::Client), side(DtlsRole::Server)]);
    let now = link.now;
    for label in ["first", "second"] {
        link.sides[1].request(now, options(label)).unwrap();
    }
    link.start();
    link.until(|link| {
        let opened = [1, 3].map(DataEvent::Opened);
        { &link.events }
            .iter()
            .all(|events| opened.iter().all(|one| events.contains(one)))
    });
    link.sides[1].request(link.now, options("third")).unwrap();
    link.until(|link| link.events[0].contains(&DataEvent::Opened(5)));
    let labels: Vec<String> = { link.sides[0].snapshots().into_iter() }
        .map(|channel| channel.label)
        .collect();
    assert_eq!(labels, ["first", "second", "third"]);
}

#[test]
fn too_many_channels_are_not_waited_for() {
    let mut data = DataTransport::new(DtlsRole::Client, parameters(0, (5000, 5000)));
    let now = Instant::now();
    let results: Vec<_> = (0..1025)
        .map(|number| data.request(now, options(&number.to_string())))
        .collect();
    let (last, others) = results.split_last().unwrap();
    assert!(others.iter().all(Result::is_ok));
    assert_eq!(*last, Err(DataError::TooMany));
    let mut data = DataTransport::new(DtlsRole::Client, parameters(0, (5000, 5000)));
    let long = options(&"x".repeat(200_000));
    assert_eq!(data.request(now, long.clone()), Ok(()));
    assert_eq!(data.request(now, long), Err(DataError::TooMany));
}

#[test]
fn a_message_reaches_the_channel_of_its_name_or_none() {
    let mut link = Link::pair(0);
    link.open(0, options("whispers"));
    let name = |label: &str| super::channels::name_of(&options(label));
    let now = link.now;
    let say = |link: &mut Link, name| link.sides[0].send(now, name, true, "hush".into());
    assert_eq!(
        say(&mut link, name("shouts")),
        Err(DataError::NoSuchChannel)
    );
    say(&mut link, name("whispers")).unwrap();
    // Not of a channel.
    say(&mut link, 0).unwrap();
    link.until(|link| link.messages(1).len() == 2);
}

#[test]
fn rubbish_does_no_harm() {
    let mut link = Link::pair(0);
    link.open(0, options("a"));
    let now = link.now;
    let genuine = {
        send(&mut link, 0, "a", true, "x");
        link.sides[0].poll_packet(now).unwrap()
    };
    for at in 0..genuine.len() {
        let mut bytes = genuine.to_vec();
        bytes[at] ^= 0xff;
        link.sides[1].handle(now, bytes.into());
        link.sides[1].handle(now, genuine.slice(..at));
    }
    link.sides[1].handle(now, genuine);
    link.until(|link| link.messages(1).len() == 1);
}

/// Packets of all kinds from the life of an association, with ports for which the checksum is
/// put right on the way in.
fn recorded() -> (Link, Vec<(usize, Bytes)>) {
    let sides = [
        (DtlsRole::Client, (6000, 7000)),
        (DtlsRole::Server, (7000, 6000)),
    ]
    .map(|(role, ports)| DataTransport::new(role, parameters(0, ports)));
    let mut link = Link::new(0, sides);
    let mut packets = Vec::new();
    let now = link.now;
    link.sides.iter_mut().for_each(|side| side.start(now));
    for round in 0..400 {
        link.step();
        packets.append(&mut link.log);
        if round == 100 {
            link.sides[0].open(link.now, options("a")).unwrap();
        }
        if round == 200 {
            send(&mut link, 0, "a", true, "hello");
            link.loss = 2;
            send(&mut link, 0, "a", false, vec![1; 5000]);
        }
        if round == 300 {
            link.sides[1].close(link.now, 0).unwrap();
        }
    }
    packets.dedup();
    (link, packets)
}

#[test]
fn rubbish_with_a_valid_checksum_does_no_harm() {
    let (mut link, packets) = recorded();
    assert!(packets.len() > 10, "{}", packets.len());
    let mut random = 1u32;
    let mut next = |below: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % below
    };
    for _ in 0..20_000 {
        let (side, packet) = &packets[next(packets.len())];
        let mut bytes = packet.to_vec();
        for _ in 0..=next(3) {
            // The chunks' types, flags and lengths are at their beginning.
            let at = 12 + next((bytes.len() - 12).min(40));
            bytes[at] = [0, 1, 2, 4, 0x7f, 0x80, 0xff, bytes[at].wrapping_add(1)][next(8)];
        }
        bytes.truncate(bytes.len() - next(4));
        let now = link.now;
        link.sides[*side].handle(now, bytes.into());
        while link.sides[*side].poll_packet(now).is_some() {}
        while link.sides[*side].poll_event().is_some() {}
        if next(50) == 0 {
            link.now += Duration::from_millis(300);
            let now = link.now;
            link.sides[*side].handle_timeout(now);
        }
        if next(500) == 0 {
            link = recorded().0;
        }
    }
}
