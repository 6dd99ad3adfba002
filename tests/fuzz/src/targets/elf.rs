//! Files in the modules directory, as discovery looks at them.

pub(crate) fn run(input: &[u8]) {
    // Ok or a reason in words: both are fine.
    if let Err(reason) = rivero::modules::inspect(input) {
        assert!(!reason.is_empty());
    }
}
