use super::*;

fn parse(text: &str) -> Candidate {
    text.parse().unwrap()
}

#[test]
fn control_characters_are_refused_but_for_line_ends() {
    let line = "candidate:1 1 UDP 1 192.0.2.1 9 typ host network-id 1";
    assert!(format!("{line}\r\n").parse::<Candidate>().is_ok());
    for character in ['\u{b}', '\0', '\u{c}', '\u{85}'] {
        assert!(
            format!("{line} a {character}")
                .parse::<Candidate>()
                .is_err()
        );
    }
}

#[test]
fn chromium_host_with_mdns_name() {
    let candidate = parse(
        "candidate:1467250027 1 udp 2122260223 4c0f5d5e-1c49-4a3a-9d02-f8e0d1b6a1a5.local 46243 \
         typ host generation 0 ufrag pVNc network-id 1 network-cost 10",
    );
    assert!(candidate.address.is_mdns());
    assert_eq!(candidate.ufrag(), Some("pVNc"));
    assert_eq!(candidate.extension("generation"), Some("0"));
    assert_eq!(candidate.tcp_type, None);
}

#[test]
fn reflexive_with_related_address() {
    let text = "candidate:842163049 1 UDP 1677729535 203.0.113.7 60001 typ srflx \
                raddr 10.0.0.5 rport 46243 generation 0";
    let candidate = parse(text);
    assert_eq!(candidate.kind, CandidateKind::ServerReflexive);
    assert_eq!(
        candidate.related,
        Some((CandidateAddress::Ip("10.0.0.5".parse().unwrap()), 46243))
    );
    assert_eq!(candidate.to_string(), text);
}

#[test]
fn tcp_types() {
    let text = "candidate:3 1 TCP 1010827519 fd00::2 60309 typ host tcptype passive";
    assert_eq!(parse(text).tcp_type, Some(TcpType::Passive));
    assert_eq!(parse(text).to_string(), text);
}

#[test]
fn attribute_prefixes_are_optional() {
    let text = "1 1 udp 1 192.0.2.1 5000 typ host";
    let candidate = parse(text);
    assert_eq!(candidate, parse(&format!("a=candidate:{text}\r\n")));
    assert_eq!(candidate, parse(&format!("candidate:{text}")));
}

#[test]
fn only_another_transport_is_foreign() {
    let error = |text: &str| text.parse::<Candidate>().unwrap_err();
    assert!(error("candidate:1 1 ssltcp 1 192.0.2.1 443 typ host").is_foreign());
    let malformed = error("candidate:1 1 udp 1 192.0.2.1 5000 typ moon");
    assert!(!malformed.is_foreign());
    assert_eq!(malformed.reason(), "unknown type");
}

#[test]
fn malformed_candidates_are_errors() {
    for text in [
        "garbage",
        "candidate:1 0 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp x 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 70000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5000 host",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ moon",
        "candidate:1 1 udp 1 a/b 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.300 5000 typ host",
        "candidate:1 1 udp 1 192.0.2 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host generation",
        "candidate:1 1 udp 1 2001:db8::1::2 5000 typ host",
    ] {
        let error = text.parse::<Candidate>().unwrap_err();
        assert!(!error.is_foreign(), "{text}: {error}");
    }
}

#[test]
fn what_is_of_no_use_is_no_mistake() {
    for text in [
        "",
        " \r\n",
        "candidate:",
        "a=candidate:",
        "end-of-candidates",
        "a=end-of-candidates",
        "candidate:end-of-candidates",
        "null",
        "undefined",
        "a=candidate:(null)",
        "candidate:1 1 sctp 1 192.0.2.1 5000 typ host",
        "candidate:1 1 ssltcp 1 192.0.2.1 443 typ host",
        "candidate:4 1 tcp 1694506751 198.51.100.7 54750 typ host generation 0",
        "candidate:4 1 tcp 1694506751 198.51.100.7 54750 typ host tcptype",
        "candidate:4 1 tcp 1694506751 198.51.100.7 54750 typ host tcptype both",
        "candidate:1 1 udp 659136 fe80::54a9:d238:b2ee:ceb%21 60720 typ host generation 0",
        "candidate:1 1 udp 659136 [fe80::1%eth0] 60720 typ host",
        "candidate:1 1 udp 659136 192.0.2.1 0 typ host",
    ] {
        let error = text.parse::<Candidate>().unwrap_err();
        assert!(error.is_foreign(), "{text}: {error}");
    }
}

#[test]
fn what_can_be_taken_is_taken() {
    let plain = parse("candidate:1 1 UDP 7 2001:db8::1 5000 typ host");
    for text in [
        "1 1 udp 7 [2001:db8::1] 5000 typ host",
        "candidate:1 1 udp 7 2001:db8::1%eth0 5000 typ host",
        "A=Candidate:1  1\tUdp 7 2001:DB8:0::1 5000 TYP Host ",
        "candidate: 1 1 udp 7 2001:db8::1 5000 typ host",
        "candidate:1 1 udp 7 2001:db8::1 5000 typ host raddr",
        "candidate:1 1 udp 7 2001:db8::1 5000 typ host raddr 192.0.2.1",
        "candidate:1 1 udp 7 2001:db8::1 5000 typ host raddr a/b rport 5",
        "candidate:1 1 udp 7 2001:db8::1 5000 typ host raddr ::1 rport 99999",
        "candidate:1 1 udp 7 2001:db8::1 5000 typ host rport 5",
        "candidate:1 1 udp 7 2001:db8::1 5000 typ host tcptype active",
    ] {
        assert_eq!(parse(text), plain, "{text}");
    }
    let reflexive = parse("candidate:3 1 udp 1685987071 203.0.113.9 50000 typ srflx generation 0");
    assert_eq!(reflexive.related, None);
    let swapped = parse("1 1 udp 7 192.0.2.1 5 typ srflx rport 9 raddr 0.0.0.0 network-cost 999");
    assert_eq!(swapped.related.as_ref().unwrap().1, 9);
    let active = parse("candidate:2 1 TCP 1019216383 198.51.100.7 0 typ host TCPTYPE Active");
    assert_eq!(active.tcp_type, Some(TcpType::Active));
    for candidate in [plain, reflexive, swapped, active] {
        assert_eq!(parse(&candidate.to_string()), candidate);
    }
}
