//! Writing a description: CRLF after every line, attributes in the order of Kurento's answers.

use std::fmt::{self, Display, Formatter};

use super::{Codec, Direction, MediaKind, MediaSection, Protocol, SessionDescription, Source};

impl Display for SessionDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let origin = &self.origin;
        line(f, "v=", "0")?;
        line(
            f,
            "o=",
            format_args!(
                "{} {} {} {}",
                origin.username, origin.session_id, origin.session_version, origin.address
            ),
        )?;
        line(f, "s=", &self.session_name)?;
        lines(f, "c=", &self.connection)?;
        lines(f, "b=", &self.bandwidths)?;
        line(
            f,
            "t=",
            format_args!("{} {}", self.timing.start, self.timing.stop),
        )?;
        flag(f, self.ice_lite, "ice-lite")?;
        flag(f, self.extmap_allow_mixed, "extmap-allow-mixed")?;
        lines(f, "a=", &self.attributes)?;
        for group in &self.groups {
            write!(f, "a=group:{}", group.semantics)?;
            group.mids.iter().try_for_each(|mid| write!(f, " {mid}"))?;
            f.write_str("\r\n")?;
        }
        self.media.iter().try_for_each(|section| section.fmt(f))
    }
}

impl Display for MediaSection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {} {}", self.kind, self.port, self.protocol)?;
        for codec in &self.codecs {
            write!(f, " {}", codec.payload_type)?;
        }
        for format in &self.formats {
            write!(f, " {format}")?;
        }
        f.write_str("\r\n")?;
        lines(f, "c=", &self.connection)?;
        lines(f, "b=", &self.bandwidths)?;
        lines(f, "a=extmap:", &self.extmaps)?;
        // Data channels have no direction of their own (RFC 8841); browsers write none.
        let stated = self.kind != MediaKind::Application || self.direction != Direction::SendRecv;
        flag(f, stated, self.direction.as_str())?;
        lines(f, "a=mid:", &self.mid)?;
        match (self.sctp_port, &self.protocol) {
            // 1,024 streams are what browsers have.
            (Some(port), Protocol::DtlsSctp) => {
                line(
                    f,
                    "a=sctpmap:",
                    format_args!("{port} webrtc-datachannel 1024"),
                )?;
            }
            (port, _) => lines(f, "a=sctp-port:", port)?,
        }
        lines(f, "a=max-message-size:", self.max_message_size)?;
        lines(f, "a=rtcp:", &self.rtcp)?;
        write_codecs(f, &self.codecs)?;
        self.write_transport(f)?;
        self.write_sources(f)?;
        lines(f, "a=", &self.attributes)
    }
}

impl MediaSection {
    fn write_transport(&self, f: &mut Formatter<'_>) -> fmt::Result {
        lines(f, "a=setup:", self.setup)?;
        flag(f, self.rtcp_mux, "rtcp-mux")?;
        flag(f, self.rtcp_rsize, "rtcp-rsize")?;
        flag(f, self.bundle_only, "bundle-only")?;
        if let Some(ice) = &self.ice {
            line(f, "a=ice-ufrag:", &ice.ufrag)?;
            line(f, "a=ice-pwd:", &ice.password)?;
        }
        if !self.ice_options.is_empty() {
            line(f, "a=ice-options:", self.ice_options.join(" "))?;
        }
        lines(f, "a=fingerprint:", &self.fingerprints)?;
        lines(f, "a=", &self.candidates)?;
        flag(f, self.end_of_candidates, "end-of-candidates")
    }

    fn write_sources(&self, f: &mut Formatter<'_>) -> fmt::Result {
        lines(f, "a=rid:", &self.rids)?;
        lines(f, "a=simulcast:", &self.simulcast)?;
        for group in &self.source_groups {
            write!(f, "a=ssrc-group:{}", group.semantics)?;
            group
                .ssrcs
                .iter()
                .try_for_each(|ssrc| write!(f, " {ssrc}"))?;
            f.write_str("\r\n")?;
        }
        self.sources
            .iter()
            .try_for_each(|source| write_source(f, source))
    }
}

fn write_codecs(f: &mut Formatter<'_>, codecs: &[Codec]) -> fmt::Result {
    for codec in codecs.iter().filter(|codec| !codec.name.is_empty()) {
        write!(
            f,
            "a=rtpmap:{} {}/{}",
            codec.payload_type, codec.name, codec.clock_rate
        )?;
        if let Some(channels) = codec.channels {
            write!(f, "/{channels}")?;
        }
        f.write_str("\r\n")?;
    }
    for codec in codecs {
        for feedback in &codec.feedback {
            line(
                f,
                "a=rtcp-fb:",
                format_args!("{} {feedback}", codec.payload_type),
            )?;
        }
    }
    for codec in codecs.iter().filter(|codec| !codec.parameters.is_empty()) {
        let text = codec.parameters.as_str();
        line(f, "a=fmtp:", format_args!("{} {text}", codec.payload_type))?;
    }
    Ok(())
}

fn write_source(f: &mut Formatter<'_>, source: &Source) -> fmt::Result {
    if let Some(cname) = &source.cname {
        line(f, "a=ssrc:", format_args!("{} cname:{cname}", source.ssrc))?;
    }
    for attribute in &source.attributes {
        line(f, "a=ssrc:", format_args!("{} {attribute}", source.ssrc))?;
    }
    Ok(())
}

fn line(f: &mut Formatter<'_>, prefix: &str, value: impl Display) -> fmt::Result {
    write!(f, "{prefix}{value}\r\n")
}

fn lines<T: Display>(
    f: &mut Formatter<'_>,
    prefix: &str,
    values: impl IntoIterator<Item = T>,
) -> fmt::Result {
    values
        .into_iter()
        .try_for_each(|value| line(f, prefix, value))
}

fn flag(f: &mut Formatter<'_>, present: bool, name: &str) -> fmt::Result {
    if present { line(f, "a=", name) } else { Ok(()) }
}
