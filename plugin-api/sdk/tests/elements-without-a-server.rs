//! What elements on the kit do, in pipelines without a server.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed call fails the test"
)]

use std::time::Duration;

use rivero_sdk::{
    Behaviour, Class, ElementContext, Error, Packet, Picture, PictureFilter, PictureSource, Result,
    Sound, SoundFilter, SwitchHub, Upstream, host, in_range, picture_filter, picture_source,
    serde::Deserialize,
    serde_json::{Value, json},
    sound_filter, switch_hub,
    testing::{Linked, Pipeline},
};

#[derive(Deserialize)]
#[serde(crate = "rivero_sdk::serde")]
struct Params {
    #[serde(default)]
    level: u8,
}

/// Of all kinds: draws or says its level.
struct Probe(ElementContext);

impl Behaviour for Probe {
    type Properties = Params;

    fn new(context: ElementContext, _: &Params) -> Result<Self> {
        Ok(Self(context))
    }

    fn check(params: &Params) -> Result<()> {
        in_range("level", params.level, 0..=200)
    }

    fn call(&mut self, operation: &str, _: Value) -> Result<Value> {
        match operation {
            "fail" => Err(Error::new(49_001, "PROBE_ERROR", "as asked")),
            "later" => {
                let context = self.0.clone();
                let timer = move || context.emit("Later", json!({"at": host().unwrap().now()}));
                self.0.after(Duration::from_secs(3600), timer);
                Ok(json!(true))
            }
            _ => Err(Error::no_such_operation(operation, 0)),
        }
    }
}

impl PictureFilter for Probe {
    fn process(&mut self, picture: &mut Picture<'_>, params: &Params) {
        assert_ne!(params.level, 200, "on purpose");
        picture.luma().fill(params.level);
        picture.note("probe.level", [params.level]);
    }
}

impl SoundFilter for Probe {
    fn process(&mut self, sound: &mut Sound, params: &Params) {
        assert_eq!((sound.rate, sound.channels), (16_000, 1));
        sound.samples.fill(i16::from(params.level));
        // Their number is the packet's.
        sound.samples.push(7);
    }
}

impl PictureSource for Probe {
    fn draw(&mut self, picture: &mut Picture<'_>, params: &Params) {
        picture.luma().fill(params.level);
    }

    fn size(&self, params: &Params) -> (usize, usize) {
        (usize::from(params.level), 2)
    }

    fn rate(&self, _: &Params) -> f64 {
        10.0
    }
}

impl SwitchHub for Probe {
    fn source_of(&mut self, _: &str, ports: &[String], params: &Params) -> Option<String> {
        ports.get(usize::from(params.level)).cloned()
    }
}

fn pipeline() -> Pipeline {
    Pipeline::new("{}")
}

fn filter() -> Class {
    picture_filter::<Probe>("Probe")
}

#[test]
fn a_filter_changes_pictures_and_passes_all_else() {
    let pipeline = pipeline();
    let filter = pipeline.create(filter(), json!({"level": 50})).unwrap();
    let (camera, microphone) = (pipeline.camera(5, 3), pipeline.microphone(8_000, 1));
    let screen = pipeline.screen();
    camera.connect(&filter);
    microphone.connect(&filter);
    filter.connect(&screen);
    microphone.speak(&[1, 2]);
    assert_eq!(screen.sounds(), [[1, 2]]);
    camera.show([255; 3]);
    filter.set("level", 90).unwrap();
    camera.show([255; 3]);
    let pictures = screen.pictures();
    let levels: Vec<u8> = pictures
        .iter()
        .map(|picture| picture.view().luma()[14])
        .collect();
    assert_eq!(levels, [50, 90]);
    let note: Packet = pictures[1].packet.clone();
    assert_eq!(note.metadata("probe.level"), Some(&[90][..]));
    assert!(camera.asked().contains(&Upstream::KeyframeRequest));
    filter.release();
    camera.show([255; 3]);
    assert!(screen.packets().is_empty());
}

#[test]
fn properties_are_kept_and_calls_reach_the_author() {
    let pipeline = pipeline();
    let filter = pipeline.create(filter(), json!({"level": 1})).unwrap();
    assert_eq!(filter.get("level").unwrap(), 1);
    assert_eq!(filter.set("level", 201).unwrap_err().code, 40107);
    assert_eq!(filter.set("level", 300).unwrap_err().code, 40001);
    assert_eq!(filter.get("level").unwrap(), 1);
    assert_eq!(filter.get("title").unwrap(), Value::Null);
    filter.set("title", "x").unwrap();
    assert_eq!(filter.get("title").unwrap(), "x");
    assert_eq!(filter.call("fail", json!({})).unwrap_err().code, 49_001);
    assert_eq!(filter.call("none", json!({})).unwrap_err().code, 40_008);
}

#[test]
fn an_hour_takes_no_time() {
    let pipeline = pipeline();
    let filter = pipeline.create(filter(), json!({})).unwrap();
    let begin = pipeline.now();
    filter.call("later", json!({})).unwrap();
    pipeline.advance(Duration::from_secs(3599));
    assert!(filter.events().is_empty());
    pipeline.advance(Duration::from_secs(2));
    let events = filter.events();
    assert_eq!(
        events,
        [(
            "Later".to_owned(),
            json!({"at": begin + 3_600_000_000_000_i64})
        )]
    );
}

#[test]
fn a_panic_is_an_error_of_the_object() {
    let pipeline = pipeline();
    let filter = pipeline.create(filter(), json!({"level": 200})).unwrap();
    // A filter without a consumer rests.
    let (camera, screen) = (pipeline.camera(4, 4), pipeline.screen());
    camera.connect(&filter);
    filter.connect(&screen);
    camera.show([0; 3]);
    let errors = filter.errors();
    assert!(errors[0].message.contains("on purpose"), "{errors:?}");
    filter.set("level", 3).unwrap();
    camera.show([0; 3]);
    assert!(filter.errors().is_empty());
}

#[test]
fn sound_keeps_its_length() {
    let pipeline = pipeline();
    let class = sound_filter::<Probe>("Probe");
    let filter = pipeline.create(class, json!({"level": 9})).unwrap();
    let (microphone, screen) = (pipeline.microphone(16_000, 1), pipeline.screen());
    microphone.connect(&filter);
    filter.connect(&screen);
    microphone.speak(&[1, 2, 3]);
    assert_eq!(screen.sounds(), [[9, 9, 9]]);
}

#[test]
fn a_source_works_while_somebody_watches() {
    let pipeline = pipeline();
    let class = picture_source::<Probe>("Probe");
    let source = pipeline.create(class, json!({"level": 6})).unwrap();
    let screen = pipeline.screen();
    pipeline.advance(Duration::from_secs(1));
    source.connect(&screen);
    pipeline.advance(Duration::from_millis(350));
    let pictures = screen.pictures();
    assert_eq!(pictures.len(), 4);
    assert_eq!(
        (pictures[0].view().width(), pictures[0].view().luma()[0]),
        (6, 6)
    );
    let times: Vec<i64> = pictures
        .iter()
        .map(|picture| picture.view().time())
        .collect();
    assert!(
        times
            .windows(2)
            .all(|pair| pair[1] - pair[0] == 100_000_000)
    );
    source.disconnect(&screen);
    pipeline.advance(Duration::from_secs(1));
    assert!(screen.packets().is_empty());
    source.connect(&screen);
    pipeline.advance(Duration::from_millis(50));
    assert_eq!(screen.pictures().len(), 1);
    source.release();
    pipeline.advance(Duration::from_secs(1));
    assert!(screen.packets().is_empty());
}

#[test]
fn a_hub_follows_its_property_and_its_ports() {
    let pipeline = pipeline();
    let class = switch_hub::<Probe>("Probe");
    let hub = pipeline.create(class, json!({})).unwrap();
    let ports = [0; 3].map(|_| pipeline.port(&hub).unwrap());
    let cameras = [0; 2].map(|_| pipeline.camera(4, 4));
    cameras[0].connect(&ports[0]);
    cameras[1].connect(&ports[1]);
    let screen = pipeline.screen();
    ports[2].connect(&screen);
    let seen = |show: usize| {
        cameras[show].show([255, 0, 0]);
        screen.pictures().len()
    };
    assert_eq!((seen(0), seen(1)), (1, 0));
    hub.set("level", 1).unwrap();
    assert_eq!((seen(0), seen(1)), (0, 1));
    let [first, second, _third] = ports;
    drop(first);
    assert_eq!(seen(1), 0, "it is the first port now");
    hub.set("level", 0).unwrap();
    assert_eq!(seen(1), 1);
    drop(second);
    assert_eq!(seen(1), 0);
}
