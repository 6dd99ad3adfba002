//! From a negotiation to running sections.

use std::{net::SocketAddr, sync::Arc};

use rand::Rng;
use rivero_endpoint::{
    error::unusable_offer,
    settings::{self, BaseRtpSettings},
    tracks::{
        described_streams, digit_formats, epoch, extensions, format_id, kind, received_format,
        sent_formats,
    },
};
use rivero_plugin_api::{DEFAULT_DESCRIPTION, MediaKind, Result, SinkPad, SourcePad};
use rivero_rtp_session::{
    DigitFormats, Profile, ReceivedFormat, Receiver, ReceiverConfig, Sender, SenderConfig, Track,
};
use rivero_sdp::{NegotiatedCodec, NegotiatedRtp, NegotiatedRtpMedia, RtcpFeedback, RtpPorts};
use rivero_uri::{Policy, UriSettings};
use url::Host;

use super::{
    Section, Shared,
    observer::{SectionObserver, SectionSink, SectionSource},
};
use crate::{
    peer::{Described, Link, Packing, Patience, Terms, check_keys},
    ports::PortPair,
    shard::Command,
};

impl Shared {
    /// The ports of a kind of media, which it has from now on: its own, or those of another kind.
    ///
    /// # Errors
    /// 40009 when none are left.
    pub(super) fn section_ports(
        &self,
        kind: MediaKind,
        shared: Option<MediaKind>,
    ) -> Result<RtpPorts> {
        let mut session = self.session();
        let of = |kind: MediaKind| {
            let mut sections = session.sections.iter();
            let section = sections.find(|section| section.kind == kind)?;
            Some((section.token, section.ports))
        };
        if let Some((_, ports)) = of(kind) {
            return Ok(ports);
        }
        if let Some((token, ports)) = shared.and_then(of) {
            session.sections.push(Section {
                kind,
                token,
                ports,
                sockets: None,
                source: None,
                sink: None,
            });
            return Ok(ports);
        }
        drop(session);
        let base: BaseRtpSettings = settings::of("BaseRtpEndpoint");
        let random = rand::rng().random();
        let pair = PortPair::bind(self.v6, base.port_range().as_ref(), random)?;
        let section = Section {
            kind,
            token: self.shard.reserve()?,
            ports: pair.ports(),
            sockets: Some(pair),
            source: None,
            sink: None,
        };
        let ports = section.ports;
        self.session().sections.push(section);
        Ok(ports)
    }

    /// Makes the sections what a negotiation says. Everything that the peer's description can spoil comes
    /// before anything is changed.
    pub(super) fn connect(self: &Arc<Self>, negotiated: &NegotiatedRtp) -> Result<()> {
        let policy = Policy::new(&settings::of::<UriSettings>("UriEndpoint"));
        for media in &negotiated.media {
            check_keys(media.keys.as_ref())?;
            self.check_target(&policy, media)?;
        }
        let mut session = self.session();
        if session.exchange.released {
            return Err(rivero_endpoint::error::already_negotiated());
        }
        let links = session.links();
        if negotiated.bundle.is_none() && links.len() < negotiated.media.len() {
            // Each would need keys, numbers and a port of its own in the middle of its streams.
            return Err(unusable_offer(
                "the sections share a port since they were negotiated as a bundle: keep a=group:BUNDLE",
            ));
        }
        for token in links {
            let sections = session.sections.iter_mut();
            let mut sections: Vec<&mut Section> =
                sections.filter(|section| section.token == token).collect();
            let terms = self.terms(&mut sections, negotiated)?;
            // The one whose ports they are comes first.
            if let Some(section) = sections.first_mut() {
                self.carry_out(section, terms);
            }
        }
        drop(session);
        self.change_states(|states| states.negotiated = true);
        Ok(())
    }

    fn carry_out(self: &Arc<Self>, section: &mut Section, terms: Terms) {
        let Some(sockets) = section.sockets.take() else {
            return self.shard.with(section.token, move |link, now| {
                if let Err(error) = link.negotiate(now, terms) {
                    tracing::warn!(%error, "a section cannot go on as it was negotiated");
                }
            });
        };
        let observer = Arc::new(SectionObserver {
            endpoint: Arc::downgrade(self),
            kind: section.kind,
        });
        let patience = Patience {
            keyframes: self.settings.keyframe_interval(),
            silent_target: self.settings.silent_target_timeout(),
        };
        let feedback_ssrc = rand::random();
        let link = Link::new(sockets, feedback_ssrc, patience, observer);
        self.shard
            .send(Command::Open(section.token, Box::new(link)));
        self.carry_out(section, terms);
    }

    /// What a negotiation says about the sections of a link; those that it does not name were rejected.
    fn terms(
        self: &Arc<Self>,
        sections: &mut [&mut Section],
        negotiated: &NegotiatedRtp,
    ) -> Result<Terms> {
        let cname: Arc<str> = self.cname().into();
        let (mut accepted, mut tracks): (Vec<&NegotiatedRtpMedia>, Vec<Track>) = <_>::default();
        for section in sections {
            let of_kind =
                |media: &&NegotiatedRtpMedia| kind(&media.media.kind) == Some(section.kind);
            if let Some(media) = negotiated.media.iter().find(of_kind) {
                let mid = media.media.mid.as_deref();
                let mid = mid.filter(|_| negotiated.bundle.is_some());
                tracks.push(self.track(section, media, mid, cname.clone())?);
                accepted.push(media);
            }
        }
        // What is said of the transport is the same for all.
        let Some(first) = accepted.first() else {
            return Ok(Terms {
                tracks,
                described: Described {
                    held: true,
                    ..Described::default()
                },
                rtcp_mux: false,
                keys: None,
                profile: Profile::plain(cname),
                payload_types: Vec::new(),
                needs_keyframes: false,
                packing: None,
            });
        };
        let types = accepted.iter().flat_map(|media| {
            let events = media.media.events.iter().map(|codec| codec.payload_type);
            let types = received_formats(media).into_iter();
            events.chain(types.map(|format| format.payload_type))
        });
        Ok(Terms {
            payload_types: types.collect(),
            tracks,
            described: self.described(first),
            rtcp_mux: first.rtcp_mux,
            keys: first.keys.clone(),
            profile: match accepted.iter().any(|media| media.feedback) {
                true => Profile::full_feedback(cname),
                false => Profile::plain(cname),
            },
            needs_keyframes: accepted.iter().any(|media| needs_keyframes(media)),
            packing: accepted.iter().find_map(|media| packing(media)),
        })
    }

    fn described(&self, media: &NegotiatedRtpMedia) -> Described {
        let target = &media.target;
        let unspecified = target
            .connection
            .as_ref()
            .and_then(rivero_sdp::Connection::ip)
            .is_some_and(|ip| ip.is_unspecified());
        let reachable = |address: &SocketAddr| address.is_ipv6() == self.v6;
        Described {
            rtp: target.rtp_address().filter(reachable),
            rtcp: target.rtcp_address().filter(reachable),
            learns: media.learns || self.settings.symmetric,
            // Who has its address learnt need not have one.
            held: unspecified && !media.learns,
        }
    }

    /// Whether media may be sent to where the peer's description says.
    fn check_target(&self, policy: &Policy, media: &NegotiatedRtpMedia) -> Result<()> {
        let target = &media.target;
        for address in [target.rtp_address(), target.rtcp_address()]
            .into_iter()
            .flatten()
        {
            let host = match address {
                SocketAddr::V4(address) => Host::Ipv4(*address.ip()),
                SocketAddr::V6(address) => Host::Ipv6(*address.ip()),
            };
            let checked = policy.check_host(&host);
            checked.map_err(|refusal| {
                unusable_offer(&format!("media may not be sent there: {refusal}"))
            })?;
        }
        Ok(())
    }

    fn track(
        self: &Arc<Self>,
        section: &mut Section,
        media: &NegotiatedRtpMedia,
        mid: Option<&str>,
        cname: Arc<str>,
    ) -> Result<Track> {
        let streams = &media.media.remote_streams;
        let properties = self.properties().clone();
        let receiver = match media.media.receive {
            true => {
                let config = ReceiverConfig {
                    kind: section.kind,
                    formats: received_formats(media),
                    extensions: extensions(&media.media),
                    streams: described_streams(&media.media),
                    estimator: properties.estimator(),
                };
                let receiver = Receiver::new(self.source_pad(section)?, config);
                // A camera may say its parameter sets here, and nowhere else.
                let described = media.sent.iter();
                let receiver = described.fold(receiver, |receiver, codec| {
                    receiver.with_parameter_sets(codec.payload_type, codec.parameter_sets())
                });
                let is_wide = |codec: &&NegotiatedCodec| codec.name.eq_ignore_ascii_case("G722");
                let wide = media.media.codecs.iter().chain(&media.sent).filter(is_wide);
                let receiver = wide.fold(receiver, |receiver, codec| {
                    receiver.with_byte_clock(codec.payload_type)
                });
                Some(receiver.with_mid(mid))
            }
            false => None,
        };
        let sender = match (media.media.send, media.media.local_ssrc) {
            (true, Some(ssrc)) => {
                let mut random = rand::rng();
                let config = SenderConfig {
                    ssrc,
                    cname,
                    formats: sent_formats(&media.sent),
                    events: digits(media).accepted(),
                    extensions: extensions(&media.media),
                    // Below 32768, so that no peer misses the first roll-over (RFC 3711 §3.3.1).
                    sequence: random.random_range(0..0x4000),
                    retransmissions: None,
                    timestamp: random.random(),
                    epoch: epoch(),
                    bounds: properties.send_bounds(),
                    described_limit: media.media.max_send_bitrate,
                };
                Some(Sender::new(self.sink_pad(section)?, config).with_mid(mid))
            }
            _ => None,
        };
        Ok(Track {
            kind: section.kind,
            receiver,
            sender,
            named_ssrcs: streams.iter().map(|stream| stream.ssrc).collect(),
            digits: digits(media),
        })
    }

    /// The open pad, or a new one.
    fn source_pad(&self, section: &mut Section) -> Result<Arc<SourcePad>> {
        if let Some(pad) = &section.source {
            return Ok(pad.clone());
        }
        let handler = SectionSource {
            shard: self.shard.clone(),
            token: section.token,
            kind: section.kind,
        };
        let pad = self
            .context
            .source_pad(section.kind, DEFAULT_DESCRIPTION, handler)?;
        let pad = Arc::new(pad);
        section.source = Some(pad.clone());
        Ok(pad)
    }

    /// The open pad, or a new one.
    fn sink_pad(self: &Arc<Self>, section: &mut Section) -> Result<Arc<SinkPad>> {
        if let Some(pad) = &section.sink {
            return Ok(pad.clone());
        }
        let handler = SectionSink {
            endpoint: Arc::downgrade(self),
            kind: section.kind,
        };
        let token = section.token.sink(Track::number(section.kind));
        let group = self.shard.group();
        let pad = self.context.grouped_sink_pad(
            section.kind,
            DEFAULT_DESCRIPTION,
            handler,
            group,
            token,
        )?;
        let pad = Arc::new(pad);
        section.sink = Some(pad.clone());
        Ok(pad)
    }
}

/// Whether a section is of pictures, and the peer cannot ask for keyframes.
fn needs_keyframes(media: &NegotiatedRtpMedia) -> bool {
    let asks = |codec: &NegotiatedCodec| {
        codec.allows(&RtcpFeedback::NackPli) || codec.allows(&RtcpFeedback::CcmFir)
    };
    kind(&media.media.kind) == Some(MediaKind::Video) && !media.sent.iter().any(asks)
}

/// What the peer may send: under our numbers, and under its own where those mean nothing else, since there
/// are peers that use them in both directions.
fn received_formats(media: &NegotiatedRtpMedia) -> Vec<ReceivedFormat> {
    let ours = &media.media.codecs;
    let is_free = |codec: &&NegotiatedCodec| {
        let mut taken = ours.iter().chain(&media.media.events);
        taken.all(|own| own.payload_type != codec.payload_type)
    };
    let theirs = media.sent.iter().filter(is_free);
    ours.iter().chain(theirs).map(received_format).collect()
}

/// Digits as they come, under our numbers and the peer's, and as they are sent.
fn digits(media: &NegotiatedRtpMedia) -> DigitFormats {
    let theirs = media.media.events.iter().chain(&media.sent_events);
    digit_formats(theirs, &media.sent, &media.sent_events)
}

/// How long a peer wants packets of sound to be; for codecs whose samples are a byte each.
fn packing(media: &NegotiatedRtpMedia) -> Option<Packing> {
    const SAMPLED: [&str; 3] = ["PCMU", "PCMA", "G722"];
    let codec = media.sent.first()?;
    let is_sampled = SAMPLED
        .iter()
        .any(|name| codec.name.eq_ignore_ascii_case(name));
    let milliseconds = u16::try_from(media.packet_time?)
        .ok()
        .filter(|_| is_sampled)?;
    Some(Packing {
        format: format_id(codec),
        length: milliseconds.checked_mul(8)?,
    })
}
