//! What both sides of a connection say of encodings beyond H.264 and AAC (Enhanced RTMP v2, "Enhancing NetConnection
//! connect Command").

use rivero_flv::Coding;

use super::amf0::Value;

// What can be done with an encoding.
pub(super) const CAN_DECODE: u8 = 1;
pub(super) const CAN_ENCODE: u8 = 2;
const CAN_FORWARD: u8 = 4;

const NAMES: &str = "fourCcList";
const MAPS: [&str; 2] = ["videoFourCcInfoMap", "audioFourCcInfoMap"];
/// Any encoding.
const ANY: &str = "*";

/// What is said of all encodings that are known here: `can` as a mask, and the names alone, as the first version has
/// them.
pub(super) fn entries(can: u8) -> Vec<(String, Value)> {
    let names = Coding::ALL.map(|coding| Value::text(coding.four_cc()));
    let mut entries = vec![(NAMES.to_owned(), Value::Array(names.into()))];
    for (name, is_audio) in MAPS.into_iter().zip([false, true]) {
        let known = Coding::ALL.into_iter();
        let known = known.filter(|coding| coding.is_audio() == is_audio);
        let can = |coding: Coding| (coding.four_cc().to_owned(), Value::Number(can.into()));
        entries.push((name.to_owned(), Value::Object(known.map(can).collect())));
    }
    entries
}

/// The encodings that a server takes by its answer to `connect`: those that need no saying are not among them.
/// Servers say it in either of the two objects.
pub(super) fn taken(values: &[Value]) -> Vec<Coding> {
    let said = values.get(2..).unwrap_or_default();
    let is_taken = |coding: Coding| {
        said.iter()
            .any(|object| is_named(object, coding) || is_mapped(object, coding))
    };
    let all = Coding::ALL.into_iter();
    all.filter(|coding| !matches!(coding, Coding::Avc | Coding::Aac))
        .filter(|coding| is_taken(*coding))
        .collect()
}

fn is_named(object: &Value, coding: Coding) -> bool {
    let Some(Value::Array(names)) = object.get(NAMES) else {
        return false;
    };
    let mut names = names.iter().filter_map(Value::as_text);
    names.any(|name| name == ANY || name == coding.four_cc())
}

fn is_mapped(object: &Value, coding: Coding) -> bool {
    let [video, audio] = MAPS;
    let map = object.get(if coding.is_audio() { audio } else { video });
    let masks = [coding.four_cc(), ANY].map(|name| map.and_then(|map| map.get(name)));
    let masks = masks.into_iter().flatten().filter_map(Value::as_number);
    masks.into_iter().any(|mask| {
        let bits = [CAN_DECODE, CAN_FORWARD].map(f64::from);
        // A mask of three bits.
        bits.iter().any(|bit| mask.rem_euclid(2.0 * bit) >= *bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(information: Vec<(String, Value)>) -> Vec<Value> {
        let text = Value::text;
        vec![
            text("_result"),
            Value::Number(1.0),
            Value::Null,
            Value::Object(information),
        ]
    }

    #[test]
    fn nothing_is_taken_that_was_not_said() {
        assert_eq!(taken(&result(Vec::new())), []);
        assert_eq!(taken(&[]), []);
        let encodes = entries(CAN_ENCODE).split_off(1);
        assert_eq!(taken(&result(encodes)), []);
    }

    #[test]
    fn encodings_are_named_or_mapped() {
        let all = [
            Coding::Hevc,
            Coding::Av1,
            Coding::Vp8,
            Coding::Vp9,
            Coding::Opus,
        ];
        for can in [CAN_DECODE, CAN_FORWARD, CAN_DECODE | CAN_ENCODE] {
            assert_eq!(taken(&result(entries(can).split_off(1))), all, "{can}");
        }
        let names = Value::Array(vec![Value::text("hvc1"), Value::text("vvc1")]);
        let named = vec![(NAMES.to_owned(), names)];
        assert_eq!(taken(&result(named)), [Coding::Hevc]);
        let any = Value::Object(vec![(ANY.to_owned(), Value::Number(4.0))]);
        let forwards = vec![(MAPS[1].to_owned(), any)];
        assert_eq!(taken(&result(forwards)), [Coding::Opus]);
    }
}
