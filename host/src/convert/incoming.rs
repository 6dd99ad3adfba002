//! Parameters as clients write them.

use std::sync::Arc;

use rivero_idl::{ComplexType, Model, Param, QualifiedName, Register, Type};
use serde_json::{Map, Number, Value};

use crate::error::CallError;
use crate::registry::{Object, View};

/// Which member of the request holds the parameters; errors name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `constructorParams` of `create`.
    Constructor,
    /// `operationParams` of `invoke`.
    Operation,
}

/// Parameters in the types of the descriptor.
#[derive(Debug, Default)]
pub struct Converted {
    /// By name; optional parameters without default are absent when the client left them out.
    pub params: Map<String, Value>,
    /// The objects that the parameters name, each with the parameter's name, in their order.
    pub objects: Vec<(String, Arc<Object>)>,
}

impl Converted {
    /// The object that parameter `name` refers to.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<&Arc<Object>> {
        self.objects
            .iter()
            .find(|(param, _)| param == name)
            .map(|(_, object)| object)
    }

    /// The text of parameter `name`, also of enumerations.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name).and_then(Value::as_str)
    }
}

/// What conversion needs to know.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// Types.
    pub model: &'a Model,
    /// Where references lead to.
    pub view: View<'a>,
}

/// Where a value stands; error texts differ.
#[derive(Clone, Copy)]
enum Slot<'a> {
    Param(&'a str),
    Field(&'a str),
}

impl Incoming<'_> {
    /// Converts the parameters of a constructor or operation.
    ///
    /// Members that the descriptor does not know are ignored. Optional parameters stand on their
    /// own; those left out get their default.
    ///
    /// # Errors
    /// 40001 for missing or ill-typed values, 40101 for references to nothing, 40003 for
    /// complex values of a type that does not fit.
    pub fn params(
        &self,
        place: Place,
        declared: &[Param],
        given: Option<Value>,
    ) -> Result<Converted, CallError> {
        let mut given = match (given, place) {
            (Some(Value::Object(members)), _) => members,
            (
                Some(Value::Array(_) | Value::String(_) | Value::Number(_) | Value::Bool(_)),
                Place::Constructor,
            ) => {
                return Err(CallError::marshall(
                    "'constructorParams' should be an object",
                ));
            }
            _ if declared.iter().any(|param| !param.optional) => {
                let name = if place == Place::Constructor {
                    "constructorParams"
                } else {
                    "operationParams"
                };
                return Err(CallError::marshall(format!("'{name}' is required")));
            }
            _ => Map::new(),
        };
        let mut converted = Converted::default();
        for param in declared {
            if let Some(value) = self.declared(
                param,
                given.remove(&param.name),
                false,
                &mut converted.objects,
            )? {
                converted.params.insert(param.name.clone(), value);
            }
        }
        Ok(converted)
    }

    /// One parameter or field that may be absent.
    fn declared(
        &self,
        param: &Param,
        given: Option<Value>,
        field: bool,
        objects: &mut Vec<(String, Arc<Object>)>,
    ) -> Result<Option<Value>, CallError> {
        let slot = if field {
            Slot::Field(&param.name)
        } else {
            Slot::Param(&param.name)
        };
        match given {
            Some(value) => self.value(slot, &param.ty, value, objects).map(Some),
            None if param.optional => Ok(param.default.clone()),
            None if param.absent_is_null => {
                self.value(slot, &param.ty, Value::Null, objects).map(Some)
            }
            None => Err(self.wrong(slot, &param.ty)),
        }
    }

    fn value(
        &self,
        slot: Slot<'_>,
        ty: &Type,
        value: Value,
        objects: &mut Vec<(String, Arc<Object>)>,
    ) -> Result<Value, CallError> {
        let wrong = || self.wrong(slot, ty);
        match ty {
            Type::String => text(value).map(Value::String).ok_or_else(wrong),
            Type::Boolean => boolean(&value).map(Value::Bool).ok_or_else(wrong),
            Type::Int => integer(&value)
                .and_then(|number| i32::try_from(number).ok())
                .map(Value::from)
                .ok_or_else(wrong),
            Type::Int64 => integer(&value).map(Value::from).ok_or_else(wrong),
            Type::Float => float(&value)
                .and_then(as_single)
                .map(Value::Number)
                .ok_or_else(wrong),
            Type::Double => float(&value)
                .and_then(Number::from_f64)
                .map(Value::Number)
                .ok_or_else(wrong),
            Type::Class(class) => {
                let id = text(value).ok_or_else(wrong)?;
                self.object(slot, class, &id, objects)
            }
            Type::Complex(name) => self.complex(slot, name, value, objects),
            Type::List(item) => match value {
                Value::Null => Ok(Value::Array(Vec::new())),
                Value::Array(items) => items
                    .into_iter()
                    .map(|value| self.value(slot, item, value, objects))
                    .collect(),
                _ => Err(wrong()),
            },
            Type::Map(item) => match value {
                Value::Null => Ok(Value::Object(Map::new())),
                Value::Object(members) => members
                    .into_iter()
                    .map(|(key, value)| Ok((key, self.value(slot, item, value, objects)?)))
                    .collect::<Result<Map<_, _>, _>>()
                    .map(Value::Object),
                _ => Err(wrong()),
            },
        }
    }

    fn object(
        &self,
        slot: Slot<'_>,
        class: &QualifiedName,
        id: &str,
        objects: &mut Vec<(String, Arc<Object>)>,
    ) -> Result<Value, CallError> {
        let object = self.view.object(id)?;
        let (Slot::Param(name) | Slot::Field(name)) = slot;
        if !object.class.is_a(class) {
            return Err(CallError::marshall(format!(
                "'{name}' should be a {}, but '{id}' is a {}",
                class.name(),
                object.class.name
            )));
        }
        objects.push((name.to_owned(), object));
        Ok(Value::from(id))
    }

    fn complex(
        &self,
        slot: Slot<'_>,
        name: &QualifiedName,
        value: Value,
        objects: &mut Vec<(String, Arc<Object>)>,
    ) -> Result<Value, CallError> {
        match self.model.complex_type(name).map(Arc::as_ref) {
            Some(ComplexType::Enum(enumeration)) => {
                let text = text(value).ok_or_else(|| self.wrong(slot, &Type::String))?;
                if !enumeration.values.contains(&text) {
                    return Err(CallError::marshall(format!(
                        "Invalid value for '{}'",
                        name.name()
                    )));
                }
                Ok(Value::String(text))
            }
            Some(ComplexType::Register(register)) => {
                let members = match value {
                    Value::Object(members) => members,
                    Value::Null => Map::new(),
                    _ => return Err(wrong_kind(slot, "object")),
                };
                self.register(register, members, objects)
            }
            None => Err(CallError::unexpected(format!(
                "Type {name} is not defined by any module"
            ))),
        }
    }

    fn register(
        &self,
        declared: &Register,
        mut members: Map<String, Value>,
        objects: &mut Vec<(String, Arc<Object>)>,
    ) -> Result<Value, CallError> {
        let given = self.given_type(declared, &members)?;
        let register = match given.as_deref() {
            Some(ComplexType::Register(given)) => given,
            _ => declared,
        };
        let mut converted = Map::new();
        for field in &register.fields {
            if let Some(value) = self.declared(field, members.remove(&field.name), true, objects)? {
                converted.insert(field.name.clone(), value);
            }
        }
        if register.name != declared.name {
            converted.insert("__type__".into(), Value::from(register.name.name()));
            converted.insert("__module__".into(), Value::from(register.name.namespace()));
        }
        Ok(Value::Object(converted))
    }

    /// The type that a complex value says it has: the declared one or one derived from it.
    fn given_type(
        &self,
        declared: &Register,
        members: &Map<String, Value>,
    ) -> Result<Option<Arc<ComplexType>>, CallError> {
        let Some(name) = members.get("__type__").and_then(Value::as_str) else {
            return Ok(None);
        };
        let module = members
            .get("__module__")
            .and_then(Value::as_str)
            .unwrap_or_else(|| declared.name.namespace());
        let found = self.model.complex_type(&format!("{module}.{name}"));
        match found.map(Arc::as_ref) {
            Some(ComplexType::Register(register)) if register.is_a(&declared.name) => {
                Ok(found.cloned())
            }
            Some(_) => Err(CallError::unexpected(format!(
                "Type {name} is not compatible"
            ))),
            None => Err(CallError::unexpected(format!(
                "Type {name} does not exist in module {module}"
            ))),
        }
    }

    fn wrong(&self, slot: Slot<'_>, ty: &Type) -> CallError {
        let kind = match ty {
            Type::String | Type::Class(_) => "string",
            Type::Boolean => "boolean",
            Type::Int => "integer",
            Type::Int64 => "int64",
            Type::Float | Type::Double => "double",
            Type::List(_) => "list",
            Type::Map(_) => "map",
            Type::Complex(name) => match self.model.complex_type(name).map(Arc::as_ref) {
                Some(ComplexType::Enum(_)) => "string",
                _ => "object",
            },
        };
        wrong_kind(slot, kind)
    }
}

fn wrong_kind(slot: Slot<'_>, kind: &str) -> CallError {
    CallError::marshall(match slot {
        Slot::Param(name) => format!("'{name}' parameter should be a {kind}"),
        Slot::Field(name) => format!("'{name}' property should be a {kind}"),
    })
}

fn text(value: Value) -> Option<String> {
    crate::jsonrpc::request::as_text(value)
}

/// Any number but 0 is true, null is false.
fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Null => Some(false),
        Value::Number(number) => Some(number.as_f64() != Some(0.0)),
        _ => None,
    }
}

/// Fractions are cut off; null is 0.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| truncated(number.as_f64()?)),
        Value::Bool(flag) => Some(i64::from(*flag)),
        Value::Null => Some(0),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn truncated(number: f64) -> Option<i64> {
    (-9.2e18..9.2e18).contains(&number).then_some(number as i64)
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Null => Some(0.0),
        _ => None,
    }
}

/// The 32-bit value nearest to a number, as its exact decimal.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is the purpose"
)]
pub(super) fn as_single(number: f64) -> Option<Number> {
    Number::from_f64(f64::from(number as f32))
}

#[cfg(test)]
mod tests;
