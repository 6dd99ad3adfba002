use proptest::{collection::vec, prelude::*};
use url::Url;

use super::{
    super::{Again, Client, Role, Said, Target, message::DATA},
    *,
};

/// A client and a session that have come so far as to ask; with the path.
fn asking(url: &str) -> (Client, Session, String) {
    let target = Target::parse(&Url::parse(url).unwrap()).unwrap();
    let mut client = Client::new(
        Role::Publish { is_enhanced: true },
        target,
        Again::default(),
        &[1; RANDOM],
    );
    let mut session = Session::new([2; RANDOM]);
    for _ in 0..10 {
        let said = std::mem::take(client.out());
        if let Some(Request::Publish(path)) = session.on_data(&said).unwrap() {
            return (client, session, path);
        }
        let answer = std::mem::take(session.out());
        assert_eq!(client.on_data(&answer), Ok(None));
    }
    panic!("nothing is asked for");
}

fn publishing() -> (Client, Session) {
    let (mut client, mut session, _) = asking("rtmp://host/live/key");
    session.accept();
    let answer = std::mem::take(session.out());
    assert_eq!(client.on_data(&answer), Ok(Some(Said::Open)));
    (client, session)
}

/// A session behind the handshake, and how commands and other messages are said to it.
struct Scripted {
    session: Session,
    writer: ChunkWriter,
}

impl Scripted {
    fn new() -> Self {
        let mut session = Session::new([2; RANDOM]);
        let mut hello = vec![3];
        hello.extend([0; 3072]);
        session.on_data(&hello).unwrap();
        Self {
            session,
            writer: ChunkWriter::new(),
        }
    }

    fn message(&mut self, kind: u8, body: Vec<u8>) -> Result<Option<Request>, Violation> {
        let mut bytes = Vec::new();
        let message = Message {
            kind,
            time: 0,
            stream: 1,
            body,
        };
        self.writer.write(&message, &mut bytes);
        self.session.on_data(&bytes)
    }

    fn say(&mut self, name: &str, argument: Value) -> Result<Option<Request>, Violation> {
        let values = [Value::text(name), Value::Number(4.0), Value::Null, argument];
        self.message(COMMAND, amf0::write(&values))
    }

    /// Names of the commands that were answered since.
    fn answers(&mut self) -> Vec<String> {
        let mut reader = ChunkReader::new(1 << 20);
        let out = std::mem::take(self.session.out());
        // Behind S0, S1 and S2, which the first answer has in front.
        let from = if out.first() == Some(&3) && out.len() > 3073 {
            3073
        } else {
            0
        };
        reader.push(&out[from..]);
        let messages = std::iter::from_fn(|| reader.next().unwrap());
        let commands = messages.filter(|message| message.kind == COMMAND);
        commands
            .map(|message| amf0::read(&message.body)[0].as_text().unwrap().to_owned())
            .collect()
    }
}

#[test]
fn a_publisher_is_let_in_and_its_media_comes() {
    let (mut client, mut session, path) = asking("rtmp://host/live/key?token=a/b");
    assert_eq!(path, "live/key");
    assert!(session.is_welcome());
    session.accept();
    let answer = std::mem::take(session.out());
    assert_eq!(client.on_data(&answer), Ok(Some(Said::Open)));
    client.send(VIDEO, 40, vec![2; 100_000]);
    client.send(DATA, 40, vec![3]);
    client.send(AUDIO, 41, vec![]);
    let sent = std::mem::take(client.out());
    assert_eq!(session.on_data(&sent), Ok(None));
    let media = session.take_media();
    let told: Vec<_> = media
        .iter()
        .map(|message| (message.kind, message.time, message.body.len()))
        .collect();
    assert_eq!(told, [(VIDEO, 40, 100_000), (AUDIO, 41, 0)]);
    client.close();
    let sent = std::mem::take(client.out());
    assert_eq!(session.on_data(&sent), Ok(Some(Request::End)));
}

/// Field report 36.
#[test]
fn a_refusal_is_a_bad_name() {
    let (mut client, mut session, _) = asking("rtmp://host/live/key");
    session.refuse("somebody else publishes");
    let answer = std::mem::take(session.out());
    let failure = client.on_data(&answer).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "the server refuses: NetStream.Publish.BadName somebody else publishes"
    );
    // Whoever goes on all the same is not heard.
    assert_eq!(session.on_data(&[]), Ok(None));
    assert_eq!(session.take_media(), []);
}

/// Field report 28.
#[test]
fn commands_are_answered_and_unknown_ones_end_nothing() {
    let mut scripted = Scripted::new();
    for name in ["releaseStream", "FCPublish", "_checkbw", "FCSubscribe"] {
        assert_eq!(scripted.say(name, Value::text("key")), Ok(None));
    }
    assert_eq!(
        scripted.answers(),
        ["_result", "onFCPublish", "_result", "onFCSubscribe"]
    );
    for name in ["whatever", "getStreamLength", ""] {
        assert_eq!(scripted.say(name, Value::Null), Ok(None));
    }
    assert_eq!(scripted.answers(), [""; 0]);
    assert_eq!(
        scripted.say("play", Value::text("key")),
        Err(Violation::Plays)
    );
}

/// Field report 26.
#[test]
fn what_is_no_amf_0_is_left_out() {
    let mut scripted = Scripted::new();
    let publish = [
        Value::text("publish"),
        Value::Number(5.0),
        Value::Null,
        Value::text("key"),
    ];
    // AMF 3 behind the marker, and AMF 0 behind the byte that says so.
    for (kind, body) in [
        (COMMAND, vec![0x11, 0x0a, 0x0b, 1]),
        (DATA, b"no AMF at all".to_vec()),
        (15, vec![0, 2, 0, 1]),
        (COMMAND, vec![]),
        (COMMAND_3, vec![]),
    ] {
        assert_eq!(scripted.message(kind, body), Ok(None), "{kind}");
    }
    let body = [&[0][..], &amf0::write(&publish)].concat();
    let request = scripted.message(COMMAND_3, body);
    assert_eq!(request, Ok(Some(Request::Publish("key".to_owned()))));
}

#[test]
fn nobody_sends_much_before_the_key_is_known() {
    let mut scripted = Scripted::new();
    let mut last = Ok(None);
    for _ in 0..20 {
        last = scripted.message(DATA, vec![0; 4000]);
        if last.is_err() {
            break;
        }
    }
    assert_eq!(last, Err(Violation::TooMuch));
    // Nor does a header reserve anything.
    let mut scripted = Scripted::new();
    let header = [6, 0, 0, 0, 0xff, 0xff, 0xff, VIDEO, 1, 0, 0, 0];
    assert_eq!(scripted.session.on_data(&header), Ok(None));
}

/// Field report 25: sizes count for each direction of each connection.
#[test]
fn every_connection_begins_with_chunks_of_128_bytes() {
    for _ in 0..2 {
        let (mut client, mut session) = publishing();
        client.send(VIDEO, 0, vec![7; 5000]);
        let sent = std::mem::take(client.out());
        session.on_data(&sent).unwrap();
        assert_eq!(session.take_media()[0].body, [7; 5000]);
    }
}

#[test]
fn what_is_understood_of_enhanced_rtmp_is_said() {
    let mut scripted = Scripted::new();
    let properties = Value::Object(vec![entry("app", Value::text("live"))]);
    let values = [Value::text("connect"), Value::Number(1.0), properties];
    scripted.session.out().clear();
    scripted.message(COMMAND, amf0::write(&values)).unwrap();
    let mut reader = ChunkReader::new(1 << 20);
    reader.push(scripted.session.out());
    let messages: Vec<_> = std::iter::from_fn(|| reader.next().unwrap()).collect();
    let result = amf0::read(&messages.last().unwrap().body);
    let Some(Value::Array(names)) = result[3].get("fourCcList") else {
        panic!("{result:?}")
    };
    assert!(names.contains(&Value::text("hvc1")) && names.contains(&Value::text("Opus")));
    let known = result[3].get("videoFourCcInfoMap").unwrap();
    assert_eq!(known.get("av01"), Some(&Value::Number(1.0)));
    assert_eq!(known.get("mp4a"), None);
}

proptest! {
    #[test]
    fn any_client_is_heard_or_left(bytes in vec(any::<u8>(), 0..3000), piece in 1usize..400) {
        for mut session in [publishing().1, Scripted::new().session] {
            session.out().clear();
            for piece in bytes.chunks(piece) {
                if session.on_data(piece).is_err() {
                    break;
                }
            }
            // A command of a few bytes has an answer of a few hundred.
            prop_assert!(session.out().len() <= 100 * bytes.len() + 1024);
        }
    }
}
