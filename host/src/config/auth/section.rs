//! A section of the configuration that is read strictly.

use serde_json::{Map, Value};

use crate::auth::LoadError;

/// The members of an object, of which each is taken once.
pub(super) struct Section {
    /// Below `mediaServer.auth`, with dots.
    key: String,
    members: Map<String, Value>,
}

impl Section {
    pub(super) fn of(value: &Value, key: String) -> Result<Section, LoadError> {
        match value {
            Value::Object(members) => Ok(Section {
                key,
                members: members.clone(),
            }),
            _ => Err(LoadError::new(key, "it has to be an object")),
        }
    }

    pub(super) fn below(&self, name: &str) -> String {
        match self.key.as_str() {
            "" => name.to_owned(),
            key => format!("{key}.{name}"),
        }
    }

    pub(super) fn wrong(&self, problem: &str) -> LoadError {
        LoadError::new(self.key.clone(), problem)
    }

    pub(super) fn section(&mut self, name: &str) -> Result<Option<Section>, LoadError> {
        let value = self.members.remove(name);
        value
            .map(|value| Section::of(&value, self.below(name)))
            .transpose()
    }

    /// The sections of an object that has one for each name.
    pub(super) fn sections(&mut self, name: &str) -> Result<Vec<(String, Section)>, LoadError> {
        let Some(section) = self.section(name)? else {
            return Ok(Vec::new());
        };
        let named = section.members.iter().map(|(name, value)| {
            Section::of(value, section.below(name)).map(|below| (name.clone(), below))
        });
        named.collect()
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, LoadError> {
        match self.members.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(LoadError::new(self.below(name), "it has to be a text")),
        }
    }

    /// As in all files, a number may be written as text.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<u64>, LoadError> {
        let number = match self.members.remove(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(other) => other.as_u64(),
        };
        let wrong = || LoadError::new(self.below(name), "it has to be a whole number from 0 on");
        number.map(Some).ok_or_else(wrong)
    }

    /// As in all files, `true` and `false` may be written as text.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, LoadError> {
        let flag = match self.members.remove(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(other) => other.as_bool(),
        };
        let wrong = || LoadError::new(self.below(name), "it has to be true or false");
        flag.map(Some).ok_or_else(wrong)
    }

    /// A list, or a text with commas or spaces between the entries.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<String>>, LoadError> {
        let wrong = || LoadError::new(self.below(name), "it has to be a list of texts");
        let items = match self.members.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) => {
                let entries = text.split([',', ' ', '\t', '\n', '\r']);
                let entries = entries.filter(|entry| !entry.is_empty());
                entries.map(str::to_owned).collect()
            }
            Some(Value::Array(items)) => {
                let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
                texts.collect::<Option<_>>().ok_or_else(wrong)?
            }
            Some(_) => return Err(wrong()),
        };
        self.members.remove(name);
        Ok(Some(items))
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), LoadError> {
        match self.members.keys().next() {
            Some(name) => Err(LoadError::new(self.below(name), "there is no such key")),
            None => Ok(()),
        }
    }
}
