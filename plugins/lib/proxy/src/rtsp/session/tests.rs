use proptest::prelude::*;

use super::*;

const PREFIX: &str = "rtsp://127.0.0.1:9/token";
const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn session(url: &str, settings: &str) -> Session {
    let target = Target::new(&url.parse().unwrap()).unwrap();
    let policy = Policy::new(&serde_json::from_str(settings).unwrap());
    Session::new(target, PREFIX.to_owned(), policy)
}

/// A session whose client has sent a request, and what the server got, but for the name of this program.
fn asked(url: &str, method: &str) -> (Session, String) {
    let mut session = session(url, "{}");
    let mut out = Output::default();
    session.connected(PEER, &mut out);
    let request = format!(
        "{method} {PREFIX}{} RTSP/1.0\r\nCSeq: 41\r\n\r\n",
        session.first
    );
    session.on_client(request.as_bytes(), &mut out).unwrap();
    let request = sent(&out);
    (session, request)
}

fn sent(out: &Output) -> String {
    let own = format!("User-Agent: {}\r\n", rivero_http::user_agent());
    text(&out.to_server).replace(&own, "")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn told(session: &mut Session, answer: &str) -> Result<Output, Failure> {
    let mut out = Output::default();
    session.on_server(answer.as_bytes(), &mut out)?;
    Ok(out)
}

#[test]
fn the_server_is_asked_for_its_own_url() {
    let (mut session, request) = asked("rtsp://me:secret@camera:8554/a/b?c=d", "DESCRIBE");
    assert_eq!(
        request,
        "DESCRIBE rtsp://camera:8554/a/b?c=d RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    );
    let answer = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n";
    let out = told(&mut session, answer).unwrap();
    assert_eq!(
        text(&out.to_client),
        "RTSP/1.0 200 OK\r\nCSeq: 41\r\nContent-Type: application/sdp\r\nContent-Base: rtsp://camera:8554/a/b?c=d\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    );
}

#[test]
fn nobody_but_the_player_is_served() {
    for uri in [
        "rtsp://127.0.0.1:9/",
        "rtsp://127.0.0.1:9/token2",
        "rtsp://camera/a",
        "*",
    ] {
        let mut session = session("rtsp://camera/a", "{}");
        let request = format!("OPTIONS {uri} RTSP/1.0\r\nCSeq: 1\r\n\r\n");
        assert!(
            session
                .on_client(request.as_bytes(), &mut Output::default())
                .is_err(),
            "{uri}"
        );
    }
}

#[test]
fn a_player_that_connects_anew_is_known_by_its_token() {
    for (agent, is_served) in [("token", true), ("GStreamer/1.22.0", false)] {
        let mut session = session("rtsp://camera/a", "{}");
        let request = format!(
            "GET_PARAMETER rtsp://camera/a RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: {agent}\r\n\r\n"
        );
        let mut out = Output::default();
        assert_eq!(
            session.on_client(request.as_bytes(), &mut out).is_ok(),
            is_served,
            "{agent}"
        );
        session.connected(PEER, &mut out);
        assert!(!text(&out.to_server).contains("token"));
    }
}

#[test]
fn a_digest_is_answered_with_the_url_that_is_asked_for() {
    let (mut session, _) = asked("rtsp://me:secret@camera/a", "DESCRIBE");
    let challenge = "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm=\"r\"\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n\r\n";
    let out = told(&mut session, challenge).unwrap();
    let request = text(&out.to_server);
    assert!(request.contains("CSeq: 2\r\n") && out.to_client.is_empty());
    assert!(
        request.contains("Authorization: Digest ") && request.contains("uri=\"rtsp://camera/a\""),
        "{request}"
    );
    // RFC 2069: response = H(H(user:realm:password):nonce:H(method:uri)).
    assert!(
        request.contains("66eee36359b3f81153687cbc96dbdb8d"),
        "{request}"
    );
    assert!(!request.contains("secret"));
}

#[test]
fn a_password_that_is_wrong_is_told_after_two_answers() {
    let (mut session, _) = asked("rtsp://me:secret@camera/a", "DESCRIBE");
    let mut answers = 0;
    loop {
        let challenge = format!(
            "RTSP/1.0 401 Unauthorized\r\nCSeq: {}\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\r\n",
            answers + 1
        );
        let out = told(&mut session, &challenge).unwrap();
        if !out.to_client.is_empty() {
            assert!(text(&out.to_client).starts_with("RTSP/1.0 401 "));
            assert!(!text(&out.to_client).contains("Authenticate"));
            break;
        }
        assert!(text(&out.to_server).contains("Authorization: Basic bWU6c2VjcmV0\r\n"));
        answers += 1;
        assert!(answers < 5);
    }
    assert_eq!(answers, 2);
}

/// What the next host is asked after an answer that redirects. A host that may know the password has asked for it.
fn redirected(url: &str, location: &str) -> Result<(Session, String), Failure> {
    let (mut session, _) = asked(url, "DESCRIBE");
    if url.contains('@') {
        let challenge =
            "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\r\n";
        told(&mut session, challenge)?;
    }
    let sequence = session.sequence;
    let answer = format!("RTSP/1.0 302 Found\r\nCSeq: {sequence}\r\nLocation: {location}\r\n\r\n");
    let mut out = told(&mut session, &answer)?;
    assert!(out.moves && out.to_client.is_empty());
    session.connected(PEER, &mut out);
    let request = sent(&out);
    Ok((session, request))
}

#[test]
fn redirections_are_followed_and_credentials_stay() {
    let (session, request) =
        redirected("rtsp://me:secret@camera/a", "rtsp://other:8554/b").unwrap();
    assert_eq!(session.target().authority(), "other:8554");
    assert_eq!(
        request,
        "DESCRIBE rtsp://other:8554/b RTSP/1.0\r\nCSeq: 3\r\n\r\n"
    );
    for near in ["rtsp://camera/b", "rtsp://CAMERA:554/b", "/b", "b"] {
        let (_, request) = redirected("rtsp://me:secret@camera/a", near).unwrap();
        assert!(
            request.contains("Authorization: Basic"),
            "{near}: {request}"
        );
    }
    for far in [
        "rtsp://camera:555/b",
        "rtsps://camera/b",
        "rtsp://camera.test/b",
        "//other/b",
    ] {
        let (_, request) = redirected("rtsp://me:secret@camera/a", far).unwrap();
        assert!(!request.contains("Authorization"), "{far}: {request}");
    }
}

#[test]
fn a_new_host_that_asks_does_not_get_the_credentials_of_the_first() {
    let (mut session, _) = redirected("rtsp://me:secret@camera/a", "rtsp://other/b").unwrap();
    let challenge =
        "RTSP/1.0 401 Unauthorized\r\nCSeq: 3\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\r\n";
    let out = told(&mut session, challenge).unwrap();
    assert!(out.to_server.is_empty());
    assert!(text(&out.to_client).starts_with("RTSP/1.0 401 "));
}

#[test]
fn redirections_to_where_the_policy_does_not_lead_are_refused() {
    for location in [
        "rtsp://169.254.169.254/a",
        "rtsp://[fe80::1]/a",
        "rtsps://100.100.100.200/a",
        "//169.254.169.254/a",
    ] {
        let error = redirected("rtsp://camera/a", location).unwrap_err();
        assert!(matches!(error, Failure::Refused(_)), "{location}: {error}");
    }
    for location in [
        "http://camera/a",
        "file:///etc/passwd",
        "rtmp://camera/a",
        "",
        "rtsp://me:secret@",
    ] {
        let error = redirected("rtsp://camera/a", location).unwrap_err();
        assert!(
            matches!(error, Failure::Nowhere { .. }),
            "{location}: {error}"
        );
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn what_is_no_plain_redirection_is_not_followed_or_passed_on() {
    for status in [300, 304, 305, 399] {
        let (mut session, _) = asked("rtsp://camera/a", "DESCRIBE");
        let answer = format!("RTSP/1.0 {status} X\r\nCSeq: 1\r\nLocation: rtsp://camera/b\r\n\r\n");
        assert!(told(&mut session, &answer).is_err(), "{status}");
    }
}

#[test]
fn redirections_end() {
    let (mut session, _) = asked("rtsp://camera/a", "OPTIONS");
    let mut followed = 0;
    let ended = loop {
        let answer = format!(
            "RTSP/1.0 301 X\r\nCSeq: {}\r\nLocation: rtsp://camera/a\r\n\r\n",
            session.sequence
        );
        match told(&mut session, &answer) {
            Ok(mut out) => session.connected(PEER, &mut out),
            Err(error) => break error,
        }
        followed += 1;
    };
    assert_eq!(followed, REDIRECTIONS);
    assert!(matches!(ended, Failure::Redirections(_)));
}

#[test]
fn media_is_not_redirected() {
    let (mut session, _) = asked("rtsp://camera/a", "SETUP");
    let answer = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\nSession: 1\r\n\r\n";
    told(&mut session, answer).unwrap();
    let mut out = Output::default();
    let play = format!("PLAY {PREFIX}/a RTSP/1.0\r\nCSeq: 42\r\n\r\n");
    session.on_client(play.as_bytes(), &mut out).unwrap();
    let answer = "RTSP/1.0 302 X\r\nCSeq: 2\r\nLocation: rtsp://camera/b\r\n\r\n";
    assert!(matches!(
        told(&mut session, answer),
        Err(Failure::Nowhere { .. })
    ));
}

#[test]
fn packets_are_asked_for_from_the_peer_only() {
    let (mut session, _) = asked("rtsp://camera/a", "SETUP");
    let answer = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast;source=10.9.9.9;destination=10.9.9.8;client_port=4-5;server_port=6-7\r\n\r\n";
    let out = text(&told(&mut session, answer).unwrap().to_client);
    assert!(
        out.contains("source=192.0.2.7") && !out.contains("10.9.9"),
        "{out}"
    );
}

#[test]
fn a_group_that_is_not_allowed_is_an_unsupported_transport() {
    let mut session = session("rtsp://192.0.2.7/a", r#"{"internalHosts": ""}"#);
    let mut out = Output::default();
    session.connected(PEER, &mut out);
    let request = format!("SETUP {PREFIX}/a RTSP/1.0\r\nCSeq: 41\r\n\r\n");
    session.on_client(request.as_bytes(), &mut out).unwrap();
    let answer = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nTransport: RTP/AVP;multicast;destination=239.0.0.1;port=4-5\r\n\r\n";
    let out = text(&told(&mut session, answer).unwrap().to_client);
    assert_eq!(
        out,
        "RTSP/1.0 461 Unsupported Transport\r\nCSeq: 41\r\n\r\n"
    );
}

#[test]
fn a_server_that_sends_to_another_host_is_refused() {
    let (mut session, _) = asked("rtsp://camera/a", "OPTIONS");
    let redirect = "REDIRECT rtsp://camera/a RTSP/1.0\r\nCSeq: 9\r\nLocation: rtsp://other/\r\nSession: 5\r\n\r\nOPTIONS * RTSP/1.0\r\nCSeq: 10\r\n\r\n";
    let out = told(&mut session, redirect).unwrap();
    assert!(out.to_client.is_empty() && !out.moves);
    assert_eq!(
        text(&out.to_server),
        "RTSP/1.0 501 Not Implemented\r\nCSeq: 9\r\nSession: 5\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: 10\r\n\r\n"
    );
}

#[test]
fn media_passes_once_it_is_set_up() {
    let (mut session, _) = asked("rtsp://camera/a", "SETUP");
    let packet = "$\0\0\u{2}ab";
    assert!(told(&mut session, packet).unwrap().to_client.is_empty());
    let answer = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n";
    let out = told(&mut session, &format!("{answer}{packet}")).unwrap();
    assert!(text(&out.to_client).ends_with(packet));
}

/// What a client that has asked to set up a track is told, and the session.
fn set_up(status: u16) -> (Session, String) {
    let (mut session, _) = asked("rtsp://camera/a", "SETUP");
    let answer = format!("RTSP/1.0 {status} X\r\nCSeq: 1\r\n\r\n");
    let told = text(&told(&mut session, &answer).unwrap().to_client);
    (session, told)
}

#[test]
fn a_refused_track_is_one_without_a_transport() {
    for status in [400, 403, 404, 454, 455, 459, 500, 501, 503] {
        let (session, told) = set_up(status);
        assert_eq!(
            told,
            "RTSP/1.0 461 Unsupported Transport\r\nCSeq: 41\r\n\r\n"
        );
        let refusal = session.refusal().unwrap();
        assert!(
            refusal.contains("camera:554") && refusal.contains(&status.to_string()),
            "{refusal}"
        );
    }
    let (session, told) = set_up(401);
    assert!(told.starts_with("RTSP/1.0 401"));
    assert_eq!(session.refusal(), None);
}

#[test]
fn nothing_is_told_of_a_refused_track_once_another_is_set_up() {
    let (mut session, _) = set_up(404);
    let request = format!("SETUP {PREFIX}/b RTSP/1.0\r\nCSeq: 42\r\n\r\n");
    let mut out = Output::default();
    session.on_client(request.as_bytes(), &mut out).unwrap();
    let answer = "RTSP/1.0 200 OK\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n";
    told(&mut session, answer).unwrap();
    assert_eq!(session.refusal(), None);
}

#[test]
fn a_track_that_is_never_answered_is_left_out_anything_else_fails() {
    let (mut session, _) = asked("rtsp://camera/a", "SETUP");
    let mut out = Output::default();
    for _ in 0..5 {
        assert!(out.to_client.is_empty());
        session.tick(&mut out).unwrap();
    }
    assert!(text(&out.to_client).starts_with("RTSP/1.0 461 "));
    assert!(session.refusal().is_some());
    for method in ["DESCRIBE", "PLAY"] {
        let (mut session, _) = asked("rtsp://camera/a", method);
        let failed = (0..20).find_map(|_| session.tick(&mut Output::default()).err());
        let text = failed.unwrap().to_string();
        assert!(
            text.contains("camera:554") && text.contains(method),
            "{text}"
        );
    }
}

/// A session that plays, with a password.
fn playing() -> Session {
    let (mut session, _) = asked("rtsp://me:secret@camera/a", "SETUP");
    let answer = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 7;timeout=10\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n";
    told(&mut session, answer).unwrap();
    let play = format!("PLAY {PREFIX}/a RTSP/1.0\r\nCSeq: 42\r\n\r\n");
    let mut out = Output::default();
    session.on_client(play.as_bytes(), &mut out).unwrap();
    told(
        &mut session,
        "RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 7;timeout=10\r\n\r\n",
    )
    .unwrap();
    session
}

#[test]
fn a_session_is_kept_and_the_client_hears_nothing_of_it() {
    let mut session = playing();
    let mut out = Output::default();
    for _ in 0..5 {
        assert!(out.to_server.is_empty());
        session.tick(&mut out).unwrap();
    }
    assert_eq!(
        sent(&out),
        "GET_PARAMETER rtsp://camera/a RTSP/1.0\r\nSession: 7\r\nCSeq: 3\r\n\r\n"
    );
    // Also with servers that want the password each time.
    let challenge = "RTSP/1.0 401 X\r\nCSeq: 3\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\r\n";
    let out = told(&mut session, challenge).unwrap();
    assert!(sent(&out).contains("Authorization: Basic"));
    let out = told(&mut session, "RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n").unwrap();
    assert!(out.to_client.is_empty());
}

#[test]
fn a_server_that_does_not_answer_upkeep_is_not_given_up() {
    let mut session = playing();
    let mut out = Output::default();
    for _ in 0..60 {
        session.tick(&mut out).unwrap();
    }
    let asked = text(&out.to_server).matches("GET_PARAMETER").count();
    assert!((3..=6).contains(&asked), "{asked}");
    assert!(session.pending.len() < 2);
}

/// The heads of messages; what a body says makes nobody go anywhere.
fn without_bodies(mut messages: &str) -> String {
    let mut heads = String::new();
    while let Some(end) = messages.find("\r\n\r\n") {
        let (head, rest) = messages.split_at(end + 4);
        let parsed = Message::parse(head.as_bytes()).unwrap();
        heads.push_str(head);
        messages = &rest[parsed.announced_length().unwrap().min(rest.len())..];
    }
    heads + messages
}

proptest! {
    #[test]
    fn no_server_makes_a_client_go_elsewhere(
        pieces in proptest::collection::vec("(RTSP/1.0 [1-6][0-9]{2} X\r\n|CSeq: [0-3]\r\n|Location: rtsp://[a-z]{1,3}/\r\n|\r\n|Transport: [A-Z/;=a-z0-9.]{0,20}\r\n|Content-Length: [0-9]\r\n|[ -~]{0,9}|\\$)", 0..30),
        method in "(DESCRIBE|SETUP|OPTIONS|PLAY)",
    ) {
        let (mut session, _) = asked("rtsp://me:secret@camera/a", &method);
        let mut out = Output::default();
        for piece in pieces {
            if session.on_server(piece.as_bytes(), &mut out).is_err() || out.moves {
                break;
            }
        }
        let told = text(&out.to_client);
        let heads = without_bodies(&told);
        prop_assert!(!heads.contains("Location:") && !heads.contains("RTSP/1.0 3"), "{}", told);
        prop_assert!(!told.contains("secret"));
    }

    #[test]
    fn any_bytes_of_either_side_are_understood_or_refused(
        client in proptest::collection::vec(any::<u8>(), 0..200),
        server in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let (mut session, _) = asked("rtsp://camera/a", "SETUP");
        let mut out = Output::default();
        let _ = session.on_client(&client, &mut out);
        let _ = session.on_server(&server, &mut out);
    }
}
