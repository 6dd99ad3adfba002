use proptest::{collection::vec, prelude::*};
use url::Url;

use super::{
    super::message::{DATA, SET_CHUNK_SIZE, VIDEO},
    *,
};

/// A server without I/O, as far as a publisher needs one.
struct Server {
    reader: ChunkReader,
    writer: ChunkWriter,
    out: Vec<u8>,
    /// Bytes of C0, C1 and C2 that are to come.
    handshake: usize,
}

impl Server {
    fn new() -> Self {
        let mut out = vec![3];
        out.extend([7; 3072]);
        Self {
            reader: ChunkReader::new(1 << 20),
            writer: ChunkWriter::new(),
            out,
            handshake: 3073,
        }
    }

    /// What a client has sent since.
    fn hear(&mut self, client: &mut Client) -> Vec<Message> {
        let sent = std::mem::take(client.out());
        let (handshake, rest) = sent.split_at(self.handshake.min(sent.len()));
        self.handshake -= handshake.len();
        self.reader.push(rest);
        std::iter::from_fn(|| self.reader.next().unwrap()).collect()
    }

    fn control(&mut self, kind: u8, body: &[u8]) {
        let body = body.to_vec();
        let message = Message {
            kind,
            time: 0,
            stream: 0,
            body,
        };
        self.writer.write(&message, &mut self.out);
    }

    fn say(&mut self, values: &[Value]) {
        self.control(COMMAND, &amf0::write(values));
    }

    fn status(&mut self, name: &str, transaction: f64, entries: &[(&str, Value)]) {
        let entries = entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let information = Value::Object(entries.collect());
        self.say(&[
            Value::text(name),
            Value::Number(transaction),
            Value::Null,
            information,
        ]);
    }

    /// Sends what it has said; what the client makes of it.
    fn tell(&mut self, client: &mut Client) -> Result<Option<Said>, Failure> {
        client.on_data(&std::mem::take(&mut self.out))
    }
}

fn client(url: &str, again: Again) -> Client {
    let target = Target::parse(&Url::parse(url).unwrap()).unwrap();
    Client::new(
        Role::Publish { is_enhanced: true },
        target,
        again,
        &[1; RANDOM],
    )
}

fn names(messages: &[Message]) -> Vec<String> {
    let commands = messages.iter().filter(|message| message.kind == COMMAND);
    commands
        .map(|message| amf0::read(&message.body)[0].as_text().unwrap().to_owned())
        .collect()
}

/// A client whose connection was accepted up to `createStream`.
fn created() -> (Client, Server) {
    let mut client = client("rtmp://me:secret@host/live/key?sign=x", Again::default());
    let mut server = Server::new();
    server.hear(&mut client);
    server.tell(&mut client).unwrap();
    let messages = server.hear(&mut client);
    assert_eq!(names(&messages), ["connect"]);
    server.status(
        "_result",
        CONNECT,
        &[("code", Value::text("NetConnection.Connect.Success"))],
    );
    server.tell(&mut client).unwrap();
    let messages = server.hear(&mut client);
    assert_eq!(
        names(&messages),
        ["releaseStream", "FCPublish", "createStream"]
    );
    (client, server)
}

fn publishing() -> (Client, Server) {
    let (mut client, mut server) = created();
    server.say(&[
        Value::text("_result"),
        Value::Number(CREATE),
        Value::Null,
        Value::Number(1.0),
    ]);
    server.tell(&mut client).unwrap();
    let messages = server.hear(&mut client);
    assert_eq!(
        (names(&messages), messages[0].stream),
        (vec!["publish".to_owned()], 1)
    );
    let values = amf0::read(&messages[0].body);
    assert_eq!(
        values[3..],
        [Value::text("key?sign=x"), Value::text("live")]
    );
    server.status(
        "onStatus",
        0.0,
        &[("code", Value::text("NetStream.Publish.Start"))],
    );
    assert_eq!(server.tell(&mut client), Ok(Some(Said::Open)));
    (client, server)
}

#[test]
fn the_connection_says_where_it_leads_and_nothing_secret() {
    let mut client = client("rtmp://me:secret@host:1936/a/b/key", Again::default());
    let mut server = Server::new();
    server.hear(&mut client);
    server.tell(&mut client).unwrap();
    let messages = server.hear(&mut client);
    assert_eq!(messages[0].kind, SET_CHUNK_SIZE);
    let values = amf0::read(&messages[1].body);
    assert_eq!(values[2].get("app"), Some(&Value::text("a/b")));
    assert_eq!(
        values[2].get("tcUrl"),
        Some(&Value::text("rtmp://host:1936/a/b"))
    );
    assert!(!format!("{values:?}").contains("secret"));
}

#[test]
fn media_goes_out_once_the_server_lets_it_in() {
    let (mut client, mut server) = created();
    client.send(VIDEO, 0, vec![1]);
    assert_eq!(server.hear(&mut client), []);
    let (mut client, mut server) = publishing();
    client.send(VIDEO, 40, vec![2; 5000]);
    client.send(DATA, 40, vec![3]);
    let sent = server.hear(&mut client);
    let told = sent.iter().map(|message| {
        (
            message.kind,
            message.time,
            message.stream,
            message.body.len(),
        )
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [(VIDEO, 40, 1, 5000), (DATA, 40, 1, 1)]
    );
    client.close();
    assert_eq!(
        names(&server.hear(&mut client)),
        ["FCUnpublish", "deleteStream"]
    );
}

/// Field report 28.
#[test]
fn what_is_unknown_or_odd_changes_nothing() {
    let (mut client, mut server) = created();
    for name in ["onBWDone", "onFCPublish", "_checkbw", "close", "whatever"] {
        server.status(name, 0.0, &[]);
    }
    server.status("_error", RELEASE, &[("level", Value::text("error"))]);
    server.say(&[Value::text("_result"), Value::Number(9.0)]);
    server.say(&[Value::Null]);
    server.control(COMMAND, b"no AMF");
    server.control(99, &[1, 2, 3]);
    server.control(USER_CONTROL, &[0]);
    server.control(ACKNOWLEDGEMENT, &[0xff; 4]);
    assert_eq!(server.tell(&mut client), Ok(None));
    assert_eq!(server.hear(&mut client), []);
    // In AMF 3, with the stream as its third value.
    let mut body = vec![0];
    body.extend(amf0::write(&[
        Value::text("_result"),
        Value::Number(CREATE),
        Value::Null,
        Value::Number(5.0),
    ]));
    server.control(COMMAND_3, &body);
    server.tell(&mut client).unwrap();
    assert_eq!(names(&server.hear(&mut client)), ["publish"]);
}

/// Field report 24.
#[test]
fn the_server_gets_acknowledgements_and_answers_to_pings() {
    let (mut client, mut server) = publishing();
    server.control(WINDOW_SIZE, &2000u32.to_be_bytes());
    server.control(PEER_BANDWIDTH, &[0, 0, 7, 208, 2]);
    server.control(USER_CONTROL, &[0, 6, 1, 2, 3, 4]);
    server.tell(&mut client).unwrap();
    let answers = server.hear(&mut client);
    let told: Vec<_> = answers
        .iter()
        .map(|answer| (answer.kind, &*answer.body))
        .collect();
    assert_eq!(
        told,
        [
            (WINDOW_SIZE, &[0, 0, 7, 208][..]),
            (USER_CONTROL, &[0, 7, 1, 2, 3, 4])
        ]
    );
    server.control(99, &[0; 3000]);
    server.tell(&mut client).unwrap();
    let [answer] = &server.hear(&mut client)[..] else {
        panic!("one acknowledgement")
    };
    let received = u32::from_be_bytes(answer.body.as_slice().try_into().unwrap());
    assert!(answer.kind == ACKNOWLEDGEMENT && received > 3000);
}

#[test]
fn a_refusal_says_why_without_the_key() {
    let (mut client, mut server) = created();
    let entries = [
        ("level", Value::text("error")),
        ("code", Value::text("NetStream.Publish.BadName")),
        ("description", Value::text("key?sign=x is taken\n")),
    ];
    server.status("onStatus", 0.0, &entries);
    let refused = Failure::Refused("NetStream.Publish.BadName *** is taken".to_owned());
    assert_eq!(server.tell(&mut client), Err(refused));
}

#[test]
fn a_server_may_lead_elsewhere_or_ask_for_a_login() {
    let begin = || {
        let mut client = client("rtmp://me:secret@host/live/key", Again::default());
        let mut server = Server::new();
        server.hear(&mut client);
        server.tell(&mut client).unwrap();
        server.hear(&mut client);
        (client, server)
    };
    let (mut refused, mut server) = begin();
    let more = [
        ("code", Value::Number(302.0)),
        ("redirect", Value::text("rtmp://edge/other")),
    ];
    let more = more.map(|(name, value)| (name.to_owned(), value));
    server.status("_error", CONNECT, &[("ex", Value::Object(more.to_vec()))]);
    let Ok(Some(Said::Elsewhere(target))) = server.tell(&mut refused) else {
        panic!("redirected")
    };
    assert_eq!(
        (target.tc_url(), &*target.name),
        ("rtmp://edge/other".to_owned(), "key")
    );

    let (mut refused, mut server) = begin();
    let asked = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
    server.status("_error", CONNECT, &[("description", Value::text(asked))]);
    let Ok(Some(Said::Again(again))) = server.tell(&mut refused) else {
        panic!("asked for a login")
    };
    let mut client = client("rtmp://me:secret@host/live/key", again);
    let mut server = Server::new();
    server.hear(&mut client);
    server.tell(&mut client).unwrap();
    let values = amf0::read(&server.hear(&mut client)[1].body);
    assert_eq!(
        values[2].get("app"),
        Some(&Value::text("live?authmod=adobe&user=me"))
    );
}

proptest! {
    #[test]
    fn any_server_is_heard_or_left(bytes in vec(any::<u8>(), 0..3000), piece in 1usize..400) {
        let (mut client, _) = publishing();
        client.out().clear();
        for piece in bytes.chunks(piece) {
            if client.on_data(piece).is_err() {
                break;
            }
        }
        // Answers are never longer than what asked for them, but for a handful of headers.
        prop_assert!(client.out().len() <= 2 * bytes.len() + 64);
    }
}

/// A client that plays, up to `play`.
fn asking_to_play() -> (Client, Server) {
    let target = Target::parse(&Url::parse("rtmp://host/live/key").unwrap()).unwrap();
    let mut client = Client::new(Role::Play, target, Again::default(), &[1; RANDOM]);
    let mut server = Server::new();
    server.hear(&mut client);
    server.tell(&mut client).unwrap();
    server.hear(&mut client);
    server.status("_result", CONNECT, &[]);
    server.tell(&mut client).unwrap();
    let messages = server.hear(&mut client);
    assert_eq!(names(&messages), ["FCSubscribe", "createStream"]);
    server.say(&[
        Value::text("_result"),
        Value::Number(CREATE),
        Value::Null,
        Value::Number(1.0),
    ]);
    server.tell(&mut client).unwrap();
    assert_eq!(names(&server.hear(&mut client)), ["play"]);
    (client, server)
}

#[test]
fn media_is_played_whether_the_server_says_so_or_not() {
    for says_so in [true, false] {
        let (mut client, mut server) = asking_to_play();
        if says_so {
            let code = Value::text("NetStream.Play.Start");
            server.status("onStatus", 0.0, &[("code", code)]);
            assert_eq!(server.tell(&mut client), Ok(Some(Said::Open)));
        }
        server.control(VIDEO, &[1; 300]);
        let said = server.tell(&mut client);
        assert_eq!(said, Ok((!says_so).then_some(Said::Open)));
        server.control(VIDEO, &[2; 300]);
        assert_eq!(server.tell(&mut client), Ok(None));
        let bodies: Vec<_> = client
            .take_media()
            .iter()
            .map(|media| media.body[0])
            .collect();
        assert_eq!(bodies, [1, 2]);
        client.close();
        assert_eq!(names(&server.hear(&mut client)), ["deleteStream"]);
    }
}

#[test]
fn a_stream_that_is_not_there_is_refused_and_one_that_ends_has_ended() {
    let (mut client, mut server) = asking_to_play();
    let entries = [
        ("level", Value::text("error")),
        ("code", Value::text("NetStream.Play.StreamNotFound")),
    ];
    server.status("onStatus", 0.0, &entries);
    let refused = Failure::Refused("NetStream.Play.StreamNotFound".to_owned());
    assert_eq!(server.tell(&mut client), Err(refused));

    for code in ["NetStream.Play.UnpublishNotify", "NetStream.Play.Stop"] {
        let (mut client, mut server) = asking_to_play();
        server.control(VIDEO, &[1]);
        server.tell(&mut client).unwrap();
        server.status("onStatus", 0.0, &[("code", Value::text(code))]);
        assert_eq!(server.tell(&mut client), Err(Failure::Ended));
    }
    let (mut client, mut server) = asking_to_play();
    server.control(VIDEO, &[1]);
    server.control(USER_CONTROL, &[0, 1, 0, 0, 0, 1]);
    assert_eq!(server.tell(&mut client), Ok(Some(Said::Open)));
    assert_eq!(client.on_data(&[]), Err(Failure::Ended));
}
