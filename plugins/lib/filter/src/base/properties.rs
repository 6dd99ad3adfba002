//! Properties that are kept for the author: read, set, and never set to what does not fit.

use std::{
    fmt::Display,
    ops::RangeInclusive,
    sync::{Arc, Mutex},
};

use rivero_plugin_api::{Error, Result, supervise::lock};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The properties of an object, to begin with as its constructor was given them.
///
/// `P` is the generated structure with the constructor's parameters. A property that a client can set is a parameter of
/// the same name.
pub struct Properties<P> {
    state: Mutex<State<P>>,
    check: Check<P>,
}

type Check<P> = fn(&P) -> Result<()>;

struct State<P> {
    /// As clients read them.
    values: Map<String, Value>,
    /// As the author reads them.
    current: Arc<P>,
}

impl<P: DeserializeOwned> Properties<P> {
    /// Takes what the constructor got.
    ///
    /// # Errors
    /// What `check` says of them; 40001 where they are not the structure's.
    pub fn new(parameters: Value, check: Check<P>) -> Result<Self> {
        let values = match parameters {
            Value::Object(values) => values,
            _ => Map::new(),
        };
        let current = read(&values, check)?;
        let state = Mutex::new(State { values, current });
        Ok(Self { state, check })
    }

    /// All of them, as they are now. What is set later does not change what this gives.
    pub fn current(&self) -> Arc<P> {
        lock(&self.state).current.clone()
    }

    /// The value of one; `None` where it has none.
    pub fn get(&self, name: &str) -> Option<Value> {
        lock(&self.state).values.get(name).cloned()
    }

    /// Sets one, unless it does not fit beside the others; then all stay as they were.
    ///
    /// # Errors
    /// As of [`new`](Self::new)
    pub fn set(&self, name: &str, value: Value) -> Result<()> {
        let mut state = lock(&self.state);
        let mut values = state.values.clone();
        values.insert(name.to_owned(), value);
        state.current = read(&values, self.check)?;
        state.values = values;
        Ok(())
    }
}

fn read<P: DeserializeOwned>(values: &Map<String, Value>, check: Check<P>) -> Result<Arc<P>> {
    let properties = serde_json::from_value(Value::Object(values.clone()));
    let properties = properties.map_err(|error| Error::marshall(error.to_string()))?;
    check(&properties)?;
    Ok(Arc::new(properties))
}

/// The property that an operation reads: `strength` of `getStrength`.
pub(super) fn read_by(operation: &str, parameters: &Value) -> Option<String> {
    let has_none = parameters.as_object().is_none_or(Map::is_empty);
    has_none.then(|| named(operation, "get")).flatten()
}

/// The property that an operation sets, and to what: its one parameter has the property's name.
pub(super) fn set_by(operation: &str, parameters: &Value) -> Option<(String, Value)> {
    let mut members = parameters.as_object()?.iter();
    let (name, value) = members
        .next()
        .filter(|_| parameters.as_object().is_some_and(|all| all.len() == 1))?;
    // A property may begin with a capital letter, too.
    let names = [
        named(operation, "set")?,
        operation.strip_prefix("set")?.to_owned(),
    ];
    names.contains(name).then(|| (name.clone(), value.clone()))
}

fn named(operation: &str, prefix: &str) -> Option<String> {
    let rest = operation.strip_prefix(prefix)?;
    let mut letters = rest.chars();
    let first = letters.next().filter(|first| !first.is_lowercase())?;
    Some(first.to_lowercase().chain(letters).collect())
}

/// Whether a property is within bounds, for [`Behaviour::check`](super::Behaviour::check).
///
/// # Errors
/// 40107, which names the property and the bounds; also for what is no number.
pub fn in_range<T: PartialOrd + Display>(
    name: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    Err(Error::illegal_parameter(format!(
        "{name} is {value}, but has to be from {least} to {most}"
    )))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Lens {
        zoom: f32,
        label: Option<String>,
    }

    fn check(lens: &Lens) -> Result<()> {
        in_range("zoom", lens.zoom, 1.0..=4.0)
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let lens = Properties::<Lens>::new(json!({"zoom": 2.0}), check).unwrap();
        let before = lens.current();
        let error = lens.set("zoom", json!(9.0)).unwrap_err();
        assert_eq!(error.message, "zoom is 9, but has to be from 1 to 4");
        assert_eq!(error.code, 40107);
        assert_eq!(lens.set("zoom", json!("x")).unwrap_err().code, 40001);
        assert_eq!(
            (lens.current().zoom, lens.get("zoom")),
            (2.0, Some(json!(2.0)))
        );
        lens.set("zoom", json!(3.5)).unwrap();
        lens.set("label", json!("wide")).unwrap();
        assert_eq!((lens.current().zoom, before.zoom), (3.5, 2.0));
        assert_eq!(lens.current().label.as_deref(), Some("wide"));
        assert!(Properties::<Lens>::new(json!({"zoom": 0.0}), check).is_err());
        assert!(in_range("zoom", f32::NAN, 0.0..=1.0).is_err());
    }

    #[test]
    fn operations_name_properties() {
        let none = json!({});
        assert_eq!(read_by("getZoom", &none).as_deref(), Some("zoom"));
        assert_eq!(read_by("getZoom", &json!({"at": 1})), None);
        assert_eq!(read_by("gettysburg", &none), None);
        assert_eq!(read_by("get", &none), None);
        let set = |operation, parameters| set_by(operation, &parameters);
        assert_eq!(
            set("setZoom", json!({"zoom": 2})),
            Some(("zoom".into(), json!(2)))
        );
        assert_eq!(
            set("setURL", json!({"URL": "x"})),
            Some(("URL".into(), json!("x")))
        );
        assert_eq!(set("setZoom", json!({"to": 2})), None);
        assert_eq!(set("setZoom", json!({"zoom": 2, "slowly": true})), None);
        assert_eq!(set("setup", json!({"up": 2})), None);
    }
}
