//! Reading the answer to an own offer.

use super::{
    NegotiatedRtp, NegotiatedRtpMedia, RtpConfig,
    answer::{check_address, has_feedback, packet_time},
    bundle,
    keys::{self, Protection},
};
use crate::{
    Codec, Initiator, MediaSection, MediaTarget, SdpError, SessionDescription,
    negotiate::{NegotiatedMedia, codecs, completion::complete_answer},
};

/// What a peer's answer to `offer` (made by [`offer_rtp`](super::offer_rtp)) settles. The local
/// description stays the offer.
///
/// Sections answered with port 0, or not at all, are not part of the result. Formats are matched by what
/// they are, since answerers are seen that number them anew.
///
/// # Errors
/// [`SdpError::SectionCount`] and [`SdpError::SectionMismatch`] when the sections are not those of the
/// offer, [`SdpError::NoCommonTransport`] when an accepted one lacks keys.
pub fn accept_rtp_answer(
    config: &RtpConfig,
    offer: &SessionDescription,
    answer: &SessionDescription,
) -> Result<NegotiatedRtp, SdpError> {
    let answer = &complete_answer(offer, answer)?;
    let mut media = Vec::new();
    for (mline_index, (offered, answered)) in offer.media.iter().zip(&answer.media).enumerate() {
        if offered.kind != answered.kind {
            return Err(SdpError::SectionMismatch {
                mline_index,
                reason: "another kind of media",
            });
        }
        if answered.port != 0 && !offered.is_rejected() {
            let accepted =
                accept_section(config, mline_index, (offer, offered), (answer, answered))?;
            check_address(&accepted)?;
            media.push(accepted);
        }
    }
    let bundle = bundle::of_answer(offer, answer, &media);
    if let Some(kind) = &bundle {
        bundle::share(&mut media, kind);
    }
    Ok(NegotiatedRtp {
        local: offer.clone(),
        media,
        bundle,
    })
}

fn accept_section(
    config: &RtpConfig,
    mline_index: usize,
    (_, offered): (&SessionDescription, &MediaSection),
    (answer, answered): (&SessionDescription, &MediaSection),
) -> Result<NegotiatedRtpMedia, SdpError> {
    let protection = keys::of_answered(config, offered, answered);
    let protection = protection.ok_or(SdpError::NoCommonTransport {
        mline_index,
        reason: "no a=crypto line of the answer has a suite that was offered",
    })?;
    let (own, theirs) = common(offered, answered);
    let (codecs, events) = codecs::sound_and_events(&own);
    let (sent, sent_events) = codecs::sound_and_events(&theirs);
    if codecs.is_empty() {
        return Err(SdpError::SectionMismatch {
            mline_index,
            reason: "none of its formats was offered",
        });
    }
    let mut media = NegotiatedMedia::of_sections(mline_index, offered, answered);
    (media.codecs, media.events) = (codecs, events);
    media
        .extensions
        .retain(|extmap| answered.extension_id(&extmap.uri) == Some(extmap.id));
    let target = MediaTarget::of(answer, answered);
    Ok(NegotiatedRtpMedia {
        sent,
        sent_events,
        media,
        learns: target.initiator == Some(Initiator::Active),
        target,
        feedback: has_feedback(&answered.protocol),
        rtcp_mux: offered.rtcp_mux && answered.rtcp_mux,
        packet_time: packet_time(answered),
        keys: match protection {
            Protection::Plain => None,
            Protection::Keys(keys) => Some(keys),
        },
    })
}

/// The formats of an answer that were offered, in its order: with our numbers, and with the peer's.
fn common(offered: &MediaSection, answered: &MediaSection) -> (Vec<Codec>, Vec<Codec>) {
    let mut pairs: Vec<(Codec, Codec)> = Vec::new();
    for codec in &answered.codecs {
        let is_same = |own: &&Codec| {
            own.is(&codec.name)
                && own.rtp_clock_rate() == codec.rtp_clock_rate()
                && own.channels.unwrap_or(1) == codec.channels.unwrap_or(1)
        };
        // The one with the same number, if it is the same format.
        let own = offered.codec(codec.payload_type).filter(is_same);
        let own = own.or_else(|| offered.codecs.iter().find(is_same));
        let Some(own) = own else { continue };
        let feedback = codec.feedback.iter();
        let feedback = feedback.filter(|feedback| own.feedback.contains(feedback));
        let theirs = Codec {
            feedback: feedback.cloned().collect(),
            ..codec.clone()
        };
        let own = Codec {
            payload_type: own.payload_type,
            ..theirs.clone()
        };
        pairs.push((own, theirs));
    }
    pairs.into_iter().unzip()
}
