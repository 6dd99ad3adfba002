//! Strategies for property tests: descriptions that are nearly right.

use proptest::prelude::*;

use super::{ALL, OTHERS};

/// A line that is likely to reach the depths of the parser.
pub(crate) fn plausible_line() -> impl Strategy<Value = String> {
    let keyword = prop::sample::select(vec![
        "a=rtpmap:",
        "a=fmtp:",
        "a=rtcp-fb:",
        "a=extmap:",
        "a=ssrc:",
        "a=ssrc-group:",
        "a=rid:",
        "a=simulcast:",
        "a=candidate:",
        "a=setup:",
        "a=mid:",
        "a=ice-ufrag:",
        "a=ice-pwd:",
        "a=fingerprint:",
        "a=group:",
        "a=rtcp:",
        "a=sctp-port:",
        "a=",
        "a=rtcp-mux:",
        "a=crypto:",
        "a=direction:",
        "a=ptime:",
        "a=max-message-size:",
        "A=MID:",
        " a = ",
        "\ty=",
        "m=audio ",
        "m=video ",
        "m=application ",
        "m=",
        "c=",
        "b=",
        "t=",
        "o=",
        "s=",
        "v=",
        "",
    ]);
    let word = prop_oneof![
        "[0-9]{1,6}",
        "[a-zA-Z0-9:/;,~*+=.-]{0,12}",
        prop::sample::select(vec![
            "send",
            "recv",
            "sendonly",
            "actpass",
            "BUNDLE",
            "RTP/SAVPF",
            "UDP/DTLS/SCTP",
            "webrtc-datachannel",
            "VP8/90000",
            "rtx/90000",
            "apt=96",
            "IN",
            "IP4",
            "192.0.2.1",
            "udp",
            "typ",
            "host",
            "cname:x",
            "96",
            "0",
            "sha-256",
            "AB:CD",
            "*",
            "nack",
            "(null)",
            "1",
            "RTP/AVP",
            "RTP/SAVP",
            "telephone-event/8000",
            "AES_CM_128_HMAC_SHA1_80",
            "inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:4",
            "UNENCRYPTED_SRTCP",
            "99999999999999999999",
            "-1",
            "0x1F",
            "64.5",
            "sha256",
            "ACTPASS",
            "unlimited",
            "\r",
            "\0",
            "\u{feff}",
            "\u{a0}",
            "fe80::1%1",
            "[::1]",
        ])
        .prop_map(str::to_owned),
    ];
    (keyword, prop::collection::vec(word, 0..8))
        .prop_map(|(keyword, words)| format!("{keyword}{}", words.join(" ")))
}

/// One of the samples with some lines dropped, doubled or replaced.
pub(crate) fn mutated_sample() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec(
        (any::<prop::sample::Index>(), plausible_line(), 0..3u8),
        0..4,
    );
    let samples = [ALL.as_slice(), &OTHERS].concat();
    (prop::sample::select(samples), edits).prop_map(|(text, edits)| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (index, line, edit) in edits {
            let position = index.index(lines.len());
            match edit {
                0 => drop(lines.remove(position)),
                1 => lines[position] = line,
                _ => lines.insert(position, line),
            }
        }
        lines.join("\r\n")
    })
}
