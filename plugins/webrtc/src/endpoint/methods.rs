//! The operations of the class, as the descriptor has them.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, OnceLock, atomic::AtomicBool, atomic::Ordering::Relaxed},
};

use rivero_plugin_api::{ElementContext, Error, MediaKind, Result, Upstream};
use rivero_sdp::OfferOptions;

use super::{
    Endpoint, Shared, channels,
    observer::{
        COMPONENT, LegState, candidate_pair, connection_id, connection_state, media_state,
        stream_id,
    },
    properties::{Properties, address, not_negative},
    session::{Pads, Session},
};
use crate::{
    api::{
        self, BaseRtpEndpoint, CertificateKeyType, ConnectionState, DtlsConnection, IceCandidate,
        IceCandidatePair, IceConnection, MediaState, RembParams, SdpEndpoint, SessionEndpoint,
        WebRtcEndpoint, WebRtcEndpointParams,
    },
    certificates,
    data::ChannelOptions,
    dscp,
    peer::KeyType,
    settings::{self, BaseRtpSettings, WebRtcSettings},
    shard,
};

impl SessionEndpoint for Endpoint {}

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

impl SdpEndpoint for Endpoint {
    fn generate_offer(&self, options: Option<api::OfferOptions>) -> Result<String> {
        self.0.works()?;
        let wanted = |choice: Option<bool>| choice.unwrap_or(true);
        self.0.offer(OfferOptions {
            audio: wanted(
                options
                    .as_ref()
                    .and_then(|options| options.offer_to_receive_audio),
            ),
            video: wanted(
                options
                    .as_ref()
                    .and_then(|options| options.offer_to_receive_video),
            ),
        })
    }

    fn process_offer(&self, offer: String) -> Result<String> {
        self.0.works()?;
        self.0.answer(&offer)
    }

    fn process_answer(&self, answer: String) -> Result<String> {
        self.0.works()?;
        self.0.accept(&answer)
    }

    fn get_local_session_descriptor(&self) -> Result<String> {
        let session = self.0.session();
        session
            .local
            .as_ref()
            .map(ToString::to_string)
            .ok_or_else(|| Error::new(40202, "SDP_END_POINT_NO_LOCAL_SDP_ERROR", "No local SDP"))
    }

    fn get_remote_session_descriptor(&self) -> Result<String> {
        self.0
            .session()
            .remote
            .clone()
            .ok_or_else(|| Error::new(40203, "SDP_END_POINT_NO_REMOTE_SDP_ERROR", "No remote SDP"))
    }

    fn max_audio_recv_bandwidth(&self) -> Result<i32> {
        Ok(self.0.properties().max_audio_recv_bandwidth)
    }

    fn set_max_audio_recv_bandwidth(&self, max_audio_recv_bandwidth: i32) -> Result<()> {
        let value = not_negative("maxAudioRecvBandwidth", max_audio_recv_bandwidth)?;
        self.0.properties().max_audio_recv_bandwidth = value;
        Ok(())
    }

    fn max_video_recv_bandwidth(&self) -> Result<i32> {
        Ok(self.0.properties().max_video_recv_bandwidth)
    }

    fn set_max_video_recv_bandwidth(&self, max_video_recv_bandwidth: i32) -> Result<()> {
        let value = not_negative("maxVideoRecvBandwidth", max_video_recv_bandwidth)?;
        self.0.properties().max_video_recv_bandwidth = value;
        Ok(())
    }
}

impl BaseRtpEndpoint for Endpoint {
    fn request_keyframe(&self) -> Result<()> {
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
            return Err(Error::not_supported(
                "Keyframe request failed (must be requested from a subscriber element)",
            ));
        };
        self.0.shard.with(token, |transport, _| {
            transport.ask_video_source(Upstream::KeyframeRequest)
        });
        Ok(())
    }

    fn min_video_recv_bandwidth(&self) -> Result<i32> {
        Ok(self.0.properties().min_video_recv_bandwidth)
    }

    fn set_min_video_recv_bandwidth(&self, min_video_recv_bandwidth: i32) -> Result<()> {
        let value = not_negative("minVideoRecvBandwidth", min_video_recv_bandwidth)?;
        self.0.properties().min_video_recv_bandwidth = value;
        Ok(())
    }

    fn min_video_send_bandwidth(&self) -> Result<i32> {
        Ok(self.0.properties().min_video_send_bandwidth)
    }

    fn set_min_video_send_bandwidth(&self, min_video_send_bandwidth: i32) -> Result<()> {
        let value = not_negative("minVideoSendBandwidth", min_video_send_bandwidth)?;
        self.0
            .change_send_bandwidth(|properties| properties.min_video_send_bandwidth = value);
        Ok(())
    }

    fn max_video_send_bandwidth(&self) -> Result<i32> {
        Ok(self.0.properties().max_video_send_bandwidth)
    }

    fn set_max_video_send_bandwidth(&self, max_video_send_bandwidth: i32) -> Result<()> {
        let value = not_negative("maxVideoSendBandwidth", max_video_send_bandwidth)?;
        self.0
            .change_send_bandwidth(|properties| properties.max_video_send_bandwidth = value);
        Ok(())
    }

    fn media_state(&self) -> Result<MediaState> {
        Ok(media_state(self.0.legs().iter().any(|leg| leg.media)))
    }

    fn connection_state(&self) -> Result<ConnectionState> {
        let legs = self.0.legs();
        Ok(connection_state(
            !legs.is_empty() && legs.iter().all(|leg| leg.connected),
        ))
    }

    fn mtu(&self) -> Result<i32> {
        Ok(self.0.properties().mtu)
    }

    fn set_mtu(&self, mtu: i32) -> Result<()> {
        self.0.properties().mtu = not_negative("mtu", mtu)?;
        Ok(())
    }

    fn remb_params(&self) -> Result<RembParams> {
        Ok(self.0.properties().remb.clone())
    }

    fn set_remb_params(&self, mut remb_params: RembParams) -> Result<()> {
        // The one without a default in the descriptor; clients of Kurento read all of them back.
        remb_params.lineal_factor_min.get_or_insert(50);
        self.0.properties().remb = remb_params;
        Ok(())
    }
}

impl Shared {
    /// Bounds of what viewers may ask of the source, at once and for later transports.
    fn change_send_bandwidth(&self, change: impl FnOnce(&mut Properties)) {
        let mut properties = self.properties();
        change(&mut properties);
        properties.send_bandwidth_is_set = true;
        let bounds = properties.send_bounds();
        drop(properties);
        for leg in &self.session().legs {
            self.shard.with(leg.token, move |transport, _| {
                transport.set_send_bounds(bounds)
            });
        }
    }
}
