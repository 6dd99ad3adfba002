//! What a server describes its media with (SDP, RFC 8866).

use std::net::IpAddr;

use rivero_uri::Policy;

use super::transport::is_allowed_group;

/// Takes the addresses out of the lines `c=` (RFC 8866 §5.7): no host but `peer` is to be sent anything. Groups of
/// hosts that the policy allows stay, for media that is sent to several. Sections of neither sound nor picture, such as
/// what a camera knows of its scene, are left out: nobody plays them, but all would be asked for.
pub(crate) fn confine(description: &[u8], peer: IpAddr, policy: &Policy) -> Vec<u8> {
    // Parsers end lines at either character and a text at a zero byte.
    let lines = description
        .split(|byte| matches!(byte, b'\r' | b'\n' | 0))
        .filter(|line| !line.is_empty());
    let mut confined = Vec::with_capacity(description.len());
    let mut is_played = true;
    for line in lines {
        let line = String::from_utf8_lossy(line);
        let shown = line.trim_start();
        if let Some(media) = shown
            .strip_prefix("m=")
            .or_else(|| shown.strip_prefix("M="))
        {
            let kind = media.split_whitespace().next().unwrap_or_default();
            is_played = matches!(kind, "audio" | "video");
        }
        if !is_played {
            continue;
        }
        match shown
            .strip_prefix("c=")
            .or_else(|| shown.strip_prefix("C="))
        {
            Some(connection) => confined.extend(connection_line(connection, peer, policy).bytes()),
            None => confined.extend(line.bytes()),
        }
        confined.extend(b"\r\n");
    }
    confined
}

fn connection_line(connection: &str, peer: IpAddr, policy: &Policy) -> String {
    let address = connection.split_whitespace().nth(2).unwrap_or_default();
    let group = address.split('/').next().unwrap_or_default().parse().ok();
    match group {
        Some(IpAddr::V4(_)) if group.is_some_and(|group| is_allowed_group(group, policy)) => {
            format!("c=IN IP4 {}", printable(address))
        }
        Some(IpAddr::V6(_)) if group.is_some_and(|group| is_allowed_group(group, policy)) => {
            format!("c=IN IP6 {}", printable(address))
        }
        // The family says what kind of socket is to be opened.
        _ if peer.is_ipv6() => "c=IN IP6 ::".to_owned(),
        _ => "c=IN IP4 0.0.0.0".to_owned(),
    }
}

fn printable(address: &str) -> String {
    let expected = |c: &char| c.is_ascii_hexdigit() || ".:/".contains(*c);
    address.chars().filter(expected).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn confined(text: &str, settings: &str) -> String {
        let policy = Policy::new(&serde_json::from_str(settings).unwrap());
        let bytes = confine(text.as_bytes(), [192, 0, 2, 7].into(), &policy);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_host_is_left_in_connection_lines() {
        let text = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\nc=IN IP4 10.0.0.1\r\n c=IN IP4 10.0.0.2\rm=video 0 RTP/AVP 96\nc=IN IP4 evil.test\0c=IN IP6 ::1\n";
        assert_eq!(
            confined(text, "{}"),
            "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\nc=IN IP4 0.0.0.0\r\nc=IN IP4 0.0.0.0\r\nm=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\nc=IN IP4 0.0.0.0\r\n"
        );
    }

    #[test]
    fn groups_stay_where_they_are_allowed() {
        let text = "c=IN IP4 239.1.2.3/16\r\n";
        assert_eq!(confined(text, "{}"), text);
        assert_eq!(
            confined(text, r#"{"internalHosts": ""}"#),
            "c=IN IP4 0.0.0.0\r\n"
        );
    }

    #[test]
    fn what_nobody_plays_is_left_out() {
        let text = "v=0\r\nm=application 0 RTP/AVP 107\r\na=control:meta\r\nm=audio 0 RTP/AVP 0\r\na=control:a\r\n m=text 0 RTP/AVP 98\r\nm=video 0 RTP/AVP 96\r\n";
        assert_eq!(
            confined(text, "{}"),
            "v=0\r\nm=audio 0 RTP/AVP 0\r\na=control:a\r\nm=video 0 RTP/AVP 96\r\n"
        );
    }

    #[test]
    fn other_lines_stay() {
        let text = "v=0\r\ns=camera\r\na=control:rtsp://elsewhere/track\r\nm=audio 0 RTP/AVP 0\r\n";
        assert_eq!(confined(text, "{}"), text);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".*") {
            confined(&text, "{}");
        }
    }
}
