//! Tokens to text that people can read.

use crate::error::Error;
use proc_macro2::TokenStream;

/// Formats a file, with blank lines between items.
pub(super) fn formatted(file: TokenStream) -> Result<String, Error> {
    let file = syn::parse2(file)
        .map_err(|error| Error::Generate(format!("the generated code is no Rust: {error}")))?;
    Ok(spaced(&prettyplease::unparse(&file)))
}

/// Puts a blank line between an item's last line and the first line of the next item.
fn spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len() + text.len() / 16);
    let mut previous = "";
    for line in text.lines() {
        let not_deeper = indentation(line) <= indentation(previous);
        if not_deeper && ends_item(previous.trim_start()) && begins_item(line.trim_start()) {
            spaced.push('\n');
        }
        spaced.push_str(line);
        spaced.push('\n');
        previous = line;
    }
    spaced
}

fn ends_item(line: &str) -> bool {
    (line.ends_with('}') || line.ends_with(';')) && !line.starts_with("///")
}

fn begins_item(line: &str) -> bool {
    const BEGINNINGS: [&str; 8] = [
        "///", "#[", "pub", "fn ", "impl", "struct ", "mod ", "trait ",
    ];
    BEGINNINGS
        .iter()
        .any(|beginning| line.starts_with(beginning))
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_apart_and_statements_together() {
        let text = "trait A {\n    /// C;\n    /// D.\n    fn a();\n    /// B.\n    fn b() {\n        let x = 1;\n        x;\n    }\n}\nstruct B;\n";
        assert_eq!(
            spaced(text),
            "trait A {\n    /// C;\n    /// D.\n    fn a();\n\n    /// B.\n    fn b() {\n        let x = 1;\n        x;\n    }\n}\n\nstruct B;\n"
        );
    }
}
