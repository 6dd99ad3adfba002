//! Doc comments out of descriptor texts.

use crate::model::Param;
use proc_macro2::TokenStream;
use quote::quote;

/// Width that texts are filled to, indentation not counted.
const WIDTH: usize = 90;

/// Doc attributes, one for each line. An empty text is replaced by `fallback`.
pub(super) fn doc(text: &str, fallback: &str) -> TokenStream {
    let text = if text.trim().is_empty() {
        fallback
    } else {
        text
    };
    lines(&filled(text, WIDTH))
}

/// The text of an operation: what it does, its parameters as far as they have texts, its answer.
pub(super) fn operation_doc(
    text: &str,
    fallback: &str,
    params: &[Param],
    returns: &str,
) -> TokenStream {
    let mut all = filled(
        if text.trim().is_empty() {
            fallback
        } else {
            text
        },
        WIDTH,
    );
    let described: Vec<&Param> = params
        .iter()
        .filter(|param| !param.doc.is_empty())
        .collect();
    if !described.is_empty() {
        all.push(String::new());
    }
    for param in described {
        all.extend(param_item(param));
    }
    if !returns.trim().is_empty() {
        all.push(String::new());
        all.extend(filled(&format!("Returns: {returns}"), WIDTH));
    }
    lines(&all)
}

/// What a value means, with the default that counts when it is left out.
pub(super) fn value_doc(param: &Param) -> TokenStream {
    lines(&filled(&value_text(param), WIDTH))
}

fn value_text(param: &Param) -> String {
    let text = match param.doc.trim() {
        "" => format!("`{}` of the descriptor.", param.name),
        text => text.to_owned(),
    };
    match &param.default {
        Some(default) if param.optional => format!("{text} Default: `{default}`."),
        _ => text,
    }
}

/// A list item; continuation lines are indented, as Markdown wants it.
fn param_item(param: &Param) -> Vec<String> {
    let name = super::naming::snake_identifier(&param.name);
    let mut lines = filled(&format!("`{name}`: {}", value_text(param)), WIDTH - 2).into_iter();
    let first = lines.next().map(|line| format!("* {line}"));
    let rest = lines.map(|line| {
        if line.is_empty() {
            line
        } else {
            format!("  {line}")
        }
    });
    first.into_iter().chain(rest).collect()
}

/// Breaks each line of `text` at blanks. Indented lines (Markdown code) stay as they are.
fn filled(text: &str, width: usize) -> Vec<String> {
    text.trim_end()
        .trim_start_matches('\n')
        .lines()
        .flat_map(|line| fill_line(line, width))
        .collect()
}

fn fill_line(line: &str, width: usize) -> Vec<String> {
    if line.starts_with("    ") || line.starts_with('\t') {
        return vec![line.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in line.split_whitespace() {
        match lines.last_mut() {
            Some(last) if last.is_empty() => last.push_str(word),
            Some(last) if last.chars().count() + 1 + word.chars().count() <= width => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn lines(lines: &[String]) -> TokenStream {
    let lines = lines.iter().map(|line| {
        if line.is_empty() {
            String::new()
        } else {
            format!(" {line}")
        }
    });
    quote! { #(#[doc = #lines])* }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_filled_and_paragraphs_kept() {
        assert_eq!(
            filled("one two three\n\nfour", 8),
            ["one two", "three", "", "four"]
        );
        assert_eq!(filled("    code  stays", 4), ["    code  stays"]);
        assert_eq!(filled("a\n    code  stays", 4), ["a", "    code  stays"]);
    }
}
