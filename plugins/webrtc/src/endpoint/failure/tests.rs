use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    time::Duration,
};

use rivero_plugin_api::{
    Element, MediaKind, Packet,
    abi::{
        abi_stable::{
            sabi_trait::TD_Opaque,
            std_types::{RArc, ROption, RResult, RSlice, RStr, RString},
        },
        module,
        traits::{
            AbiElementHost, AbiElementHost_TO, AbiSinkPad, AbiSinkPad_TO, AbiSourcePad,
            AbiSourcePad_TO, SinkGroup, SinkHandler, SinkPad, SourceHandler, SourcePad,
        },
        types::{AbiEncoding, AbiError, AbiUpstream},
    },
};
use serde_json::{Value, json};

use crate::{
    api::{
        BaseRtpEndpoint, ConnectionState, IceCandidate, IceComponentState, SdpEndpoint,
        WebRtcEndpoint,
    },
    endpoint::{Endpoint, session::Leg},
};

const PATIENCE: Duration = Duration::from_secs(30);
/// Each section has a transport.
const OFFER: &str = include_str!("../../../../lib/sdp/src/samples/unbundled.sdp");

/// The pads that are open, by kind and direction.
type Pads = Arc<Mutex<HashSet<(u8, &'static str)>>>;

/// An object's side of a server that tells the test what it hears.
struct Host {
    events: Mutex<Sender<(String, Value)>>,
    pads: Pads,
}

impl Host {
    fn hears(&self, event: &str, data: Value) {
        // Nobody listens any more at the end of the test.
        let _ = self.events.lock().unwrap().send((event.to_owned(), data));
    }

    fn open(&self, kind: MediaKind, direction: &'static str) -> Pad {
        let pad = (kind.number(), direction);
        assert!(self.pads.lock().unwrap().insert(pad), "{pad:?} is closed");
        Pad(self.pads.clone(), pad)
    }
}

impl AbiElementHost for Host {
    fn id(&self) -> RString {
        "endpoint".into()
    }

    fn pipeline(&self) -> RString {
        "pipeline".into()
    }

    fn emit(&self, event: RStr<'_>, data: RStr<'_>) {
        self.hears(&event, serde_json::from_str(&data).unwrap());
    }

    fn error(&self, kind: RStr<'_>, code: i32, description: RStr<'_>) {
        let data = json!({ "type": &*kind, "errorCode": code, "description": &*description });
        self.hears("Error", data);
    }

    fn panicked(&self, place: RStr<'_>, _: RStr<'_>) {
        self.hears("Panic", json!(&*place));
    }

    fn add_source_pad(
        &self,
        kind: MediaKind,
        _: RStr<'_>,
        _: SourceHandler,
    ) -> RResult<SourcePad, AbiError> {
        let pad = RArc::new(self.open(kind, "source"));
        RResult::ROk(AbiSourcePad_TO::from_ptr(pad, TD_Opaque))
    }

    fn add_sink_pad(
        &self,
        kind: MediaKind,
        _: RStr<'_>,
        _: SinkHandler,
        _: ROption<SinkGroup>,
        _: u64,
    ) -> RResult<SinkPad, AbiError> {
        let pad = RArc::new(self.open(kind, "sink"));
        RResult::ROk(AbiSinkPad_TO::from_ptr(pad, TD_Opaque))
    }

    fn class_of(&self, _: RStr<'_>) -> ROption<RString> {
        ROption::RNone
    }
}

struct Pad(Pads, (u8, &'static str));

impl Pad {
    fn close_once(&self) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&self.1);
    }
}

impl AbiSourcePad for Pad {
    fn id(&self) -> u32 {
        1
    }

    fn push(&self, _: RSlice<'_, Packet>) {}

    fn set_format(&self, _: u32) {}

    fn set_encodings(&self, _: RSlice<'_, AbiEncoding>) {}

    fn show(&self, _: u32) -> RResult<(), AbiError> {
        RResult::ROk(())
    }

    fn close(&self) {
        self.close_once();
    }
}

impl AbiSinkPad for Pad {
    fn set_accepted(&self, _: RSlice<'_, u32>) {}

    fn upstream(&self, _: AbiUpstream) {}

    fn history(&self, _: u32, _: u16) -> ROption<Packet> {
        ROption::RNone
    }

    fn close(&self) {
        self.close_once();
    }

    fn next_bitrate(&self) -> u64 {
        0
    }
}

fn endpoint() -> (Endpoint, Pads, Receiver<(String, Value)>) {
    let (sender, events) = mpsc::channel();
    let pads = Pads::default();
    let host = Host {
        events: Mutex::new(sender),
        pads: pads.clone(),
    };
    let host = AbiElementHost_TO::from_ptr(RArc::new(host), TD_Opaque);
    let params = json!({ "mediaPipeline": "pipeline", "certificateKeyType": "ECDSA" });
    let params = serde_json::from_value(params).unwrap();
    let endpoint = Endpoint::create(module::context(host), params).unwrap();
    (endpoint, pads, events)
}

/// Events up to one of that name, which comes last.
fn until(events: &Receiver<(String, Value)>, name: &str) -> Vec<(String, Value)> {
    let mut heard = Vec::new();
    while heard.last().is_none_or(|(event, _)| event != name) {
        heard.push(events.recv_timeout(PATIENCE).unwrap());
    }
    heard
}

/// Neither the transports nor what they held are there any more.
fn are_gone(endpoint: &Endpoint, legs: &[Leg], pads: &Pads) {
    for leg in legs {
        let (sender, receiver) = mpsc::channel::<()>();
        let shard = &endpoint.0.shard;
        shard.with(leg.token, move |_, _| sender.send(()).unwrap());
        assert!(receiver.recv().is_err());
    }
    assert!(pads.lock().unwrap().is_empty());
}

#[test]
fn an_endpoint_that_lost_a_transport_fails_as_a_whole_and_says_so() {
    let (endpoint, pads, events) = endpoint();
    endpoint.process_offer(OFFER.to_owned()).unwrap();
    let legs = endpoint.0.session().legs.clone();
    assert!(legs.len() > 1, "the sample has several transports");
    assert!(!pads.lock().unwrap().is_empty());

    let shard = endpoint.0.shard.clone();
    shard.with(legs[0].token, |_, _| panic!("on purpose"));
    let (_, error) = until(&events, "Error").pop().unwrap();
    assert_eq!(error["errorCode"], 40003);
    assert!(
        error["description"]
            .as_str()
            .unwrap()
            .contains("on purpose")
    );
    for _ in &legs {
        let ice = until(&events, "IceComponentStateChanged").pop().unwrap();
        assert_eq!(ice.1["state"], "FAILED");
        let dtls = until(&events, "DtlsConnectionStateChange").pop().unwrap();
        assert_eq!(dtls.1["state"], "FAILED");
    }

    let states = endpoint.ice_connection_state().unwrap();
    assert_eq!(states.len(), legs.len());
    assert!(
        states
            .iter()
            .all(|ice| ice.state == IceComponentState::Failed)
    );
    assert_eq!(
        endpoint.connection_state().unwrap(),
        ConnectionState::Disconnected
    );
    are_gone(&endpoint, &legs, &pads);
    assert_eq!(endpoint.stats(None).unwrap().len(), 0);

    let candidate = IceCandidate {
        candidate: "candidate:1 1 udp 1 192.0.2.1 5000 typ host".to_owned(),
        sdp_mid: "0".to_owned(),
        sdp_m_line_index: 0,
    };
    for refused in [
        endpoint.process_offer(OFFER.to_owned()).map(drop),
        endpoint.process_answer(OFFER.to_owned()).map(drop),
        endpoint.generate_offer(None).map(drop),
        endpoint.gather_candidates(),
        endpoint.add_ice_candidate(candidate),
        endpoint.create_data_channel("x".to_owned(), true, -1, -1, String::new()),
        endpoint.close_data_channel(0),
        endpoint.request_keyframe(),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.code, 40003);
        assert!(error.message.contains("create another one"), "{error}");
    }
    endpoint.released();
    assert!(events.try_recv().is_err(), "nothing follows");
}

/// The client may release an endpoint, and a transport may be lost, while it negotiates.
#[test]
fn an_endpoint_that_ends_while_it_negotiates_leaves_nothing_behind() {
    for released in [true, false] {
        let (endpoint, pads, _events) = endpoint();
        endpoint.process_offer(OFFER.to_owned()).unwrap();
        let shared = &endpoint.0;
        // As a negotiation has them that began before the end, and is done after it.
        let legs = shared.session().legs.clone();
        let ended = legs.clone();
        if released {
            endpoint.released();
        } else {
            shared.fail("on purpose");
        }
        let installed = shared.install(legs, shared.session());
        assert_eq!(installed.unwrap_err().code, 40003);
        assert!(shared.session().legs.is_empty());
        are_gone(&endpoint, &ended, &pads);
    }
}
