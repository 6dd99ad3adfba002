//! `--property NAME:TYPE[=DEFAULT]`

use crate::Failure;
use rivero_idl::rust::member_name;
use serde_json::{Value, json};
use std::str::FromStr;

/// A property that clients read and set.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Property {
    pub(super) name: String,
    ty: Type,
    default: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Flag,
    Int,
    Int64,
    Float,
    Double,
}

/// What every element has anyway.
const TAKEN: [&str; 11] = [
    "mediaPipeline",
    "hub",
    "id",
    "name",
    "parent",
    "children",
    "childs",
    "tags",
    "sendTagsInEvents",
    "creationTime",
    "mediaPipelines",
];

impl FromStr for Property {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (head, default) = match text.split_once('=') {
            Some((head, default)) => (head, Some(default)),
            None => (text, None),
        };
        let (name, ty) = head.split_once(':').ok_or(
            "a property is written NAME:TYPE or NAME:TYPE=DEFAULT, such as strength:int=3",
        )?;
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_name {
            return Err(format!(
                "'{name}' is no name for a property: it begins with a small letter and has letters and digits"
            ));
        }
        if TAKEN.contains(&name) {
            return Err(format!(
                "every element has '{name}' already: choose another name"
            ));
        }
        let ty = Type::of(ty).ok_or_else(|| {
            format!("'{ty}' is none of String, boolean, int, int64, float, double")
        })?;
        let default = default.map(|text| {
            ty.read(text)
                .ok_or_else(|| format!("'{text}' is no {}", ty.name()))
        });
        Ok(Self {
            name: name.to_owned(),
            ty,
            default: default.transpose()?,
        })
    }
}

impl Type {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "String" | "string" => Self::Text,
            "boolean" | "bool" => Self::Flag,
            "int" => Self::Int,
            "int64" => Self::Int64,
            "float" => Self::Float,
            "double" => Self::Double,
            _ => return None,
        })
    }

    /// As descriptors have it.
    fn name(self) -> &'static str {
        match self {
            Self::Text => "String",
            Self::Flag => "boolean",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Float => "float",
            Self::Double => "double",
        }
    }

    fn read(self, text: &str) -> Option<Value> {
        let finite = |number: &f64| number.is_finite();
        match self {
            Self::Text => Some(json!(text)),
            Self::Flag => text.parse::<bool>().ok().map(Value::from),
            Self::Int => text.parse::<i32>().ok().map(Value::from),
            Self::Int64 => text.parse::<i64>().ok().map(Value::from),
            Self::Float => text
                .parse::<f32>()
                .ok()
                .map(f64::from)
                .filter(finite)
                .and_then(|_| text.parse::<f64>().ok())
                .map(Value::from),
            Self::Double => text.parse::<f64>().ok().filter(finite).map(Value::from),
        }
    }
}

impl Property {
    /// As the descriptor's list of properties has it.
    pub(super) fn described(&self) -> Value {
        let mut described = json!({ "name": self.name, "type": self.ty.name(), "doc": format!("What `{}` means, and within which bounds.", self.name) });
        if let (Some(members), Some(default)) = (described.as_object_mut(), &self.default) {
            members.insert("defaultValue".to_owned(), default.clone());
        }
        described
    }

    /// As the descriptor's constructor has it.
    pub(super) fn parameter(&self) -> Value {
        let mut described = self.described();
        if let Some(members) = described.as_object_mut() {
            members.insert(
                "doc".to_owned(),
                json!(format!("See the property `{}`.", self.name)),
            );
            if self.default.is_some() {
                members.insert("optional".to_owned(), json!(true));
            }
        }
        described
    }

    /// A value that it may have.
    pub(super) fn example(&self) -> Value {
        self.default.clone().unwrap_or_else(|| match self.ty {
            Type::Text => json!("text"),
            Type::Flag => json!(true),
            Type::Int | Type::Int64 => json!(1),
            Type::Float | Type::Double => json!(0.5),
        })
    }

    /// Whether objects can be created without it.
    pub(super) fn is_optional(&self) -> bool {
        self.default.is_some()
    }

    /// The statement that checks its bounds; `None` for what has none.
    pub(super) fn check(&self) -> Option<String> {
        let range = self.range()?;
        let member = member_name(&self.name);
        Some(format!(
            "in_range(\"{}\", properties.{member}, {range})",
            self.name
        ))
    }

    fn range(&self) -> Option<String> {
        let default = self.default.as_ref().and_then(Value::as_f64);
        let default = default.unwrap_or_default();
        match self.ty {
            Type::Text | Type::Flag => None,
            Type::Int | Type::Int64 => {
                let value = self
                    .default
                    .as_ref()
                    .and_then(Value::as_i64)
                    .unwrap_or_default();
                Some(format!("{}..={}", value.min(0), value.max(100)))
            }
            Type::Float | Type::Double => {
                Some(format!("{:?}..={:?}", default.min(0.0), default.max(1.0)))
            }
        }
    }

    /// A value beyond its bounds, as JSON; `None` where there is none.
    pub(super) fn beyond(&self) -> Option<Value> {
        let too_much = match self.ty {
            Type::Text | Type::Flag => return None,
            Type::Int => json!(i32::MIN),
            Type::Int64 => json!(i64::MIN),
            Type::Float | Type::Double => json!(-1e30),
        };
        (self.default.as_ref() != Some(&too_much)).then_some(too_much)
    }
}

/// Whether no two have one name, in Rust either.
pub(super) fn are_distinct(properties: &[Property]) -> Result<(), Failure> {
    for (index, property) in properties.iter().enumerate() {
        let name = member_name(&property.name);
        let mut others = properties.iter().skip(index + 1);
        if others.any(|other| member_name(&other.name) == name) {
            let text = format!("there are two properties '{}'", property.name);
            return Err(Failure(Some(text)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_has_a_type_and_perhaps_a_default() {
        let property: Property = "strength:int=3".parse().unwrap();
        assert_eq!(property.described().get("defaultValue"), Some(&json!(3)));
        assert_eq!(
            property.check().unwrap(),
            r#"in_range("strength", properties.strength, 0..=100)"#
        );
        let property: Property = "maxRate:float=2.5".parse().unwrap();
        assert_eq!(
            property.check().unwrap(),
            r#"in_range("maxRate", properties.max_rate, 0.0..=2.5)"#
        );
        let property: Property = "text:String=a=b:c".parse().unwrap();
        assert_eq!(
            (property.example(), property.check()),
            (json!("a=b:c"), None)
        );
        assert!(!"on:bool".parse::<Property>().unwrap().is_optional());
        for bad in [
            "strength",
            "strength:integer",
            "strength:int=x",
            "Strength:int",
            "name:String",
            "a-b:int",
            "x:int=3000000000",
            "x:float=inf",
            ":int",
        ] {
            assert!(bad.parse::<Property>().is_err(), "{bad}");
        }
        let both: Vec<Property> = ["aB:int", "a_b:int"]
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        assert!(are_distinct(&both).is_ok() && both.len() == 1);
        assert!(are_distinct(&[both.clone(), both].concat()).is_err());
    }
}
