//! `Composite` in the configuration, and what a client may ask for.

use rivero_plugin_api::{Error, Result, host};
use serde::Deserialize;

use rivero_mix::even;

/// Of a picture, pixels. Encoders take no more.
const SIDES: std::ops::RangeInclusive<i32> = 2..=8192;
/// Pictures a second.
const RATES: std::ops::RangeInclusive<i32> = 1..=120;

/// Size and rate of what a composite gives out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Output {
    /// Pixels.
    pub(crate) width: i32,
    /// Pixels.
    pub(crate) height: i32,
    /// Pictures a second.
    pub(crate) framerate: i32,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            width: 800,
            height: 600,
            framerate: 15,
        }
    }
}

impl Output {
    /// As the configuration has it.
    ///
    /// # Errors
    /// 40003 naming the setting that does not fit
    pub(crate) fn load() -> Result<Self> {
        match host() {
            Some(host) => host.configuration("Composite"),
            None => Ok(Self::default()),
        }
    }

    /// Pictures a second.
    pub(crate) fn rate(self) -> u32 {
        u32::try_from(self.framerate).unwrap_or(1)
    }

    /// What a client asks for, with what is configured where it says 0. Odd sides are rounded: encoders
    /// of H264 take none.
    ///
    /// # Errors
    /// 40107 naming the parameter that makes no sense
    pub(crate) fn or(self, configured: Self) -> Result<Self> {
        let choose =
            |name, asked: i32, configured: i32, range: std::ops::RangeInclusive<i32>| match asked {
                0 => Ok(configured),
                _ if range.contains(&asked) => Ok(asked),
                _ => Err(Error::illegal_parameter(format!(
                    "{name} is {asked}; it should be from {} to {}, or 0 for what is configured",
                    range.start(),
                    range.end()
                ))),
            };
        let output = Self {
            width: choose("width", self.width, configured.width, SIDES)?,
            height: choose("height", self.height, configured.height, SIDES)?,
            framerate: choose("framerate", self.framerate, configured.framerate, RATES)?,
        };
        let rounded = Self {
            width: even(output.width),
            height: even(output.height),
            ..output
        };
        if rounded != output {
            tracing::info!(
                "a composite of {}x{} gives out {}x{}: encoders take even sides only",
                output.width,
                output.height,
                rounded.width,
                rounded.height
            );
        }
        Ok(rounded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(width: i32, height: i32, framerate: i32) -> Output {
        Output {
            width,
            height,
            framerate,
        }
    }

    #[test]
    fn zero_asks_the_configuration_parameter_by_parameter() {
        let configured = output(640, 360, 25);
        assert_eq!(output(0, 0, 0).or(configured), Ok(configured));
        assert_eq!(output(320, 0, 0).or(configured), Ok(output(320, 360, 25)));
        assert_eq!(output(801, 601, 7).or(configured), Ok(output(800, 600, 7)));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (asked, name) in [
            (output(-1, 2, 1), "width"),
            (output(2, 9000, 1), "height"),
            (output(2, 2, 1000), "framerate"),
            (output(1, 2, 1), "width"),
        ] {
            let error = asked.or(Output::default()).unwrap_err();
            assert!(
                error.code == 40107 && error.message.starts_with(name),
                "{error}"
            );
        }
    }
}
