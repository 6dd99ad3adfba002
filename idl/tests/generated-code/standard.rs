//! Standard classes: from the simplest to the one with the longest chain of supertraits.

use crate::api::{
    composite, face_overlay_filter, pass_through, recorder_endpoint, web_rtc_endpoint,
};
use crate::{Element, ElementContext, ObjectRef, Result};
use serde_json::{Value, json};
use std::sync::Mutex;

struct Nothing;

impl Element for Nothing {}

impl pass_through::PassThrough for Nothing {
    fn create(_: ElementContext, params: pass_through::PassThroughParams) -> Result<Self> {
        assert_eq!(params.media_pipeline, ObjectRef("p".to_owned()));
        Ok(Self)
    }
}

#[test]
fn a_class_without_operations_knows_none() {
    let class = pass_through::pass_through::<Nothing>();
    assert_eq!(class.name, "PassThrough");
    let object = (class.create)(ElementContext::default(), json!({"mediaPipeline": "p"})).unwrap();
    let error = object.invoke("play", json!({"a": 1})).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (40008, "play with 1"));
    object.element().released();
}

impl composite::Composite for Nothing {
    fn create(_: ElementContext, params: composite::CompositeParams) -> Result<Self> {
        assert_eq!(
            (params.width, params.height, params.framerate),
            (800, 600, 25)
        );
        Ok(Self)
    }

    fn set_layout(&self, _: composite::CompositeLayout) -> Result<()> {
        Ok(())
    }

    fn set_port(&self, _: ObjectRef, _: composite::CompositePort) -> Result<()> {
        Ok(())
    }

    fn set_port_layout(
        &self,
        _: ObjectRef,
        _: Option<composite::CompositeLayout>,
        _: bool,
    ) -> Result<()> {
        Ok(())
    }

    fn set_output(&self, _: i32, _: i32, _: i32) -> Result<()> {
        Ok(())
    }

    fn get_port_stats(&self, _: ObjectRef) -> Result<composite::CompositePortStats> {
        Ok(composite::CompositePortStats {
            late: 0,
            repeated: 0,
            dropped: 0,
            drift: 0.0,
            age: -1,
        })
    }
}

#[test]
fn constructor_defaults_count_where_nothing_is_given() {
    let params = json!({"mediaPipeline": "p", "framerate": 25});
    assert!((composite::composite::<Nothing>().create)(ElementContext::default(), params).is_ok());
    let missing = (composite::composite::<Nothing>().create)(ElementContext::default(), json!({}));
    assert_eq!(missing.err().unwrap().code, 40001);
}

/// Remembers what it was told to do.
struct Recorder {
    context: ElementContext,
    done: Mutex<Vec<&'static str>>,
    profile: recorder_endpoint::MediaProfileSpecType,
}

impl Recorder {
    fn note(&self, what: &'static str) -> Result<()> {
        self.done.lock().unwrap().push(what);
        Ok(())
    }
}

impl Element for Recorder {}

impl recorder_endpoint::UriEndpoint for Recorder {
    fn pause(&self) -> Result<()> {
        self.note("pause")
    }

    fn stop(&self) -> Result<()> {
        self.note("stop")
    }

    fn uri(&self) -> Result<String> {
        Ok(self.done.lock().unwrap().join(","))
    }

    fn state(&self) -> Result<recorder_endpoint::UriEndpointState> {
        Ok(recorder_endpoint::UriEndpointState::Pause)
    }
}

impl recorder_endpoint::RecorderEndpoint for Recorder {
    fn create(
        context: ElementContext,
        params: recorder_endpoint::RecorderEndpointParams,
    ) -> Result<Self> {
        Ok(Self {
            context,
            done: Mutex::default(),
            profile: params.media_profile,
        })
    }

    fn record(&self) -> Result<()> {
        use recorder_endpoint::{RecorderEndpointEvents, UriEndpointEvents};
        self.context.recording();
        self.context
            .uri_endpoint_state_changed(recorder_endpoint::UriEndpointState::Start);
        self.note(self.profile.as_str())
    }

    fn stop_and_wait(&self) -> Result<()> {
        self.note("stopAndWait")
    }
}

#[test]
fn inherited_operations_arrive_at_the_supertrait() {
    let context = ElementContext::default();
    let class = recorder_endpoint::recorder_endpoint::<Recorder>();
    let object =
        (class.create)(context.clone(), json!({"mediaPipeline": "p", "uri": "u"})).unwrap();
    for operation in ["record", "pause", "stop", "stopAndWait"] {
        assert_eq!(object.invoke(operation, json!({})), Ok(Value::Null));
    }
    assert_eq!(
        object.invoke("getUri", Value::Null),
        Ok(json!("WEBM,pause,stop,stopAndWait"))
    );
    assert_eq!(object.invoke("getState", json!({})), Ok(json!("PAUSE")));
    assert_eq!(
        object
            .invoke("setUri", json!({"uri": "x"}))
            .unwrap_err()
            .code,
        40008
    );
    let raised = context.raised.lock().unwrap();
    assert_eq!(raised[0], ("Recording".to_owned(), json!({})));
    assert_eq!(
        raised[1],
        (
            "UriEndpointStateChanged".to_owned(),
            json!({"state": "START"})
        )
    );
}

struct Face(Mutex<Vec<f32>>);

impl Element for Face {}

impl face_overlay_filter::FaceOverlayFilter for Face {
    fn create(_: ElementContext, _: face_overlay_filter::FaceOverlayFilterParams) -> Result<Self> {
        Ok(Self(Mutex::default()))
    }

    fn unset_overlayed_image(&self) -> Result<()> {
        self.0.lock().unwrap().clear();
        Ok(())
    }

    fn set_overlayed_image(
        &self,
        _: String,
        x: f32,
        y: f32,
        width: f32,
        height: f32,
    ) -> Result<()> {
        self.0.lock().unwrap().extend([x, y, width, height]);
        assert_eq!(*self.0.lock().unwrap(), [-0.2, 0.1, 1.6, 1.0]);
        Ok(())
    }
}

#[test]
fn parameters_arrive_in_their_order() {
    let class = face_overlay_filter::face_overlay_filter::<Face>();
    let object = (class.create)(ElementContext::default(), json!({"mediaPipeline": "p"})).unwrap();
    let params = json!({"heightPercent": 1, "widthPercent": 1.6, "offsetYPercent": 0.1, "offsetXPercent": -0.2, "uri": "u"});
    assert_eq!(object.invoke("setOverlayedImage", params), Ok(Value::Null));
    let error = object
        .invoke("setOverlayedImage", json!({"uri": 7}))
        .unwrap_err();
    assert_eq!(error.code, 40001);
}

#[test]
fn complex_values_carry_their_type_also_inside_events() {
    use web_rtc_endpoint::{IceCandidate, WebRtcEndpointEvents};
    let context = ElementContext::default();
    context.ice_candidate_found(IceCandidate {
        candidate: "candidate:1".to_owned(),
        sdp_mid: "0".to_owned(),
        sdp_m_line_index: 0,
    });
    let (event, data) = context.raised.lock().unwrap().remove(0);
    assert_eq!(event, "IceCandidateFound");
    assert_eq!(
        data,
        json!({"candidate": {
            "__module__": "kurento", "__type__": "IceCandidate",
            "candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0}})
    );
    let read: IceCandidate = serde_json::from_value(data["candidate"].clone()).unwrap();
    assert_eq!(read.sdp_m_line_index, 0);
}

#[test]
fn registers_whose_fields_are_all_optional_have_the_defaults_of_the_descriptor() {
    let params = web_rtc_endpoint::RembParams::default();
    assert_eq!(
        (params.up_losses, params.lineal_factor_min),
        (Some(12), None)
    );
    let partial: web_rtc_endpoint::RembParams =
        serde_json::from_value(json!({"upLosses": 3})).unwrap();
    assert_eq!(
        (partial.up_losses, partial.remb_on_connect),
        (Some(3), None)
    );
}
