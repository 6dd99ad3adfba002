//! Lines, indentation and comments of generated code.

use std::fmt::Write;

/// Width that texts are filled to, indentation not counted.
const WIDTH: usize = 90;

/// Code that is written line by line.
#[derive(Default)]
pub(super) struct Code {
    text: String,
    depth: usize,
}

/// Makes a comment's text harmless in its language.
pub(super) type Escape = fn(&str) -> String;

impl Code {
    /// One line, indented; an empty one is not.
    pub(super) fn line(&mut self, line: &str) {
        if !line.is_empty() {
            let _ = write!(self.text, "{:1$}{line}", "", self.depth * 2);
        }
        self.text.push('\n');
    }

    /// The lines that follow are one step further in, until [`Self::close`].
    pub(super) fn open(&mut self, line: &str) {
        self.line(line);
        self.depth += 1;
    }

    pub(super) fn close(&mut self, line: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.line(line);
    }

    /// Text that has its own indentation.
    pub(super) fn verbatim(&mut self, text: &str) {
        for line in text.lines() {
            self.line(line);
        }
    }

    /// A documentation comment of paragraphs and tags; nothing where all are empty.
    pub(super) fn comment(&mut self, paragraphs: &[String], escape: Escape) {
        let mut lines: Vec<String> = Vec::new();
        for text in paragraphs.iter().filter(|text| !text.trim().is_empty()) {
            let is_tag = text.starts_with('@');
            let follows_tag = lines.last().is_some_and(|line| line.starts_with('@'));
            let is_apart = !(is_tag && follows_tag);
            if is_apart && !lines.is_empty() {
                lines.push(String::new());
            }
            // The tag itself is ours; an escape would take its meaning.
            let (tag, rest) = match text.split_once(' ') {
                Some((tag, rest)) if is_tag => (format!("{tag} "), rest),
                _ => (String::new(), text.as_str()),
            };
            lines.extend(filled(&format!("{tag}{}", escape(rest))));
        }
        match lines.as_slice() {
            [] => {}
            [line] if line.chars().count() + self.depth * 2 < WIDTH => {
                self.line(&format!("/** {line} */"));
            }
            lines => {
                self.line("/**");
                for line in lines {
                    self.line(format!(" * {line}").trim_end());
                }
                self.line(" */");
            }
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// In JavaScript and TypeScript nothing but the end of a comment ends it.
pub(super) fn javascript_comment(text: &str) -> String {
    without_controls(text).replace("*/", "*\\/")
}

/// Javadoc is HTML; Java reads `\u` before it knows of comments, and a compiler may take the source
/// for ASCII.
pub(super) fn java_comment(text: &str) -> String {
    let mut escaped = String::new();
    for character in without_controls(text).chars() {
        match character {
            '&' | '<' | '>' | '@' | '\\' | '{' | '}' => {
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            '/' if escaped.ends_with('*') => escaped.push_str("&#47;"),
            character if character.is_ascii() => escaped.push(character),
            character => {
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
        }
    }
    escaped
}

fn without_controls(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control() || matches!(character, '\n' | '\t'))
        .collect()
}

/// Breaks each line at blanks; indented ones (Markdown code) stay as they are.
fn filled(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.trim().lines() {
        if line.starts_with("    ") || line.starts_with('\t') {
            lines.push(line.trim_end().to_owned());
            continue;
        }
        let mut current = String::new();
        for word in line.split_whitespace() {
            let length = current.chars().count() + 1 + word.chars().count();
            if !current.is_empty() && length > WIDTH {
                lines.push(std::mem::take(&mut current));
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        lines.push(current);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(paragraphs: &[&str], escape: Escape) -> String {
        let mut code = Code::default();
        let paragraphs: Vec<String> = paragraphs.iter().map(|&text| text.to_owned()).collect();
        code.comment(&paragraphs, escape);
        code.finish()
    }

    #[test]
    fn nothing_in_a_text_ends_its_comment() {
        let hostile = "a */ b \\u002a/ **/ \u{0} é <b> @x {@code}";
        let script = comment(&[hostile], javascript_comment);
        assert_eq!(script.matches("*/").count(), 1, "{script}");
        let java = comment(&[hostile], java_comment);
        assert_eq!(java.matches("*/").count(), 1, "{java}");
        assert!(
            java.is_ascii() && !java.contains('\\') && !java.contains('\0'),
            "{java}"
        );
    }

    #[test]
    fn tags_follow_each_other_and_keep_their_meaning() {
        let text = comment(&["What.", "@param a b @ c", "@return d"], java_comment);
        assert_eq!(
            text,
            "/**\n * What.\n *\n * @param a b &#64; c\n * @return d\n */\n"
        );
    }
}
