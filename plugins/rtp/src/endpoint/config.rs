//! What descriptions of an endpoint are made from.

use std::net::IpAddr;

use rand::Rng;
use rivero_endpoint::settings::{SdpSettings, of};
use rivero_sdp::{
    CodecCapability, Connection, LocalMedia, MediaKind as SdpKind, RtpConfig, RtpMedia, RtpPorts,
};

use super::{
    Shared,
    keys::{self, Keys},
};
use crate::{address, settings};

/// Digits (RFC 4733) at the clock rates that offered sound has.
const DIGIT_RATES: [u32; 2] = [8000, 48_000];
/// Codecs of telephones, accepted beside what Kurento's offers list.
const ALSO_ACCEPTED: [&str; 2] = ["G722", "AMR-WB"];
/// The clock rate of the latter that no offered sound has.
const ALSO_ACCEPTED_RATE: u32 = 16_000;

impl Shared {
    /// A first configuration: with fresh random values, and without ports.
    pub(super) fn first_config(&self, peer: Option<IpAddr>) -> RtpConfig {
        let mut random = rand::rng();
        let address = self.settings.announced_address();
        let address = address.unwrap_or_else(|| address::local(self.v6, peer));
        let Keys { required, by_suite } = &self.keys;
        RtpConfig {
            session_id: random.random_range(1..u64::from(u32::MAX)),
            session_version: 0,
            session_name: "Kurento Media Server".to_owned(),
            connection: Connection::from(address),
            audio: None,
            video: None,
            secure: *required,
            bundle: false,
            keys: by_suite.clone(),
        }
    }

    /// New keys for those that no section has at present, unless they are the client's own.
    pub(super) fn renew_keys(&self, config: &mut RtpConfig) {
        if self.keys.required {
            return;
        }
        let session = self.session();
        let negotiated = session.exchange.negotiated.iter();
        let sections = negotiated.flat_map(|negotiated| &negotiated.media);
        let lines = sections.filter_map(|media| media.keys.as_ref());
        let in_use: Vec<_> = lines.filter_map(|keys| keys.local.keys.first()).collect();
        keys::renew(&mut config.keys, &in_use);
    }

    /// Gives a kind of media a place in the configuration, where it has none yet; with its present limit.
    pub(super) fn enter(&self, config: &mut RtpConfig, kind: &SdpKind, ports: RtpPorts) {
        let properties = self.properties();
        let (limit, media) = match kind {
            SdpKind::Audio => (properties.max_audio_recv_bandwidth, &mut config.audio),
            _ => (properties.max_video_recv_bandwidth, &mut config.video),
        };
        let media = media.get_or_insert_with(|| self.media(kind, ports));
        media.media.max_receive_bandwidth = u32::try_from(limit).unwrap_or(0);
    }

    fn media(&self, kind: &SdpKind, ports: RtpPorts) -> RtpMedia {
        let mut random = rand::rng();
        let sdp: SdpSettings = of("SdpEndpoint");
        let codecs = match kind {
            SdpKind::Audio => sdp.audio(&settings::AUDIO, &[]),
            _ => sdp.video(&settings::VIDEO, &[]),
        };
        let accepted = match kind {
            SdpKind::Audio => accepted(&codecs),
            _ => Vec::new(),
        };
        let mut codecs = settings::numbered(codecs);
        if *kind == SdpKind::Audio && self.settings.offer_telephone_event {
            codecs.extend(DIGIT_RATES.map(digits));
        }
        let ssrc = random.random_range(1..u32::MAX);
        RtpMedia {
            media: LocalMedia::new(codecs, ssrc, self.cname()),
            accepted,
            ports,
            rtcp_mux: true,
        }
    }

    /// The same for all media of an endpoint (RFC 3550 §6.5.1), and for nobody else to guess.
    pub(super) fn cname(&self) -> String {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.context.id().hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// Whether the configuration has a kind of media at all.
    pub(super) fn has_media(kind: &SdpKind) -> bool {
        let sdp: SdpSettings = of("SdpEndpoint");
        match kind {
            SdpKind::Audio => sdp.num_audio_medias > 0,
            SdpKind::Video => sdp.num_video_medias > 0,
            _ => false,
        }
    }
}

fn accepted(offered: &[CodecCapability]) -> Vec<CodecCapability> {
    let is_offered = |name: &str| {
        let mut offered = offered.iter();
        offered.any(|codec| codec.name.eq_ignore_ascii_case(name))
    };
    let others = ALSO_ACCEPTED.iter().filter(|name| !is_offered(name));
    let others =
        others.filter_map(|name| CodecCapability::from_config_name(&SdpKind::Audio, name).ok());
    let rates = DIGIT_RATES.into_iter().chain([ALSO_ACCEPTED_RATE]);
    others.chain(rates.map(digits)).collect()
}

fn digits(clock_rate: u32) -> CodecCapability {
    CodecCapability::digits(clock_rate, None)
}
