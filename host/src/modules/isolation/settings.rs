//! `mediaServer.modules.isolation`: which modules have processes of their own, and what those may have.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::wire::ChildLimits;

/// Where it is in a configuration file.
const KEY: &str = "mediaServer.modules.isolation";
/// The entry for modules that have none of their own.
const OTHERS: &str = "default";
/// The entry for those of them that `modules.list` does not name.
const UNLISTED: &str = "unlisted";
const MIB: u64 = 1 << 20;

/// Which modules are isolated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Isolated {
    /// By the name of the module's file, without `.so`.
    modules: BTreeMap<String, Option<Isolation>>,
    others: Option<Isolation>,
    /// Of those that are not named, the ones that `modules.list` does not vouch for; as the others where nothing
    /// is said.
    unlisted: Option<Option<Isolation>>,
}

/// What is served by a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::modules) enum Mode {
    /// All objects of the module.
    Module,
    /// Those of a pipeline.
    Pipeline,
}

/// How a module is isolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::modules) struct Isolation {
    pub(super) mode: Mode,
    pub(super) limits: ChildLimits,
    /// Bytes of shared memory for media, in each direction.
    pub(super) ring: usize,
}

impl Isolation {
    const fn of(mode: Mode) -> Self {
        Self {
            mode,
            limits: ChildLimits {
                memory: 1024 * MIB,
                files: 1024,
                cpu: None,
            },
            ring: 8 << 20,
        }
    }
}

/// What is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IsolationError {
    /// It is no object.
    #[error("{KEY} should be an object with the names of modules' files")]
    Object,
    /// A word that is no mode.
    #[error("{KEY}.{module}: {value} is not one of none, module, pipeline")]
    Mode {
        /// The module.
        module: String,
        /// What stands there.
        value: String,
    },
    /// There is no such key.
    #[error("{KEY}.{module}.{key}: unknown key; there are mode, memory, files, cpu and ring")]
    Unknown {
        /// The module.
        module: String,
        /// The key.
        key: String,
    },
    /// Not a number in the range.
    #[error("{KEY}.{module}.{key}: {value} is no whole number from {least} to {most}")]
    Number {
        /// The module.
        module: String,
        /// The key.
        key: &'static str,
        /// What stands there.
        value: String,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
}

impl Isolated {
    /// Reads them out of a configuration.
    ///
    /// # Errors
    /// What is wrong with them: nothing in them may be.
    pub fn read(tree: &Value) -> Result<Self, IsolationError> {
        let mut isolated = Self::default();
        let Some(entries) = tree.pointer("/mediaServer/modules/isolation") else {
            return Ok(isolated);
        };
        for (module, value) in entries.as_object().ok_or(IsolationError::Object)? {
            let isolation = entry(module, value)?;
            match module.as_str() {
                OTHERS => isolated.others = isolation,
                UNLISTED => isolated.unlisted = Some(isolation),
                _ => {
                    isolated.modules.insert(module.clone(), isolation);
                }
            }
        }
        Ok(isolated)
    }

    /// How a file's module is isolated, if it is. `is_listed`: whether somebody vouches for its content.
    pub(in crate::modules) fn of(
        &self,
        file: &Path,
        is_listed: impl FnOnce() -> bool,
    ) -> Option<Isolation> {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        match (self.modules.get(&*name), self.unlisted) {
            (Some(named), _) => *named,
            (None, Some(unlisted)) if !is_listed() => unlisted,
            (None, _) => self.others,
        }
    }
}

fn entry(module: &str, value: &Value) -> Result<Option<Isolation>, IsolationError> {
    let keys = match value {
        Value::Object(keys) => keys,
        mode => return Ok(self::mode(module, mode)?.map(Isolation::of)),
    };
    let given = keys.get("mode").unwrap_or(&Value::Null);
    let Some(mode) = self::mode(module, given)? else {
        return Ok(None);
    };
    let mut isolation = Isolation::of(mode);
    for (key, value) in keys {
        let number = |key, least, most| number(module, (key, value), least, most);
        match key.as_str() {
            "mode" => {}
            "memory" => isolation.limits.memory = number("memory", 64, 1 << 20)? * MIB,
            "files" => isolation.limits.files = number("files", 32, 1 << 20)?,
            "cpu" => isolation.limits.cpu = Some(number("cpu", 1, u64::from(u32::MAX))?),
            "ring" => {
                let ring = number("ring", 1, 1024)? * MIB;
                isolation.ring = usize::try_from(ring).unwrap_or(isolation.ring);
            }
            _ => {
                return Err(IsolationError::Unknown {
                    module: module.to_owned(),
                    key: key.clone(),
                });
            }
        }
    }
    Ok(Some(isolation))
}

fn mode(module: &str, value: &Value) -> Result<Option<Mode>, IsolationError> {
    match value.as_str() {
        Some("none") => Ok(None),
        Some("module") => Ok(Some(Mode::Module)),
        Some("pipeline") => Ok(Some(Mode::Pipeline)),
        _ => Err(IsolationError::Mode {
            module: module.to_owned(),
            value: value.to_string(),
        }),
    }
}

fn number(
    module: &str,
    (key, value): (&'static str, &Value),
    least: u64,
    most: u64,
) -> Result<u64, IsolationError> {
    // As in all files, a number may be written as text.
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    let inside = number.filter(|number| (least..=most).contains(number));
    inside.ok_or_else(|| IsolationError::Number {
        module: module.to_owned(),
        key,
        value: value.to_string(),
        least,
        most,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(isolation: Value) -> Result<Isolated, IsolationError> {
        Isolated::read(&json!({"mediaServer": {"modules": {"isolation": isolation}}}))
    }

    #[test]
    fn modules_are_named_by_their_files() {
        let isolated = read(json!({
            "player": {"mode": "pipeline", "memory": "512", "ring": 2, "cpu": 60},
            "webrtc": "none",
            "default": "module",
        }));
        let isolated = isolated.unwrap();
        let of = |file: &str| isolated.of(Path::new(file), || true);
        let player = of("/modules/player.so").unwrap();
        assert_eq!((player.mode, player.ring), (Mode::Pipeline, 2 << 20));
        assert_eq!(
            (player.limits.memory, player.limits.cpu),
            (512 << 20, Some(60))
        );
        assert_eq!(of("webrtc.so"), None);
        assert_eq!(of("x.so"), Some(Isolation::of(Mode::Module)));
        let nothing = Isolated::read(&json!({})).unwrap();
        assert_eq!(nothing.of(Path::new("x.so"), || false), None);
    }

    #[test]
    fn those_that_nobody_vouches_for_may_be_treated_apart() {
        let isolated = read(json!({"a": "none", "unlisted": "module"})).unwrap();
        let of = |file, listed| isolated.of(Path::new(file), || listed).is_some();
        assert!(!of("a.so", false) && !of("b.so", true) && of("b.so", false));
    }

    #[test]
    fn nothing_may_be_misspelt() {
        for (wrong, told) in [
            (json!("module"), "should be an object"),
            (json!({"x": "moduel"}), "x: \"moduel\" is not one of"),
            (json!({"x": {"memory": 100}}), "x: null is not one of"),
            (
                json!({"x": {"mode": "module", "rings": 1}}),
                "x.rings: unknown key",
            ),
            (
                json!({"x": {"mode": "module", "ring": 0}}),
                "from 1 to 1024",
            ),
            (
                json!({"x": {"mode": "module", "memory": "much"}}),
                "x.memory: \"much\"",
            ),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
