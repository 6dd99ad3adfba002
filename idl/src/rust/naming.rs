//! Wire names to Rust names.

use proc_macro2::{Ident, Span};

/// Words that the rules below would tear apart.
const WHOLE_WORDS: [&str; 4] = ["IPv4", "IPv6", "GStreamer", "OpenCV"];

/// `sdpMLineIndex` as `sdp_m_line_index`, `ICECandidatePairs` as `ice_candidate_pairs`,
/// `externalIPv4` as `external_ipv4`. Digits belong to the word before them.
pub(super) fn snake_case(name: &str) -> String {
    words(name).join("_").to_lowercase()
}

/// `SHOW_MEDIA_TYPE` as `ShowMediaType`; a name without lower-case letters loses its capitals,
/// another keeps them. Underscores between digits stay, so that `SHA1_32` and `SHA13_2` remain
/// different.
pub(super) fn variant_name(value: &str) -> String {
    let shouted = !value.contains(|c: char| c.is_ascii_lowercase());
    let mut name = String::new();
    for word in value.split('_').filter(|word| !word.is_empty()) {
        let after_digit = name.ends_with(|c: char| c.is_ascii_digit());
        if after_digit && word.starts_with(|c: char| c.is_ascii_digit()) {
            name.push('_');
        }
        let mut characters = word.chars();
        name.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        let rest = characters.as_str();
        name.push_str(&if shouted {
            rest.to_lowercase()
        } else {
            rest.to_owned()
        });
    }
    name
}

/// An identifier; keywords become raw ones, those that cannot be raw get an underscore at the end.
pub(super) fn identifier(name: &str) -> Ident {
    if syn::parse_str::<Ident>(name).is_ok() {
        return Ident::new(name, Span::call_site());
    }
    match name {
        "self" | "Self" | "super" | "crate" | "_" => {
            Ident::new(&format!("{name}_"), Span::call_site())
        }
        keyword => Ident::new_raw(keyword, Span::call_site()),
    }
}

/// The snake-case identifier of a wire name.
pub(super) fn snake_identifier(name: &str) -> Ident {
    identifier(&snake_case(name))
}

fn words(name: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(first_word_length(rest));
        words.push(word.trim_end_matches('_'));
        rest = after.trim_start_matches('_');
    }
    words
}

/// Length in bytes of the word that `text`, which is not empty, begins with. Names are ASCII.
fn first_word_length(text: &str) -> usize {
    if let Some(whole) = WHOLE_WORDS.iter().find(|word| text.starts_with(**word)) {
        return whole.len();
    }
    let bytes = text.as_bytes();
    let is_upper = |index: usize| {
        bytes
            .get(index)
            .is_some_and(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let is_lower = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_lowercase);
    let mut length = 1;
    while is_upper(length) {
        length += 1;
    }
    if length > 1 && is_lower(length) && bytes.get(length - 1).is_some_and(u8::is_ascii_uppercase) {
        // The last capital of a run begins the next word: `ICE|Candidate`.
        return length - 1;
    }
    while length < bytes.len()
        && !bytes.get(length).is_some_and(u8::is_ascii_uppercase)
        && bytes.get(length) != Some(&b'_')
    {
        length += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_snake_case() {
        for (wire, rust) in [
            ("WebRtcEndpoint", "web_rtc_endpoint"),
            ("externalIPv4", "external_ipv4"),
            ("useIpv6", "use_ipv6"),
            ("ICECandidatePairs", "ice_candidate_pairs"),
            ("sdpMLineIndex", "sdp_m_line_index"),
            ("E2ELatency", "e2e_latency"),
            ("RTCInboundRTPStreamStats", "rtc_inbound_rtp_stream_stats"),
            ("keyBase64", "key_base64"),
            ("base64Certificate", "base64_certificate"),
            ("GStreamerFilter", "gstreamer_filter"),
            ("setOverlayedImage", "set_overlayed_image"),
            ("PCMU", "pcmu"),
            ("x", "x"),
            ("snake_case", "snake_case"),
            ("datachannelid", "datachannelid"),
        ] {
            assert_eq!(snake_case(wire), rust);
        }
    }

    #[test]
    fn values_become_variants() {
        for (wire, rust) in [
            ("NO_VALUE", "NoValue"),
            ("AES_128_CM_HMAC_SHA1_32", "Aes128CmHmacSha1_32"),
            ("H264", "H264"),
            ("AF11", "Af11"),
            ("serverreflexive", "Serverreflexive"),
            ("halfOpen", "HalfOpen"),
            ("KURENTO_SPLIT_RECORDER", "KurentoSplitRecorder"),
        ] {
            assert_eq!(variant_name(wire), rust);
        }
    }

    #[test]
    fn keywords_are_escaped() {
        assert_eq!(snake_identifier("type").to_string(), "r#type");
        assert_eq!(snake_identifier("self").to_string(), "self_");
        assert_eq!(snake_identifier("name").to_string(), "name");
    }
}
