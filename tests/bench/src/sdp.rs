//! The few lines of SDP that a peer of the load offers, and those it needs of the answer.

use rivero_bench_peer::{Certificate, DtlsRole, Fingerprint, IceCredentials, RemoteParameters};
use rivero_rtp::RtpHeader;

use crate::{error::Error, traffic::Codec};

/// The payload type that is offered for video…
pub(crate) const PAYLOAD_TYPE: u8 = 96;
/// …and for its retransmissions.
const RTX_PAYLOAD_TYPE: u8 = 97;

/// The number that is offered for the extension with transport-wide sequence numbers.
const TRANSPORT_SEQUENCE: u8 = 3;

/// The transport-wide sequence number of a packet, if it has one.
pub(crate) fn transport_sequence(header: &RtpHeader, packet: &[u8]) -> Option<u16> {
    let mut elements = header.extensions(packet);
    let (_, data) = elements.find(|(id, _)| *id == TRANSPORT_SEQUENCE)?;
    data.first_chunk().map(|number| u16::from_be_bytes(*number))
}

/// Which way video goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the load to the server, with this SSRC.
    Send(u32),
    /// From the server to the load.
    Receive,
}

/// An offer of one stream with the feedback and extensions that browsers offer.
pub(crate) fn offer(
    direction: Direction,
    codec: Codec,
    credentials: &IceCredentials,
    certificate: &Certificate,
) -> String {
    let (direction, source) = match direction {
        Direction::Send(ssrc) => ("sendonly", format!("a=ssrc:{ssrc} cname:bench\r\n")),
        Direction::Receive => ("recvonly", String::new()),
    };
    let (name, parameters) = match codec {
        Codec::Vp8 => ("VP8", "max-fr=60"),
        Codec::H264 => (
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ),
    };
    let (ufrag, password) = (&credentials.ufrag, &credentials.password);
    let fingerprint = certificate.fingerprint();
    let lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        &format!("m=video 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPE} {RTX_PAYLOAD_TYPE}"),
        "c=IN IP4 0.0.0.0",
        &format!("a=ice-ufrag:{ufrag}"),
        &format!("a=ice-pwd:{password}"),
        "a=ice-options:trickle",
        &format!("a=fingerprint:{fingerprint}"),
        "a=setup:actpass",
        "a=mid:0",
        "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        &format!(
            "a=extmap:{TRANSPORT_SEQUENCE} http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
        ),
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        &format!("a={direction}"),
        "a=rtcp-mux",
        "a=rtcp-rsize",
        &format!("a=rtpmap:{PAYLOAD_TYPE} {name}/90000"),
        &format!("a=fmtp:{PAYLOAD_TYPE} {parameters}"),
        &format!("a=rtpmap:{RTX_PAYLOAD_TYPE} rtx/90000"),
        &format!("a=fmtp:{RTX_PAYLOAD_TYPE} apt={PAYLOAD_TYPE}"),
        &format!("a=rtcp-fb:{PAYLOAD_TYPE} goog-remb"),
        &format!("a=rtcp-fb:{PAYLOAD_TYPE} transport-cc"),
        &format!("a=rtcp-fb:{PAYLOAD_TYPE} ccm fir"),
        &format!("a=rtcp-fb:{PAYLOAD_TYPE} nack"),
        &format!("a=rtcp-fb:{PAYLOAD_TYPE} nack pli"),
        "",
    ];
    lines.join("\r\n") + &source
}

/// What the answer says about the server's transport.
pub(crate) fn remote_parameters(answer: &str) -> Result<RemoteParameters, Error> {
    let attribute = |name: &str| {
        let found = answer.lines().find_map(|line| {
            let (found, value) = line.strip_prefix("a=")?.split_once(':')?;
            (found == name).then(|| value.trim().to_owned())
        });
        found.ok_or_else(|| Error::Refused(format!("an answer without a={name}:\n{answer}")))
    };
    let fingerprint: Fingerprint = attribute("fingerprint")?
        .parse()
        .map_err(|error| Error::Refused(format!("{error}")))?;
    Ok(RemoteParameters {
        credentials: IceCredentials {
            ufrag: attribute("ice-ufrag")?,
            password: attribute("ice-pwd")?,
        },
        fingerprint,
        dtls_role: match attribute("setup")?.as_str() {
            "active" => DtlsRole::Server,
            _ => DtlsRole::Client,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_gives_the_transport() {
        let hash = ["AB"; 32].join(":");
        let answer = format!(
            "v=0\r\na=setup:active\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 {hash}\r\n"
        );
        let remote = remote_parameters(&answer).unwrap();
        assert_eq!(remote.credentials.ufrag, "abcd");
        assert_eq!(remote.dtls_role, DtlsRole::Server);
        assert!(remote_parameters("v=0\r\n").is_err());
    }
}
