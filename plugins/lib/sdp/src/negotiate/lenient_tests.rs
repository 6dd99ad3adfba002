//! One line of each sample spoilt in each way that has been met: the offer is answered as before
//! whenever the line is not needed, and is never refused for its form.

use super::*;
use crate::{
    SdpError, SessionDescription, parse,
    samples::{self, config, everything},
};

/// What a template, a gateway or a broken program makes of a line.
const WAYS: [fn(&str) -> String; 18] = [
    |_| String::new(),
    |line| format!("{line}\r\n{line}"),
    |line| format!("  \t{line}  "),
    |line| line.replacen('=', "= ", 1),
    |line| format!("{line}\r"),
    |line| format!("{line}\0"),
    |line| format!("y=1\r\nf=v/2/6\r\n{line}\r\ne=x\r\nt=0\r\n--part"),
    |line| line.chars().take(2).collect(),
    |line| format!("{}:", name_of(line)),
    |line| name_of(line).to_owned(),
    |line| format!("{}:(null)", name_of(line)),
    |line| format!("{}:99999999999999999999", name_of(line)),
    |line| format!("{}:-1", name_of(line)),
    |line| format!("{}:\u{fffd}\u{1}", name_of(line)),
    |line| format!("{}:{}", name_of(line), "x".repeat(5000)),
    |line| format!("{line}\r\n{}:\r\n{}:(null)", name_of(line), name_of(line)),
    |line| line.get(..line.len() / 2).unwrap_or_default().to_owned(),
    |line| format!("x{line}"),
];

/// Those of [`WAYS`] that leave a line's meaning as it was.
const HARMLESS: [usize; 7] = [1, 2, 3, 4, 5, 6, 15];

/// `a=mid` of `a=mid:0`, `c` and so on as they are.
fn name_of(line: &str) -> &str {
    line.split_once(':').map_or(line, |(name, _)| name)
}

/// Without these there is no section, nobody to connect to, or no format.
const NEEDED: [&str; 11] = [
    "m=",
    "a=ice-ufrag",
    "a=ice-pwd",
    "a=fingerprint",
    "a=rtcp-mux",
    "a=rtpmap",
    "a=fmtp",
    "a=mid",
    "a=group",
    "a=sctp-port",
    "a=bundle-only",
];

fn answered(offer: &SessionDescription) -> Result<Negotiated, SdpError> {
    let config = LocalConfig {
        features: everything(),
        ..config()
    };
    answer(&config, offer)
}

/// Kinds and formats of the accepted sections.
fn accepted(negotiated: &Negotiated) -> Vec<(usize, Vec<u8>)> {
    let numbers = |media: &NegotiatedMedia| {
        let codecs = media.codecs.iter();
        codecs.map(|codec| codec.payload_type).collect()
    };
    let media = negotiated.media.iter();
    media
        .map(|media| (media.mline_index, numbers(media)))
        .collect()
}

#[test]
fn a_spoilt_line_that_is_not_needed_changes_nothing() {
    for (number, sample) in samples::ALL.iter().enumerate() {
        let wanted = accepted(&answered(&samples::read(sample)).unwrap());
        let lines: Vec<&str> = sample.lines().collect();
        let mut seen = Vec::new();
        for (position, line) in lines.iter().enumerate() {
            // Formats and sources have many lines of a name, of which one tells as much.
            let name = name_of(line).split(' ').next().unwrap_or_default();
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            for (way, spoil) in WAYS.iter().enumerate() {
                let spoilt = spoil(line);
                let mut lines = lines.clone();
                lines[position] = &spoilt;
                let needed = NEEDED.iter().any(|name| line.starts_with(name));
                // Twice the m= line are two sections.
                let needed = needed && (line.starts_with("m=") || !HARMLESS.contains(&way));
                let context = format!("sample {number}, way {way}: {line:?} became {spoilt:?}");
                let offer = parse(&lines.join("\r\n"));
                let offer = offer.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(parse(&offer.to_string()).as_ref(), Ok(&offer), "{context}");
                match answered(&offer) {
                    Ok(negotiated) if !needed => {
                        assert_eq!(accepted(&negotiated), wanted, "{context}");
                    }
                    Ok(_) => {}
                    Err(error) => assert!(needed, "{context}: {error}"),
                }
            }
        }
    }
}

/// Lenient in what is read, strict in what is written.
#[test]
fn what_is_garbled_is_not_repeated() {
    for (line, echoed) in [
        ("a=ptime:20", true),
        ("a=ptime:2.5", true),
        ("a=ptime:(null)", false),
        ("a=ptime:", false),
        ("a=maxptime:-1", false),
        ("a=framerate:30", true),
        ("a=framerate:30/1", false),
        ("a=framerate", false),
        ("a=quality:10", true),
        ("a=quality:high", false),
        ("a=lang:de", true),
        ("a=lang:de en", false),
    ] {
        let offer = format!("{}\r\n{line}\r\n", samples::UNBUNDLED.trim_end());
        let negotiated = answered(&samples::read(&offer)).unwrap();
        let text = negotiated.local.to_string();
        let (_, video) = text.split_once("m=video").unwrap();
        assert_eq!(video.contains(&format!("{line}\r\n")), echoed, "{line}");
    }
}

/// Whatever m= line cannot be used, the others are answered and the answer has as many.
#[test]
fn a_spoilt_section_is_rejected_alone() {
    for line in [
        "m=video 9 UDP/TLS/RTP/SAVPF 128",
        "m=video 9 UDP/TLS/RTP/SAVPF",
        "m=video 9 UDP/TLS/RTP/SAVPF (null)",
        "m=video 9 x 96",
        "m=video",
        "m=",
        "m=application 9 UDP/DTLS/SCTP",
    ] {
        let audio = samples::UNBUNDLED.split("m=video").next().unwrap();
        let offer = samples::read(&format!("{audio}{line}\r\na=mid:(null)\r\n"));
        let negotiated = answered(&offer).unwrap();
        assert_eq!(negotiated.media.len(), 1, "{line}");
        let text = negotiated.local.to_string();
        let answer = samples::read(&text);
        assert_eq!(answer.media.len(), 2, "{line}");
        assert!(answer.media[1].is_rejected());
        // At least one format (RFC 8866 §9).
        let m = text.lines().rfind(|line| line.starts_with("m=")).unwrap();
        assert!(m.split(' ').count() >= 4, "{m}");
    }
}
