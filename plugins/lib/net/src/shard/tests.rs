//! Shards with sessions that answer whatever they get.

mod echo;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    sync::mpsc,
    time::{Duration, Instant},
};

use rivero_plugin_api::{Bytes, Layer, MediaKind, Packet, Rtp, SinkSelection};

use super::*;
use echo::{Client, Echo, EchoRouting, FEEDBACK, PATIENCE};

fn shard(sockets: Sockets) -> Arc<Shard<Echo>> {
    Shard::start::<EchoRouting>("echo", sockets).unwrap()
}

fn shared() -> Sockets {
    Sockets::bind(None).unwrap()
}

fn shards(count: usize) -> Arc<Shards<Echo>> {
    Arc::new(Shards {
        shards: (0..count).map(|_| shard(shared())).collect(),
        next: AtomicUsize::new(0),
    })
}

/// Holds the shard's thread until it is dropped.
fn hold(shard: &Shard<Echo>, client: &Client) -> mpsc::Sender<()> {
    let (hold, held) = mpsc::channel::<()>();
    let (holds, is_held) = mpsc::channel();
    shard.with(client.token, move |_, _| {
        holds.send(()).unwrap();
        let _ = held.recv();
    });
    is_held.recv_timeout(PATIENCE).unwrap();
    hold
}

/// Waits for the end of a shard's thread, which then changes nothing any more.
fn end(shard: &Shard<Echo>) {
    while shard.try_send(Command::Stop).is_ok() {
        std::thread::yield_now();
    }
}

fn is_one_of(shard: &Arc<Shard<Echo>>, others: &[&Arc<Shard<Echo>>]) -> bool {
    others.iter().any(|other| Arc::ptr_eq(shard, other))
}

#[test]
fn datagrams_find_their_sessions_until_those_are_closed() {
    let shard = shard(shared());
    let [first, second] = [(); 2].map(|()| Client::open(&shard));
    assert_eq!(first.ask(b"one").as_deref(), Some(&b"one"[..]));
    assert_eq!(second.ask(b"two").as_deref(), Some(&b"two"[..]));
    shard.close(first.token);
    first.send(b"three");
    assert_eq!(second.ask(b"four").as_deref(), Some(&b"four"[..]));
    assert_eq!(first.receive_now(), None);
    shard.send(Command::Stop);
}

#[test]
fn a_session_that_panics_is_lost_alone() {
    let shard = shard(shared());
    let [victim, other] = [(); 2].map(|()| Client::open(&shard));
    victim.send(b"panic");
    let text = victim.lost.recv_timeout(PATIENCE).unwrap();
    assert_eq!(text, "a transport panicked: on purpose");
    victim.send(b"again");
    assert!(other.ask(b"here").is_some());
    assert_eq!(victim.receive_now(), None);
    shard.send(Command::Stop);
}

#[test]
fn a_timer_that_is_set_anew_fires_once_and_in_time() {
    let shard = shard(Sockets::default());
    let client = Client::open(&shard);
    let ms = Duration::from_millis;
    let start = Instant::now();
    for delay in [60_000, 40, 50] {
        shard.with(client.token, move |echo, _| {
            echo.timer = Some(start + ms(delay));
        });
    }
    let fired = client.fired.recv_timeout(PATIENCE).unwrap();
    assert!(fired >= start + ms(50), "{:?}", fired - start);
    assert!(client.fired.recv_timeout(ms(20)).is_err());
    shard.send(Command::Stop);
}

#[test]
fn a_shard_that_fails_tells_its_sessions_and_begins_anew() {
    let shard = shard(shared());
    let before = Client::open(&shard);
    for round in ["first", "second"] {
        let client = Client::open(&shard);
        shard.send(Command::Panic);
        let text = client.lost.recv_timeout(PATIENCE).unwrap();
        assert!(text.contains("told to"), "{text}");
        if round == "first" {
            before.lost.recv_timeout(PATIENCE).unwrap();
        }
    }
    let after = Client::open(&shard);
    assert!(after.ask(b"after").is_some());
    shard.send(Command::Stop);
}

fn packet(byte: u8) -> Packet {
    Packet {
        bytes: Bytes::from(vec![byte; 100]),
        format: 0,
        origin: 0,
        kind: MediaKind::Video,
        flags: 0,
        layer: Layer::default(),
        presentation_time: 0,
        ingress_time: 0,
        duration: 0,
        rtp: Rtp {
            marker: true,
            ..Rtp::default()
        },
        ..Packet::default()
    }
}

/// The UDP sockets of a port that are connected to a peer (proc_net_udp(5): address, peer, state …).
fn connected_sockets(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/thread-self/net/udp").unwrap();
    let (port, nobody) = (format!(":{port:04X}"), "00000000:0000");
    let is_connected = |line: &&str| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|local| local.ends_with(&port)) && words.next() != Some(nobody)
    };
    table.lines().filter(is_connected).count()
}

#[test]
fn much_feedback_is_looked_for_and_who_sends_media_gets_a_socket() {
    let shard = shard(shared());
    let port = shard.address(Ipv4Addr::LOCALHOST.into()).unwrap().port();
    let [viewer, publisher] = [(); 2].map(|()| Client::open(&shard));
    let deadline = Instant::now() + PATIENCE;
    while connected_sockets(port) == 0 {
        assert!(Instant::now() < deadline, "nothing changes");
        for _ in 0..100 {
            viewer.send(FEEDBACK);
            std::thread::sleep(Duration::from_micros(500));
        }
        assert_eq!(publisher.ask(b"media").as_deref(), Some(&b"media"[..]));
        // No more of them than fit into the buffers of the sockets wait to be read.
        for _ in 0..100 {
            assert_eq!(viewer.receive().as_deref(), Some(FEEDBACK));
        }
    }
    assert_eq!(publisher.ask(b"more").as_deref(), Some(&b"more"[..]));
    // Once there is little of it, feedback is answered at once, by the system's word.
    while connected_sockets(port) > 0 {
        assert!(Instant::now() < deadline, "the publisher's socket stays");
        assert_eq!(viewer.ask(FEEDBACK).as_deref(), Some(FEEDBACK));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(publisher.ask(b"again").as_deref(), Some(&b"again"[..]));
    shard.send(Command::Stop);
}

/// As an endpoint with a pair of ports for each peer has it: no socket is shared.
#[test]
fn a_session_receives_and_forwards_by_a_socket_of_its_own() {
    let shard = shard(Sockets::default());
    assert_eq!(shard.address(Ipv4Addr::LOCALHOST.into()), None);
    let client = Client::open(&shard);
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let viewer = peer.local_addr().unwrap();
    shard.with(client.token, move |echo, _| echo.viewer = Some(viewer));
    let port = client.port.recv_timeout(PATIENCE).unwrap();
    let server = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);

    let mut buffer = [0; 200];
    peer.send_to(b"echo", server).unwrap();
    let (length, from) = peer.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&b"echo"[..], server));

    let sink = SinkSelection {
        token: client.token.sink(7),
        packets: 0b101,
    };
    shard.push_batch(&[packet(1), packet(2), packet(3)], &[sink]);
    for expected in [1, 3] {
        let (length, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!((length, from), (100, server));
        assert_eq!(buffer[0], expected);
    }
    shard.send(Command::Stop);
}

#[test]
fn an_accepted_connection_belongs_to_whom_its_first_datagram_names() {
    let shard = shard(shared());
    let client = Client::open(&shard);
    let server = shard.passive_address(Ipv4Addr::LOCALHOST.into()).unwrap();
    let place = u8::try_from(client.token.place).unwrap();
    let mut connection = TcpStream::connect(server).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    // Two datagrams, the second of which comes in parts.
    connection.write_all(&[0, 3, place, 8, 9, 0]).unwrap();
    connection.write_all(&[2, place, 7]).unwrap();
    let mut answers = [0; 9];
    connection.read_exact(&mut answers).unwrap();
    assert_eq!(answers, [0, 3, place, 8, 9, 0, 2, place, 7]);

    let mut stranger = TcpStream::connect(server).unwrap();
    stranger.set_read_timeout(Some(PATIENCE)).unwrap();
    stranger.write_all(&[0, 1, place + 1]).unwrap();
    assert_eq!(stranger.read(&mut answers).unwrap(), 0, "it is closed");
    shard.send(Command::Stop);
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
    let client = Client::open(shard);
    let look = |before: &[Option<u64>]| watch::look(&shards.shards, before);
    let held = hold(shard, &client);
    let turns = look(&[]);
    assert!(
        !shard.pulse.is_stuck(),
        "a turn is found for the first time"
    );
    let turns = look(&turns);
    assert!(shard.pulse.is_stuck());
    assert!(!shards.shards[0].pulse.is_stuck(), "this one waits");
    drop(held);
    assert!(client.ask(b"on").is_some());
    let deadline = Instant::now() + PATIENCE;
    let mut turns = turns;
    while shard.pulse.is_stuck() {
        assert!(Instant::now() < deadline);
        turns = look(&turns);
        std::thread::sleep(Duration::from_millis(1));
    }
}
