//! The part of the generated code that is the same for all: JSON to values and back.

use super::crates::Crates;
use proc_macro2::TokenStream;
use quote::quote;

pub(super) fn support_module(crates: &Crates) -> TokenStream {
    let Crates { serde, json, .. } = crates;
    quote! {
        /// Values as the host gives and takes them.
        mod wire {
            use super::{Error, Result, Serialize, Value};
            use #serde::de::DeserializeOwned;
            use #json::Map;

            /// Parameters of a call by name.
            pub(super) struct Arguments(Map<String, Value>);

            impl Arguments {
                pub(super) fn new(params: Value) -> Self {
                    match params {
                        Value::Object(members) => Self(members),
                        _ => Self(Map::new()),
                    }
                }

                pub(super) fn count(&self) -> usize {
                    self.0.len()
                }

                /// Whether only these are given.
                pub(super) fn are_among(&self, names: &[&str]) -> bool {
                    self.0.keys().all(|name| names.contains(&name.as_str()))
                }

                /// The value of a parameter that the caller gives or that has a default.
                pub(super) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T> {
                    match self.0.remove(name) {
                        Some(value) => read(name, value),
                        None => Err(Error::marshall(format!("'{name}' parameter is required"))),
                    }
                }

                /// The value of a parameter that may be absent.
                pub(super) fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
                    self.0.remove(name).map(|value| read(name, value)).transpose()
                }
            }

            pub(super) fn read<T: DeserializeOwned>(name: &str, value: Value) -> Result<T> {
                #json::from_value(value).map_err(|error| Error::marshall(format!("'{name}': {error}")))
            }

            pub(super) fn answer<T: Serialize>(value: &T) -> Result<Value> {
                #json::to_value(value).map_err(|error| Error::marshall(error.to_string()))
            }

            /// The answer of an operation without one.
            pub(super) fn nothing((): ()) -> Value {
                Value::Null
            }

            /// Of generated types and plain ones, all of which serde can write.
            pub(super) fn value<T: Serialize>(value: &T) -> Value {
                #json::to_value(value).unwrap_or_default()
            }

            /// An object without the members that are null.
            pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
                let present = members.into_iter().filter(|(_, value)| !value.is_null());
                present.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
            }
        }
    }
}
