//! A module's own descriptor, with what the standard classes do not have: overloads, numbers of 32
//! bits in lists and maps, names that are Rust keywords, defaults of every kind.

use crate::api::lens::{self, Lens, LensEvents, LensParams, Marker, Mode, Point};
use crate::{Element, ElementContext, Object, ObjectRef, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

struct Glass {
    context: ElementContext,
}

impl Element for Glass {}

impl Lens for Glass {
    fn create(context: ElementContext, params: LensParams) -> Result<Self> {
        assert_eq!((params.size, params.ratio), (-320, -0.5));
        assert_eq!(params.title, "say \"cheese\"");
        assert_eq!(params.points, [point(0.25, 1.0)]);
        assert_eq!(params.weights, BTreeMap::from([("a".to_owned(), 1.5)]));
        assert_eq!(
            (params.mode, params.empty.len(), params.partner),
            (Mode::HalfOpen, 0, None)
        );
        Ok(Self { context })
    }

    fn focus(&self) -> Result<()> {
        self.context.lost("far".to_owned());
        Ok(())
    }

    fn focus_with_point_and_speed_and_type(
        &self,
        point: Point,
        speed: f32,
        r#type: Option<Mode>,
    ) -> Result<f32> {
        assert_eq!((speed, r#type), (0.5, None));
        Ok(point.x)
    }

    fn create_(&self) -> Result<BTreeMap<String, Point>> {
        Ok(BTreeMap::from([("here".to_owned(), point(0.1, 0.5))]))
    }

    fn find(&self, ids: Vec<i64>) -> Result<Vec<f32>> {
        assert_eq!(ids, [1 << 40]);
        Ok(vec![0.1])
    }

    fn r#match(&self) -> Result<bool> {
        Ok(true)
    }

    fn set_match(&self, r#match: bool) -> Result<()> {
        assert!(!r#match);
        self.context.seen(
            Marker {
                x: 0.1,
                y: 0.0,
                label: None,
                trail: Some(vec![0.2]),
                r#type: Mode::Closed,
            },
            0.3,
            None,
        );
        Ok(())
    }

    fn levels(&self) -> Result<BTreeMap<String, f32>> {
        Ok(BTreeMap::from([("a".to_owned(), 0.1)]))
    }

    fn serial(&self) -> Result<i64> {
        Ok(i64::MAX)
    }

    fn partner(&self) -> Result<ObjectRef> {
        Ok(ObjectRef("other".to_owned()))
    }

    fn set_partner(&self, partner: ObjectRef) -> Result<()> {
        assert_eq!(partner.0, "p/e");
        Ok(())
    }
}

fn point(x: f32, y: f32) -> Point {
    Point {
        x,
        y,
        label: None,
        trail: None,
    }
}

fn glass() -> (Box<dyn Object>, ElementContext) {
    let context = ElementContext::default();
    let created = (lens::lens::<Glass>().create)(context.clone(), json!({"mediaPipeline": "p"}));
    (created.unwrap(), context)
}

#[test]
fn overloads_are_told_apart_by_the_names_given() {
    let (glass, context) = glass();
    assert_eq!(glass.invoke("focus", json!({})), Ok(Value::Null));
    assert_eq!(
        context.raised.lock().unwrap()[0],
        ("Lost".to_owned(), json!({"type": "far"}))
    );
    let point = json!({"__type__": "Point", "__module__": "lens", "x": 0.1, "y": 2});
    let answer = glass.invoke("focus", json!({"point": point, "speed": 0.5}));
    assert_eq!(answer, Ok(json!(0.100_000_001_490_116_12)));
    assert_eq!(
        glass
            .invoke("focus", json!({"nothing": 1}))
            .unwrap_err()
            .code,
        40008
    );
}

#[test]
fn numbers_of_32_bits_are_printed_exactly_wherever_they_stand() {
    let (glass, context) = glass();
    let printed = |operation, params| glass.invoke(operation, params).unwrap().to_string();
    assert_eq!(
        printed("find", json!({"ids": [1_i64 << 40]})),
        "[0.10000000149011612]"
    );
    assert_eq!(
        printed("getLevels", json!({})),
        r#"{"a":0.10000000149011612}"#
    );
    assert_eq!(
        printed("create", json!({})),
        r#"{"here":{"__module__":"lens","__type__":"Point","x":0.10000000149011612,"y":0.5}}"#
    );
    printed("setMatch", json!({"match": false}));
    assert_eq!(
        context.raised.lock().unwrap()[0].1.to_string(),
        r#"{"certainty":0.30000001192092896,"marker":{"__module__":"lens","__type__":"Marker","trail":[0.20000000298023224],"type":"closed","x":0.10000000149011612,"y":0.0}}"#
    );
}

#[test]
fn keywords_object_references_and_big_integers_pass() {
    let (glass, _) = glass();
    assert_eq!(glass.invoke("getMatch", json!({})), Ok(json!(true)));
    assert_eq!(glass.invoke("getSerial", json!({})), Ok(json!(i64::MAX)));
    assert_eq!(glass.invoke("getPartner", json!({})), Ok(json!("other")));
    assert_eq!(
        glass.invoke("setPartner", json!({"partner": "p/e"})),
        Ok(Value::Null)
    );
    assert_eq!(
        glass
            .invoke("setSerial", json!({"serial": 1}))
            .unwrap_err()
            .code,
        40008
    );
    assert_eq!(
        glass.invoke("setPartner", json!({})).unwrap_err().code,
        40001
    );
}
