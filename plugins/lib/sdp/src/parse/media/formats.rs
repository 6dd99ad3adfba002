//! Payload types and the attributes that describe them.

use crate::{
    Codec, RtcpFeedback,
    limits::{MAX_FEEDBACK, MAX_FEEDBACK_BYTES},
    parse::{Parsed, number, shortened},
    text::first_word,
};

/// The payload types of an m= line, repeated ones once. What is none, 128 say, cannot be sent by
/// anybody (RFC 3550 §5.1) and is left out.
pub(super) fn payload_types(formats: &[&str]) -> Vec<Codec> {
    let mut codecs: Vec<Codec> = Vec::with_capacity(formats.len());
    for payload_type in formats.iter().flat_map(|format| payload_type(format)) {
        if codec_mut(&mut codecs, payload_type).is_none() {
            codecs.push(Codec::unmapped(payload_type));
        }
    }
    codecs
}

/// `a=rtpmap:<payload type> <name>/<clock rate>[/<channels>]` (RFC 8866 §6.6).
pub(super) fn rtpmap(codecs: &mut [Codec], value: &str) -> Parsed<()> {
    let (codec, encoding) = described(codecs, value, "rtpmap")?;
    let mut fields = encoding.split('/');
    let name = fields.next().unwrap_or_default();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(format!(
            "rtpmap: '{}' has no encoding name",
            shortened(encoding)
        ));
    }
    let rate: u32 = number(fields.next().unwrap_or_default(), "clock rate")?;
    if rate == 0 {
        return Err("the clock rate is 0".to_owned());
    }
    // Without a number there is one channel (RFC 8866 §6.6).
    let channels = fields
        .next()
        .and_then(|channels| channels.trim().parse().ok());
    if let Some(codec) = codec {
        codec.name = name.to_owned();
        codec.clock_rate = rate;
        codec.channels = channels;
    }
    Ok(())
}

/// `a=fmtp:<payload type> <parameters>` (RFC 8866 §6.15).
pub(super) fn fmtp(codecs: &mut [Codec], value: &str) -> Parsed<()> {
    let (codec, parameters) = described(codecs, value, "fmtp")?;
    if let Some(codec) = codec {
        codec.parameters.append(parameters);
    }
    Ok(())
}

/// `a=rtcp-fb:<payload type>|* <feedback>` (RFC 4585 §4.2).
pub(super) fn rtcp_fb(
    codecs: &mut [Codec],
    for_all: &mut Vec<RtcpFeedback>,
    value: &str,
) -> Parsed<()> {
    // Of the feedback alone, whatever stands before it: what is for all is written for each.
    let (format, text) = first_word(value);
    if text.len() > MAX_FEEDBACK_BYTES {
        return Err(format!("rtcp-fb has over {MAX_FEEDBACK_BYTES} bytes"));
    }
    if text.is_empty() {
        return Err("rtcp-fb without a feedback type".to_owned());
    }
    if format == "*" {
        if for_all.len() < MAX_FEEDBACK {
            for_all.push(RtcpFeedback::from_text(text));
        }
        return Ok(());
    }
    let (codec, text) = described(codecs, value, "rtcp-fb")?;
    if let Some(codec) = codec {
        add_feedback(codec, &[RtcpFeedback::from_text(text)]);
    }
    Ok(())
}

/// Adds what the codec does not have yet, up to the bound.
pub(super) fn add_feedback(codec: &mut Codec, feedback: &[RtcpFeedback]) {
    for entry in feedback {
        if codec.feedback.len() < MAX_FEEDBACK && !codec.feedback.contains(entry) {
            codec.feedback.push(entry.clone());
        }
    }
}

/// Splits `<payload type> <text>`; the text may be missing. The codec is `None` when the m= line
/// does not list the payload type; such attributes mean nothing and are dropped.
fn described<'c, 't>(
    codecs: &'c mut [Codec],
    value: &'t str,
    attribute: &str,
) -> Parsed<(Option<&'c mut Codec>, &'t str)> {
    let (number, text) = first_word(value);
    let payload_type = payload_type(number).map_err(|reason| format!("{attribute}: {reason}"))?;
    Ok((codec_mut(codecs, payload_type), text))
}

fn codec_mut(codecs: &mut [Codec], payload_type: u8) -> Option<&mut Codec> {
    codecs
        .iter_mut()
        .find(|codec| codec.payload_type == payload_type)
}

fn payload_type(text: &str) -> Parsed<u8> {
    text.parse()
        .ok()
        .filter(|number| *number <= 127)
        .ok_or_else(|| format!("'{}' is not a payload type", shortened(text)))
}
