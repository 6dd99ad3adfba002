//! Command lines of one element, as `gst-launch-1.0` takes them: `textoverlay text="Hello, you" font-desc=Sans`.
//!
//! Read here and not by GStreamer, which would make whatever elements a line names, open files by their
//! properties, and know brackets, links and references that one element has no use for.

use std::iter::Peekable;
use std::str::Chars;

/// Characters of a command.
const LONGEST: usize = 4096;

/// What a command line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// Name of the factory.
    pub(super) factory: String,
    /// Names and values, in their order.
    pub(super) properties: Vec<(String, String)>,
}

/// What is wrong with one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// Nothing is in it.
    Empty,
    /// It is more than one element, or something beside one.
    Several,
    /// A text of this kind is none.
    Syntax(&'static str),
}

impl Command {
    pub(super) fn parse(line: &str) -> Result<Self, Malformed> {
        if line.len() > LONGEST {
            return Err(Malformed::Syntax("it is too long"));
        }
        if line.contains('\0') {
            return Err(Malformed::Syntax("it has a character that ends texts"));
        }
        let mut words = Words(line.chars().peekable());
        let factory = match words.next()? {
            None => return Err(Malformed::Empty),
            Some(word) if word.assigned.is_none() => word.text,
            Some(_) => return Err(Malformed::Syntax("it begins with a property")),
        };
        if !factory
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_+".contains(c))
        {
            // A link, brackets of a bin, or a reference to a pad.
            return Err(Malformed::Several);
        }
        let mut properties = Vec::new();
        while let Some(word) = words.next()? {
            match word.assigned {
                Some(value) => properties.push((word.text, value)),
                None => return Err(Malformed::Several),
            }
        }
        Ok(Self {
            factory,
            properties,
        })
    }
}

/// A word, and what stands behind `=`.
struct Word {
    text: String,
    assigned: Option<String>,
}

struct Words<'a>(Peekable<Chars<'a>>);

impl Words<'_> {
    fn skip_space(&mut self) {
        while self.0.next_if(|c| c.is_whitespace()).is_some() {}
    }

    fn next(&mut self) -> Result<Option<Word>, Malformed> {
        self.skip_space();
        let mut text = String::new();
        while let Some(c) = self.0.next_if(|c| !c.is_whitespace() && *c != '=') {
            text.push(c);
        }
        if text.is_empty() && self.0.peek().is_none() {
            return Ok(None);
        }
        self.skip_space();
        let assigned = match self.0.next_if_eq(&'=') {
            Some(_) if text.is_empty() => return Err(Malformed::Syntax("a property has no name")),
            Some(_) => {
                self.skip_space();
                Some(self.value()?)
            }
            None => None,
        };
        Ok(Some(Word { text, assigned }))
    }

    /// Up to the next space that is neither quoted nor behind a backslash.
    fn value(&mut self) -> Result<String, Malformed> {
        let mut value = String::new();
        let mut quote = None;
        while let Some(c) = self.0.peek().copied() {
            if quote.is_none() && c.is_whitespace() {
                break;
            }
            self.0.next();
            match (c, quote) {
                ('\\', _) => value.extend(self.0.next()),
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(end)) if c == end => quote = None,
                (c, _) => value.push(c),
            }
        }
        match quote {
            Some(_) => Err(Malformed::Syntax("a quote is not closed")),
            None => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn command(factory: &str, properties: &[(&str, &str)]) -> Result<Command, Malformed> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Ok(Command {
            factory: factory.to_owned(),
            properties: properties.iter().map(own).collect(),
        })
    }

    #[test]
    fn an_element_and_its_properties() {
        let parse = Command::parse;
        assert_eq!(parse("identity"), command("identity", &[]));
        assert_eq!(
            parse(" videoflip  method=4\n"),
            command("videoflip", &[("method", "4")])
        );
        assert_eq!(
            parse(r#"textoverlay text="it's \"here\" = now" valignment = 'top' a=b\ c"#),
            command(
                "textoverlay",
                &[
                    ("text", "it's \"here\" = now"),
                    ("valignment", "top"),
                    ("a", "b c")
                ]
            )
        );
        assert_eq!(
            parse("capsfilter caps=\"video/x-raw, framerate=2/1\""),
            command("capsfilter", &[("caps", "video/x-raw, framerate=2/1")])
        );
        assert_eq!(parse("a x="), command("a", &[("x", "")]));
    }

    #[test]
    fn what_is_not_one_element_is_refused() {
        for (line, malformed) in [
            ("", Malformed::Empty),
            ("  \t", Malformed::Empty),
            ("videoflip method=4 ! identity", Malformed::Several),
            ("! identity", Malformed::Several),
            ("( videoflip )", Malformed::Several),
            ("bin.( identity )", Malformed::Several),
            ("identity identity", Malformed::Several),
            ("t. ! identity", Malformed::Several),
            ("text=a", Malformed::Syntax("it begins with a property")),
            (
                "identity a=b =c",
                Malformed::Syntax("a property has no name"),
            ),
            ("a text=\"b", Malformed::Syntax("a quote is not closed")),
        ] {
            assert_eq!(Command::parse(line), Err(malformed), "{line}");
        }
        assert!(Command::parse(&"a".repeat(LONGEST + 1)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_command_or_none(line in any::<String>()) {
            let _ = Command::parse(&line);
        }

        #[test]
        fn quoted_values_come_back(value in "[^\"\\\\\0]{0,40}") {
            let parsed = Command::parse(&format!("a b=\"{value}\" c=d")).unwrap();
            prop_assert_eq!(&parsed.properties[0].1, &value);
            prop_assert_eq!(parsed.properties.len(), 2);
        }
    }
}
