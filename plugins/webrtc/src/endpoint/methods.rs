//! The operations of the class, as the descriptor has them.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    ops::DerefMut,
    sync::{Arc, Mutex, OnceLock, atomic::AtomicBool, atomic::Ordering::Relaxed},
};

use rivero_endpoint::{
    Negotiates, Overall,
    settings::{self, BaseRtpSettings},
};
use rivero_plugin_api::{ElementContext, Error, MediaKind, Result, Upstream};
use rivero_rtp_session::SendBounds;
use rivero_sdp::OfferOptions;

use super::{
    Endpoint, Shared, channels,
    observer::{COMPONENT, LegState, candidate_pair, connection_id, stream_id},
    properties::{Properties, address},
    session::{Pads, Session},
};
use crate::{
    api::{
        self, CertificateKeyType, DtlsConnection, IceCandidate, IceCandidatePair, IceConnection,
        WebRtcEndpoint, WebRtcEndpointParams,
    },
    certificates,
    data::ChannelOptions,
    dscp,
    peer::KeyType,
    settings::WebRtcSettings,
    shard,
};

impl WebRtcEndpoint for Endpoint {
    fn create(context: ElementContext, params: WebRtcEndpointParams) -> Result<Self> {
        let key_type = match params.certificate_key_type {
            CertificateKeyType::Rsa => KeyType::Rsa,
            CertificateKeyType::Ecdsa => KeyType::Ecdsa,
        };
        let base: BaseRtpSettings = settings::of("BaseRtpEndpoint");
        let webrtc: WebRtcSettings = settings::of("WebRtcEndpoint");
        let shards = shard::obtain(base.port_range())?;
        Ok(Self(Arc::new(Shared {
            certificate: certificates::obtain(key_type, &webrtc)?,
            mark: dscp::mark(params.qos_dscp, webrtc.qos_dscp),
            shard: shards.assign()?,
            _shards: shards,
            rtp_properties: Mutex::new(rivero_endpoint::Properties::new(&base)),
            properties: Mutex::new(Properties::from_configuration()),
            negotiating: Mutex::default(),
            session: Mutex::new(Session::default()),
            legs: Mutex::default(),
            failure: OnceLock::new(),
            gathering: AtomicBool::new(false),
            video_fed: AtomicBool::new(false),
            context,
            params,
        })))
    }

    fn gather_candidates(&self) -> Result<()> {
        self.0.works()?;
        self.0.gather();
        Ok(())
    }

    fn add_ice_candidate(&self, candidate: IceCandidate) -> Result<()> {
        self.0.works()?;
        self.0.add_candidate(&candidate)
    }

    fn create_data_channel(
        &self,
        label: String,
        ordered: bool,
        max_packet_life_time: i32,
        max_retransmits: i32,
        protocol: String,
    ) -> Result<()> {
        self.0.works()?;
        let limit = channels::limit(max_packet_life_time, max_retransmits)?;
        self.0.create_channel(ChannelOptions {
            label,
            protocol,
            ordered,
            limit,
        })
    }

    fn close_data_channel(&self, channel_id: i32) -> Result<()> {
        self.0.works()?;
        self.0.close_channel(channel_id)
    }

    fn network_interfaces(&self) -> Result<String> {
        Ok(self.0.properties().network_interfaces.clone())
    }

    fn set_network_interfaces(&self, network_interfaces: String) -> Result<()> {
        self.0.properties().network_interfaces = network_interfaces;
        Ok(())
    }

    fn ice_tcp(&self) -> Result<bool> {
        Ok(self.0.properties().ice_tcp)
    }

    fn set_ice_tcp(&self, ice_tcp: bool) -> Result<()> {
        self.0.properties().ice_tcp = ice_tcp;
        Ok(())
    }

    fn stun_server_address(&self) -> Result<String> {
        Ok(self.0.properties().stun_server_address.clone())
    }

    fn set_stun_server_address(&self, stun_server_address: String) -> Result<()> {
        self.0.properties().stun_server_address = stun_server_address;
        Ok(())
    }

    fn stun_server_port(&self) -> Result<i32> {
        Ok(self.0.properties().stun_server_port)
    }

    fn set_stun_server_port(&self, stun_server_port: i32) -> Result<()> {
        if !(0..=65_535).contains(&stun_server_port) {
            let text = format!("stunServerPort is {stun_server_port}, which is no port");
            return Err(Error::illegal_parameter(text));
        }
        self.0.properties().stun_server_port = stun_server_port;
        Ok(())
    }

    fn turn_url(&self) -> Result<String> {
        Ok(self.0.properties().turn_url.clone())
    }

    fn set_turn_url(&self, turn_url: String) -> Result<()> {
        self.0.properties().turn_url = turn_url;
        Ok(())
    }

    fn external_ipv4(&self) -> Result<String> {
        Ok(self.0.properties().external_ipv4.clone())
    }

    fn set_external_ipv4(&self, external_ipv4: String) -> Result<()> {
        address::<Ipv4Addr>("externalIPv4", &external_ipv4)?;
        self.0.properties().external_ipv4 = external_ipv4;
        Ok(())
    }

    fn external_ipv6(&self) -> Result<String> {
        Ok(self.0.properties().external_ipv6.clone())
    }

    fn set_external_ipv6(&self, external_ipv6: String) -> Result<()> {
        address::<Ipv6Addr>("externalIPv6", &external_ipv6)?;
        self.0.properties().external_ipv6 = external_ipv6;
        Ok(())
    }

    fn ice_candidate_pairs(&self) -> Result<Vec<IceCandidatePair>> {
        let legs = self.0.legs();
        let pair = |leg: &LegState| Some(candidate_pair(leg.number, leg.pair.clone()?));
        Ok(legs.iter().filter_map(pair).collect())
    }

    fn ice_connection_state(&self) -> Result<Vec<IceConnection>> {
        let legs = self.0.legs();
        let connection = |leg: &LegState| {
            Some(IceConnection {
                stream_id: stream_id(leg.number),
                component_id: COMPONENT,
                state: leg.ice?,
            })
        };
        Ok(legs.iter().filter_map(connection).collect())
    }

    fn dtls_connection_state(&self) -> Result<Vec<DtlsConnection>> {
        let legs = self.0.legs();
        let connection = |leg: &LegState| {
            Some(DtlsConnection {
                stream_id: stream_id(leg.number),
                component_id: COMPONENT.to_string(),
                connection_id: connection_id(leg.number),
                state: leg.dtls?,
            })
        };
        Ok(legs.iter().filter_map(connection).collect())
    }
}

rivero_endpoint::bodies!(Endpoint, api);

impl Negotiates for Endpoint {
    fn offer(&self, options: OfferOptions) -> Result<String> {
        self.0.works()?;
        self.0.offer(options)
    }

    fn answer(&self, offer: &str) -> Result<String> {
        self.0.works()?;
        self.0.answer(offer)
    }

    fn accept(&self, answer: &str) -> Result<String> {
        self.0.works()?;
        self.0.accept(answer)
    }

    fn local_description(&self) -> Option<String> {
        let session = self.0.session();
        session.exchange.local.as_ref().map(ToString::to_string)
    }

    fn remote_description(&self) -> Option<String> {
        self.0.session().exchange.remote.clone()
    }

    fn properties(&self) -> impl DerefMut<Target = rivero_endpoint::Properties> {
        self.0.rtp_properties()
    }

    fn send_bounds_changed(&self, bounds: SendBounds) {
        for leg in &self.0.session().legs {
            self.0.shard.with(leg.token, move |transport, _| {
                transport.set_send_bounds(bounds)
            });
        }
    }

    fn ask_for_keyframe(&self) -> Result<bool> {
        self.0.works()?;
        let pads = |pads: &&Pads| pads.kind == MediaKind::Video;
        let token = self
            .0
            .session()
            .pads
            .iter()
            .find(pads)
            .map(|pads| pads.token);
        let (Some(token), true) = (token, self.0.video_fed.load(Relaxed)) else {
            return Ok(false);
        };
        self.0.shard.with(token, |transport, _| {
            transport.ask_video_source(Upstream::KeyframeRequest)
        });
        Ok(true)
    }

    fn overall(&self) -> Overall {
        overall(&self.0.legs())
    }
}

/// The states of all transports together.
pub(super) fn overall(legs: &[LegState]) -> Overall {
    Overall::of(legs.iter().map(|leg| (leg.connected, leg.media)))
}
