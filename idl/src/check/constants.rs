//! Default values: whether they fit their type, and how they look in plain JSON.

use crate::descriptor::{ComplexTypeDefinition, Descriptor, PropertyDefinition, TypeFormat};
use crate::symbols::{Symbol, Symbols};
use crate::type_reference::TypeReference;
use serde_json::{Map, Value};

/// Types may refer to each other; a default nested deeper than this is refused.
const MAX_NESTING: usize = 16;

/// `value` as JSON of exactly this type: numbers may be written as strings in descriptors.
///
/// # Errors
/// The message says why it does not fit.
pub(crate) fn fitting(
    symbols: &Symbols<'_>,
    module: &Descriptor,
    reference: &TypeReference,
    value: &Value,
) -> Result<Value, String> {
    fit(symbols, module, reference, value, 0)
}

fn fit(
    symbols: &Symbols<'_>,
    module: &Descriptor,
    reference: &TypeReference,
    value: &Value,
    nesting: usize,
) -> Result<Value, String> {
    let misfit = || format!("{value} is no {reference}");
    if nesting > MAX_NESTING {
        return Err(misfit());
    }
    match (reference, value) {
        (TypeReference::String, Value::String(_)) | (TypeReference::Boolean, Value::Bool(_)) => {
            Ok(value.clone())
        }
        (TypeReference::Boolean, Value::String(text)) => {
            text.parse().map(Value::Bool).map_err(|_| misfit())
        }
        (TypeReference::Int, _) => integer(value)
            .filter(|n| i32::try_from(*n).is_ok())
            .map(Value::from)
            .ok_or_else(misfit),
        (TypeReference::Int64, _) => integer(value).map(Value::from).ok_or_else(misfit),
        (TypeReference::Float | TypeReference::Double, _) => number(value).ok_or_else(misfit),
        (TypeReference::List(item), Value::Array(values)) => values
            .iter()
            .map(|value| fit(symbols, module, item, value, nesting + 1))
            .collect(),
        (TypeReference::Map(item), Value::Object(members)) => members
            .iter()
            .map(|(key, value)| Ok((key.clone(), fit(symbols, module, item, value, nesting + 1)?)))
            .collect::<Result<Map<_, _>, _>>()
            .map(Value::Object),
        (TypeReference::Named(name), _) => match symbols.complex_types.find(module, name) {
            Some(complex) => fit_complex(symbols, complex, value, nesting),
            None => Err(format!("a {name} can have no default")),
        },
        _ => Err(misfit()),
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}

fn number(value: &Value) -> Option<Value> {
    match value {
        Value::Number(_) => Some(value.clone()),
        Value::String(text) => text
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::from),
        _ => None,
    }
}

fn fit_complex(
    symbols: &Symbols<'_>,
    complex: Symbol<'_, ComplexTypeDefinition>,
    value: &Value,
    nesting: usize,
) -> Result<Value, String> {
    let name = &complex.definition.name;
    match (complex.definition.type_format, value) {
        (TypeFormat::Enum, Value::String(text)) if complex.definition.values.contains(text) => {
            Ok(value.clone())
        }
        (TypeFormat::Register, Value::Object(members)) => {
            fit_register(symbols, complex, members, nesting)
        }
        (TypeFormat::Enum, _) => Err(format!(
            "{value} is no {name}, which has the values {}",
            complex.definition.values.join(", ")
        )),
        (TypeFormat::Register, _) => Err(format!("{value} is no {name}, which is an object")),
    }
}

fn fit_register(
    symbols: &Symbols<'_>,
    register: Symbol<'_, ComplexTypeDefinition>,
    members: &Map<String, Value>,
    nesting: usize,
) -> Result<Value, String> {
    let mut chain = super::inheritance::ancestors(&symbols.complex_types, register);
    chain.insert(0, register);
    let mut fitted = Map::new();
    for declaring in &chain {
        for field in &declaring.definition.properties {
            if let Some(value) = fit_field(symbols, declaring.module, field, members, nesting)? {
                fitted.insert(field.name.clone(), value);
            }
        }
    }
    match members.keys().find(|key| !fitted.contains_key(*key)) {
        Some(unknown) => Err(format!(
            "'{unknown}' is no field of {}",
            register.definition.name
        )),
        None => Ok(Value::Object(fitted)),
    }
}

fn fit_field(
    symbols: &Symbols<'_>,
    module: &Descriptor,
    field: &PropertyDefinition,
    members: &Map<String, Value>,
    nesting: usize,
) -> Result<Option<Value>, String> {
    let Some(value) = members.get(&field.name) else {
        return if field.optional {
            Ok(None)
        } else {
            Err(format!("field '{}' is missing", field.name))
        };
    };
    let reference: TypeReference = field.ty.parse()?;
    fit(symbols, module, &reference, value, nesting + 1).map(Some)
}
