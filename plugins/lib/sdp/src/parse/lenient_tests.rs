//! Lines that are not understood and not needed are ignored; each kind in several forms.

use super::*;
use crate::{
    AddressFamily, Direction, MediaKind, Setup, limits::MAX_DEFAULT_BYTES, limits::MAX_EXTENSIONS,
    samples::read,
};

const HEADER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
const SECTION: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=mid:0\r\n";

/// A description whose section has these lines as well.
fn section(lines: &str) -> crate::MediaSection {
    let mut description = read(&format!("{HEADER}{SECTION}{lines}\r\n"));
    assert_eq!(description, read(&description.to_string()), "{lines}");
    description.media.remove(0)
}

fn ignored(text: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    parse_with(text, |line| lines.push(line.number)).unwrap();
    lines
}

#[test]
fn origins() {
    for (line, id, version, address) in [
        (
            "o=- 1f3a9c04 1 IN IP4 192.0.2.10",
            "1f3a9c04",
            "1",
            "IN IP4 192.0.2.10",
        ),
        (
            "o=- 0X1F 0x2 IN IP4 192.0.2.1",
            "0X1F",
            "0x2",
            "IN IP4 192.0.2.1",
        ),
        (
            "o=recorder 18446744073709551616 27670116110564327421 IN IP6 ::1",
            "18446744073709551616",
            "27670116110564327421",
            "IN IP6 ::1",
        ),
        (
            "o=- -5 -1 IN IP4 host.example",
            "-5",
            "-1",
            "IN IP4 host.example",
        ),
        (
            "o=Big Corp PBX 7 8 in ip4 192.0.2.1 x",
            "7",
            "8",
            "IN IP4 192.0.2.1",
        ),
        ("o=- 1001 1 IN ", "1001", "1", "IN IP4 0.0.0.0"),
        ("o=- 1001 1 IN IP4", "1001", "1", "IN IP4 0.0.0.0"),
        ("o=- 1001 1 IN IP5 a", "1001", "1", "IN IP4 0.0.0.0"),
        ("o=- 1001 1", "1001", "1", "IN IP4 0.0.0.0"),
        ("o=- 1001", "1001", "0", "IN IP4 0.0.0.0"),
        ("o=-", "0", "0", "IN IP4 0.0.0.0"),
        ("o=", "0", "0", "IN IP4 0.0.0.0"),
        ("x=", "0", "0", "IN IP4 0.0.0.0"),
    ] {
        let description = read(&format!("v=0\n{line}\n{SECTION}"));
        let origin = &description.origin;
        assert_eq!(origin.session_id, id, "{line}");
        assert_eq!(origin.session_version, version, "{line}");
        assert_eq!(origin.address.to_string(), address, "{line}");
        assert_eq!(read(&description.to_string()), description, "{line}");
    }
    assert_eq!(read("v=0\no=A B 1 2 IN IP4 a\nm=").origin.username, "A B");
}

#[test]
fn session_lines_that_are_missing_or_ill_formed() {
    for lines in [
        "",
        "s=",
        "s= ",
        "t=",
        "t=0",
        "t=0 x",
        "t=-1 0",
        "c=",
        "c=IN",
        "c=IN IP4",
        "c=IP4 1.1.1.1",
        "b=",
        "b=AS",
        "b=AS:x",
        "b=:5",
        "y=0100000001",
        "f=v/2/6/25/1/4096a/1/8/1",
        "q=1",
        "a=",
        "a=:x",
        "a=group",
        "a=group:",
        "a=setup:maybe",
        "a=extmap:0 urn:x",
        "e=",
        "z=",
        "r=",
        "k=",
        "v=0",
        "v=1",
        "v=",
        "i=\u{fffd}",
        "p=+1 2",
        "u=x",
        "nothing",
        "=x",
        "X=y",
        "a",
        "--boundary",
    ] {
        let text = format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n{lines}\r\n{SECTION}");
        let description = read(&text);
        assert_eq!(description.session_name, "-", "{lines}");
        assert_eq!(description.timing, crate::Timing::default(), "{lines}");
        assert_eq!(description.media.len(), 1, "{lines}");
        assert_eq!(description.media[0].codecs[0].name, "VP8", "{lines}");
        assert_eq!(read(&description.to_string()), description, "{lines}");
    }
}

#[test]
fn what_is_ill_formed_does_not_undo_what_was_read() {
    let text = "v=0\ns=name\ns=\nt=1 2\nt=3\nc=IN IP4 192.0.2.1\nc=IN IP4\no=- 7 8 IN IP4 x\no=\n";
    let description = read(text);
    assert_eq!(description.session_name, "name");
    assert_eq!((description.timing.start, description.timing.stop), (1, 2));
    assert_eq!(description.connection.unwrap().address, "192.0.2.1");
    assert_eq!(description.origin.session_id, "7");
    let section = section(
        "a=setup:active\r\na=setup:maybe\r\na=mid:\r\na=mid:a b\r\na=rtpmap:96 (null)\r\na=rtcp:5\r\n\
         a=rtcp:\r\na=ice-ufrag:abcd\r\na=ice-ufrag:\r\na=ice-pwd:p\r\na=sctp-port:5\r\na=sctp-port:99999",
    );
    assert_eq!(section.setup, Some(Setup::Active));
    assert_eq!(section.mid.as_deref(), Some("0"));
    assert_eq!(section.codecs[0].name, "VP8");
    assert_eq!(section.rtcp.unwrap().port, 5);
    assert_eq!(section.ice.unwrap().ufrag, "abcd");
    assert_eq!(section.sctp_port, Some(5));
}

#[test]
fn lines_of_the_session_and_of_nobody_inside_a_section() {
    for lines in [
        "e=someone",
        "t=0 0",
        "s=x",
        "o=x",
        "v=0",
        "y=1",
        "f=v/////a///",
        "z=0",
        "p=1",
        "u=x",
        "r=1",
        "q",
        "\t",
        "a=",
        "c=",
        "c=IN IP4",
        "b=",
        "b=AS:-1",
        "b=AS:99999999999999999999",
    ] {
        let section = section(lines);
        assert!(section.attributes.is_empty(), "{lines}");
        assert!(section.bandwidths.is_empty() && section.connection.is_none());
    }
}

#[test]
fn the_layout_of_lines() {
    let plain = read(&format!("{HEADER}{SECTION}"));
    let lf = format!("{HEADER}{SECTION}").replace("\r\n", "\n");
    let lines = |f: &dyn Fn(&str) -> String| lf.lines().map(f).collect::<String>();
    for (what, text) in [
        ("LF", lf.clone()),
        ("CR", lf.replace('\n', "\r")),
        ("CR CR LF", lf.replace('\n', "\r\r\n")),
        ("LF CR", lf.replace('\n', "\n\r")),
        ("empty lines", lf.replace('\n', "\r\n\r\n \r\n")),
        ("no end", lf.trim_end().to_owned()),
        ("NUL at the end", format!("{lf}\0")),
        ("NUL after each line", lf.replace('\n', "\0\n")),
        ("NUL for an end", lf.replace('\n', "\0")),
        ("indented", lines(&|line| format!("    {line}\n"))),
        ("tabs", lines(&|line| format!("\t{line}\t\r\n"))),
        (
            "blanks after =",
            lines(&|line| format!("{}\n", line.replacen('=', "=  ", 1))),
        ),
        (
            "blanks around =",
            lines(&|line| format!("{}\n", line.replacen('=', " = ", 1))),
        ),
        (
            "no-break spaces",
            lines(&|line| format!("\u{a0}{line}\u{a0}\n")),
        ),
        ("byte order mark", format!("\u{feff}{lf}")),
        ("text before", format!("Here it comes:\n\n{lf}")),
        (
            "MIME part",
            format!(
                "--=_x\r\nContent-Type: application/sdp\r\nContent-Length: 9\r\n\r\n{lf}\r\n--=_x--\r\n"
            ),
        ),
    ] {
        assert_eq!(parse(&text).as_ref(), Ok(&plain), "{what}");
    }
}

#[test]
fn bandwidths() {
    for (line, kbps) in [
        ("b=AS:64.5", 64),
        ("b=AS:64.", 64),
        ("b=AS: 64 ", 64),
        ("b=as:64", 64),
        ("b= AS :64", 64),
        ("b=TIAS:64000.25", 64),
    ] {
        assert_eq!(section(line).bandwidth_limit(), Some(kbps * 1000), "{line}");
    }
    // Taken for a number these would be a limit of 1 bit/s.
    for line in [
        "b=TIAS:1e6",
        "b=AS:1,5",
        "b=AS:.5",
        "b=AS:64kbps",
        "b=AS:0x40",
    ] {
        assert_eq!(section(line).bandwidth_limit(), None, "{line}");
    }
}

#[test]
fn connections_and_rtcp() {
    let connection = section("c=in Ip6  ::1 more").connection.unwrap();
    assert_eq!(connection.family, AddressFamily::Ip6);
    assert_eq!(connection.address, "::1");
    for line in ["a=rtcp:", "a=rtcp", "a=rtcp:x", "a=rtcp:99999", "a=rtcp:-1"] {
        assert_eq!(section(line).rtcp, None, "{line}");
    }
    for line in [
        "a=rtcp:9 IN",
        "a=rtcp:9 IN IP4",
        "a=rtcp: 9 ",
        "a=rtcp:9 192.0.2.1",
    ] {
        let rtcp = section(line).rtcp.unwrap();
        assert_eq!((rtcp.port, rtcp.connection), (9, None), "{line}");
    }
}

#[test]
fn formats_and_their_attributes() {
    for line in [
        "a=rtpmap:96 (null)",
        "a=rtpmap:96",
        "a=rtpmap:",
        "a=rtpmap",
        "a=rtpmap:x VP9/90000",
        "a=rtpmap:96 VP9",
        "a=rtpmap:96 VP9/",
        "a=rtpmap:96 VP9/0",
        "a=rtpmap:96 VP9/x",
        "a=rtpmap:96 /90000",
        "a=rtpmap:128 VP9/90000",
        "a=rtpmap:-1 VP9/90000",
        "a=rtpmap:97 VP9/90000",
        "a=fmtp:",
        "a=fmtp",
        "a=fmtp:x a=b",
        "a=fmtp:128 a=b",
        "a=fmtp:96",
        "a=rtcp-fb:",
        "a=rtcp-fb",
        "a=rtcp-fb:96",
        "a=rtcp-fb:*",
        "a=rtcp-fb:x nack",
        "a=rtcp-fb:200 nack",
    ] {
        let section = section(line);
        assert_eq!(section.codecs.len(), 1);
        assert_eq!(section.codecs[0].name, "VP8", "{line}");
        assert!(section.codecs[0].feedback.is_empty(), "{line}");
        assert!(section.codecs[0].parameters.is_empty(), "{line}");
    }
    let described =
        section("a=rtpmap:96\tVP9/90000/x\r\na=fmtp:96\tprofile-id=0\r\na=RTCP-FB:* nack");
    let codec = &described.codecs[0];
    assert_eq!((codec.name.as_str(), codec.channels), ("VP9", None));
    assert_eq!(codec.parameters.get("profile-id"), Some("0"));
    assert_eq!(codec.feedback, [crate::RtcpFeedback::Nack]);
}

#[test]
fn lines_of_media() {
    for (line, port, formats) in [
        ("m=audio 9 UDP/TLS/RTP/SAVPF 128 8", 9, 1),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 8 8 x -1 300", 9, 1),
        ("m=audio 9 UDP/TLS/RTP/SAVPF", 9, 0),
        ("m=audio 9", 9, 0),
        ("m=audio", 9, 0),
        ("m=audio 99999 RTP/SAVPF 8", 9, 1),
        ("m=audio -1 RTP/SAVPF 8", 9, 1),
        ("m=audio x RTP/SAVPF 8", 9, 1),
        ("m=audio 5/x RTP/SAVPF 8", 5, 1),
        ("m=AUDIO\t5 rtp/savpf\t8", 5, 1),
        ("m=audio 0 RTP/SAVPF 8", 0, 1),
    ] {
        let description = read(&format!("{HEADER}{SECTION}{line}\r\na=mid:1\r\n"));
        let section = &description.media[1];
        assert_eq!(
            (&section.kind, section.port),
            (&MediaKind::Audio, port),
            "{line}"
        );
        assert_eq!(section.codecs.len(), formats, "{line}");
        assert_eq!(section.mid.as_deref(), Some("1"), "{line}");
        assert_eq!(read(&description.to_string()), description, "{line}");
    }
    let description = read(&format!("{HEADER}m=\r\n"));
    assert_eq!(description.media.len(), 1);
    assert_eq!(read(&description.to_string()), description);
}

#[test]
fn transports() {
    for (line, setup) in [
        ("a=setup:ACTPASS", Setup::ActPass),
        ("a=setup: Active ", Setup::Active),
        ("a=SETUP:passive", Setup::Passive),
        ("a=setup:HoldConn", Setup::HoldConn),
    ] {
        assert_eq!(section(line).setup, Some(setup), "{line}");
    }
    for line in [
        "a=setup",
        "a=setup:",
        "a=setup:both",
        "a=setup:active passive",
    ] {
        assert_eq!(section(line).setup, None, "{line}");
    }
    let prints = section(
        "a=fingerprint:sha256 AB:CD\r\na=fingerprint:sha-512 zz\r\na=fingerprint:\r\na=fingerprint",
    );
    assert_eq!(prints.fingerprints.len(), 1);
    assert_eq!(prints.fingerprints[0].algorithm, "sha-256");
    for (ufrag, password) in [
        ("7", "8"),
        ("7ia", "skq8t2d6881dsdi6k498oocq"),
        ("a:b+c/d", "has a blank"),
        ("\u{fc}", "\u{fc}"),
    ] {
        let lines = format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd: {password} ");
        let ice = section(&lines).ice.unwrap();
        assert_eq!(
            (ice.ufrag.as_str(), ice.password.as_str()),
            (ufrag, password)
        );
    }
    let long = "x".repeat(257);
    assert_eq!(
        section(&format!("a=ice-ufrag:{long}\r\na=ice-pwd:{long}")).ice,
        None
    );
}

#[test]
fn directions_and_flags() {
    for (line, direction) in [
        ("a=SendOnly", Direction::SendOnly),
        ("a= recvonly ", Direction::RecvOnly),
        ("a=inactive:", Direction::Inactive),
        ("a=sendonly:x", Direction::SendRecv),
        ("a=sendrecv sendonly", Direction::SendRecv),
    ] {
        assert_eq!(section(line).direction, direction, "{line}");
    }
    assert!(section("a=rtcp-mux:").rtcp_mux && section("a=RTCP-MUX").rtcp_mux);
    let all = read(&format!(
        "{HEADER}a=rtcp-mux\r\n{SECTION}m=audio 9 RTP/SAVPF 0\r\n"
    ));
    assert!(all.media.iter().all(|section| section.rtcp_mux));
    let group = read(&format!("{HEADER}{SECTION}a=group:bundle 0\r\n"));
    assert_eq!(group.bundles().next().unwrap().mids, ["0"]);
}

#[test]
fn header_extensions_and_limits_of_messages() {
    for line in [
        "a=extmap:0 urn:x",
        "a=extmap:",
        "a=extmap",
        "a=extmap:x urn:x",
        "a=extmap:5",
        "a=extmap:-1 urn:x",
        "a=extmap:70000 urn:x",
        "a=extmap:3/upward urn:x",
    ] {
        assert!(section(line).extmaps.is_empty(), "{line}");
    }
    assert_eq!(
        section("a=extmap: 3/SendOnly\t urn:x  y z").extmaps[0].to_string(),
        "3/sendonly urn:x y z"
    );
    for line in [
        "a=max-message-size:unlimited",
        "a=max-message-size:",
        "a=max-message-size:-1",
        "a=max-message-size:99999999999999999999",
        "a=max-message-size:1.5",
    ] {
        assert_eq!(section(line).max_message_size, None, "{line}");
    }
    let long = format!(
        "a=extmap:1 urn:{}\r\na=ice-options:{0}",
        "x".repeat(MAX_DEFAULT_BYTES + 1)
    );
    let section_of_long = section(&long);
    assert!(section_of_long.extmaps.is_empty() && section_of_long.ice_options.is_empty());
    let many: Vec<String> = (1..200)
        .map(|id| format!("a=extmap:{id} urn:{id}"))
        .collect();
    assert_eq!(section(&many.join("\r\n")).extmaps.len(), MAX_EXTENSIONS);
}

#[test]
fn the_caller_hears_of_ignored_lines() {
    assert_eq!(ignored(&format!("{HEADER}{SECTION}")), Vec::<usize>::new());
    assert_eq!(
        ignored(&format!(
            "{HEADER}y=1\r\nt=0\r\n{SECTION}a=setup:maybe\r\nx\r\n"
        )),
        [5, 6, 10, 11]
    );
}

#[test]
fn what_is_no_description_is_refused() {
    for text in [
        "garbage",
        "no sdp",
        "{\"type\":\"offer\"}",
        "o=- 1 1 IN IP4 x\ns=-\n",
        "V=0",
        "a=mid:0",
        "\u{feff}x",
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            matches!(error, SdpError::Parse { line: 1, .. }),
            "{text}: {error}"
        );
    }
    for text in ["\0", "\u{feff}", "\r\r\n\0"] {
        assert_eq!(parse(text), Err(SdpError::Empty));
    }
    assert!(read("v=0").media.is_empty());
    assert_eq!(read(SECTION).media.len(), 1);
    assert_eq!(read(&format!("{SECTION}{HEADER}")).media.len(), 1);
}
