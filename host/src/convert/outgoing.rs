//! Values as clients expect them.

use std::sync::Arc;

use rivero_idl::{ComplexType, Event, Model, QualifiedName, Register, Type};
use serde_json::{Map, Value};

use super::incoming::as_single;
use crate::aliases::add_old_fields;

/// A value that does not fit its declared type: the module has a defect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: expected {expected}, got {got}")]
pub struct Mismatch {
    /// Where in the answer, such as `value.candidate[2]`.
    pub path: String,
    /// What the descriptor says.
    pub expected: String,
    /// What was there, in short.
    pub got: String,
}

/// A result in the form that clients expect of type `ty`.
///
/// Floats become the exact decimals of their 32-bit values, and complex values carry
/// `__type__` and `__module__` at every level. Null stands for "no value" anywhere at the top.
///
/// # Errors
/// [`Mismatch`] when the value is not of the type.
pub fn outgoing(model: &Model, ty: &Type, value: Value) -> Result<Value, Mismatch> {
    if value.is_null() {
        return Ok(value);
    }
    typed(model, ty, value).map_err(|problem| Mismatch {
        path: problem
            .path
            .into_iter()
            .rev()
            .fold(String::from("value"), |path, step| path + &step),
        expected: problem.expected,
        got: problem.got,
    })
}

/// Brings the properties of an event into the form that clients expect.
///
/// Numbers and booleans that are missing become 0 and false, since Java's client takes no event
/// without them. A property that does not fit is logged and sent as it is: half an event says
/// more than none.
pub fn label_event(model: &Model, event: &Event, data: &mut Map<String, Value>) {
    for property in &event.properties {
        let Some(slot) = data.get_mut(&property.name) else {
            if let Some(zero) = zero(&property.ty) {
                data.insert(property.name.clone(), zero);
            }
            continue;
        };
        // Strings are the only type that needs nothing done, and the most frequent one.
        if matches!(
            property.ty,
            Type::String | Type::Boolean | Type::Int | Type::Class(_)
        ) {
            continue;
        }
        match outgoing(model, &property.ty, slot.clone()) {
            Ok(value) => *slot = value,
            Err(mismatch) => {
                tracing::error!(event = %event.name, property = property.name, %mismatch, "ill-typed event");
            }
        }
    }
}

/// The value that stands for nothing in a type of Java that cannot be null.
fn zero(ty: &Type) -> Option<Value> {
    match ty {
        Type::Boolean => Some(Value::from(false)),
        Type::Int | Type::Int64 => Some(Value::from(0)),
        Type::Float | Type::Double => Some(Value::from(0.0)),
        _ => None,
    }
}

struct Problem {
    path: Vec<String>,
    expected: String,
    got: String,
}

impl Problem {
    fn new(expected: impl ToString, got: &Value) -> Problem {
        let mut got = got.to_string();
        got.truncate(got.floor_char_boundary(60));
        Problem {
            path: Vec::new(),
            expected: expected.to_string(),
            got,
        }
    }

    fn within(mut self, step: String) -> Problem {
        self.path.push(step);
        self
    }
}

fn typed(model: &Model, ty: &Type, value: Value) -> Result<Value, Problem> {
    let fits = match (ty, &value) {
        (Type::String | Type::Class(_), Value::String(_)) | (Type::Boolean, Value::Bool(_)) => true,
        (Type::Class(_), Value::Null) => true,
        (Type::Int, Value::Number(number)) => number
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok()),
        (Type::Int64, Value::Number(number)) => number.is_i64() || number.is_u64(),
        (Type::Double, Value::Number(_)) => true,
        (Type::Float, Value::Number(number)) => {
            let single = number.as_f64().and_then(as_single);
            return single
                .map(Value::Number)
                .ok_or_else(|| Problem::new(ty, &value));
        }
        (Type::Complex(name), _) => return complex(model, name, value),
        (Type::List(item), Value::Array(_)) => return list(model, item, value),
        (Type::Map(item), Value::Object(_)) => return map(model, item, value),
        _ => false,
    };
    if fits {
        Ok(value)
    } else {
        Err(Problem::new(ty, &value))
    }
}

fn list(model: &Model, item: &Type, value: Value) -> Result<Value, Problem> {
    let Value::Array(items) = value else {
        return Ok(value);
    };
    let typed = |(index, value)| {
        typed(model, item, value).map_err(|problem| problem.within(format!("[{index}]")))
    };
    items.into_iter().enumerate().map(typed).collect()
}

fn map(model: &Model, item: &Type, value: Value) -> Result<Value, Problem> {
    let Value::Object(members) = value else {
        return Ok(value);
    };
    let typed = |(key, value): (String, Value)| match typed(model, item, value) {
        Ok(value) => Ok((key, value)),
        Err(problem) => Err(problem.within(format!(".{key}"))),
    };
    members
        .into_iter()
        .map(typed)
        .collect::<Result<Map<_, _>, _>>()
        .map(Value::Object)
}

fn complex(model: &Model, name: &QualifiedName, value: Value) -> Result<Value, Problem> {
    match model.complex_type(name).map(Arc::as_ref) {
        Some(ComplexType::Enum(enumeration)) => match &value {
            Value::String(text) if enumeration.values.contains(text) => Ok(value),
            _ => Err(Problem::new(name, &value)),
        },
        Some(ComplexType::Register(declared)) => match value {
            Value::Object(members) => register(model, declared, members),
            other => Err(Problem::new(name, &other)),
        },
        None => Err(Problem::new(name, &value)),
    }
}

fn register(
    model: &Model,
    declared: &Register,
    mut members: Map<String, Value>,
) -> Result<Value, Problem> {
    let given = given_type(model, declared, &members)?;
    let register = match given.as_deref() {
        Some(ComplexType::Register(given)) => given,
        _ => declared,
    };
    for field in &register.fields {
        let value = members.remove(&field.name).filter(|value| !value.is_null());
        match value {
            Some(value) => {
                let step = |problem: Problem| problem.within(format!(".{}", field.name));
                members.insert(
                    field.name.clone(),
                    typed(model, &field.ty, value).map_err(step)?,
                );
            }
            None if field.optional || matches!(field.ty, Type::Class(_)) => {}
            None => {
                return Err(
                    Problem::new(&field.ty, &Value::Null).within(format!(".{}", field.name))
                );
            }
        }
    }
    add_old_fields(register, &mut members);
    members.insert("__type__".into(), Value::from(register.name.name()));
    members.insert("__module__".into(), Value::from(register.name.namespace()));
    Ok(Value::Object(members))
}

/// The register that a value says it is; it must be the declared one or extend it.
fn given_type(
    model: &Model,
    declared: &Register,
    members: &Map<String, Value>,
) -> Result<Option<Arc<ComplexType>>, Problem> {
    let Some(name) = members.get("__type__").and_then(Value::as_str) else {
        return Ok(None);
    };
    let module = members
        .get("__module__")
        .and_then(Value::as_str)
        .unwrap_or_else(|| declared.name.namespace());
    let found = model.complex_type(&format!("{module}.{name}"));
    match found.map(Arc::as_ref) {
        Some(ComplexType::Register(register)) if register.is_a(&declared.name) => {
            Ok(found.cloned())
        }
        _ => Err(Problem::new(
            &declared.name,
            &Value::from(format!("{module}.{name}")),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tidy(ty: &Type, value: Value) -> Result<Value, Mismatch> {
        outgoing(&Model::standard().unwrap(), ty, value)
    }

    fn complex_type(name: &str) -> Type {
        Type::Complex(
            Model::standard()
                .unwrap()
                .complex_type(name)
                .unwrap()
                .name()
                .clone(),
        )
    }

    #[test]
    fn floats_are_exact_singles() {
        assert_eq!(
            tidy(&Type::Float, json!(0.1)).unwrap().to_string(),
            "0.10000000149011612"
        );
        assert_eq!(tidy(&Type::Float, json!(30)).unwrap().to_string(), "30.0");
        assert_eq!(tidy(&Type::Double, json!(0.1)).unwrap().to_string(), "0.1");
    }

    #[test]
    fn complex_values_are_labelled_at_every_level() {
        let caps = json!({"codec": "VP8", "framerate": {"numerator": 15, "denominator": 1}});
        let caps = tidy(&complex_type("VideoCaps"), caps).unwrap();
        assert_eq!(caps["__type__"], "VideoCaps");
        assert_eq!(caps["framerate"]["__type__"], "Fraction");
        assert_eq!(caps["framerate"]["__module__"], "kurento");
        let list = Type::List(Box::new(complex_type("Tag")));
        assert_eq!(
            tidy(&list, json!([{"key": "a", "value": "b"}])).unwrap()[0]["__type__"],
            "Tag"
        );
    }

    #[test]
    fn what_does_not_fit_is_found() {
        let problem = |name: &str, value| tidy(&complex_type(name), value).unwrap_err().to_string();
        let caps = json!({"codec": "VP8", "framerate": {"numerator": 15.5, "denominator": 1}});
        assert_eq!(
            problem("VideoCaps", caps),
            "value.framerate.numerator: expected int, got 15.5"
        );
        assert_eq!(
            problem("MediaType", json!("SMELL")),
            "value: expected kurento.MediaType, got \"SMELL\""
        );
        assert_eq!(
            problem("Tag", json!({"key": "a"})),
            "value.value: expected String, got null"
        );
        let list = Type::List(Box::new(Type::Int));
        assert_eq!(
            tidy(&list, json!([1, 3_000_000_000_i64])).unwrap_err().path,
            "value[1]"
        );
        assert_eq!(
            problem(
                "Tag",
                json!({"__type__": "Fraction", "key": "a", "value": "b"})
            ),
            "value: expected kurento.Tag, got \"kurento.Fraction\""
        );
    }

    #[test]
    fn events_never_lack_numbers() {
        let model = Model::standard().unwrap();
        let event = model.event("IceComponentStateChanged").unwrap();
        let mut data = Map::from_iter([("streamId".to_owned(), json!(3))]);
        label_event(&model, event, &mut data);
        assert_eq!(Value::from(data), json!({"streamId": 3, "componentId": 0}));
    }

    #[test]
    fn no_value_is_null() {
        assert_eq!(
            tidy(&complex_type("Tag"), Value::Null).unwrap(),
            Value::Null
        );
    }
}
