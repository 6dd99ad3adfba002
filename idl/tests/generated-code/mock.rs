//! What generated code needs of the plugin API, with nothing behind it but a list of raised events.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Arc, Mutex};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, PartialEq)]
pub struct Error {
    pub code: i32,
    pub message: String,
}

impl Error {
    pub fn marshall(message: impl Into<String>) -> Self {
        Self {
            code: 40001,
            message: message.into(),
        }
    }

    pub fn no_such_operation(operation: &str, parameters: usize) -> Self {
        Self {
            code: 40008,
            message: format!("{operation} with {parameters}"),
        }
    }
}

/// Remembers what was raised.
#[derive(Clone, Default)]
pub struct ElementContext {
    pub raised: Arc<Mutex<Vec<(String, Value)>>>,
}

impl ElementContext {
    pub fn emit(&self, event: &str, data: Value) {
        self.raised.lock().unwrap().push((event.to_owned(), data));
    }
}

pub trait Element: Send + Sync + 'static {
    /// A hook whose name some class also has for an operation.
    fn released(&self) {}
}

pub trait Object: Send + Sync + 'static {
    fn invoke(&self, operation: &str, params: Value) -> Result<Value>;
    fn element(&self) -> &dyn Element;
}

type Constructor = Box<dyn Fn(ElementContext, Value) -> Result<Box<dyn Object>>>;

pub struct Class {
    pub name: &'static str,
    pub create: Constructor,
}

impl Class {
    pub fn new(
        name: &'static str,
        create: impl Fn(ElementContext, Value) -> Result<Box<dyn Object>> + 'static,
    ) -> Self {
        let create = Box::new(create);
        Self { name, create }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectRef(pub String);
