//! Which arguments are the server's.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

/// The one argument that is no option.
const COMMAND: &str = "check-config";
/// How the server calls itself: all that follows are names of files.
const PROBE: &str = "--probe-module";

/// Parts arguments, the program's name first, into those that `command` knows, and others.
pub(super) fn separate(
    command: &Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> (Vec<OsString>, Vec<String>) {
    let mut arguments = arguments.into_iter();
    let mut kept: Vec<OsString> = arguments.next().into_iter().collect();
    let mut ignored = Vec::new();
    let mut latest = Latest::Complete;
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy().into_owned();
        latest = match (latest, text.as_str()) {
            // Whether it is a value is for the parser to say.
            (Latest::WantsValue, _) => {
                kept.push(argument);
                Latest::Complete
            }
            (_, PROBE) => {
                kept.push(argument);
                kept.extend(arguments);
                break;
            }
            (_, COMMAND) => {
                kept.push(argument);
                Latest::Complete
            }
            (_, "--") => {
                ignored.push(text);
                ignored.extend(arguments.map(|argument| argument.to_string_lossy().into_owned()));
                break;
            }
            (_, option) if option.starts_with("--") => {
                long(command, argument, option, &mut kept, &mut ignored)
            }
            (_, options) if options.len() > 1 && options.starts_with('-') => {
                short(command, argument, options, &mut kept, &mut ignored)
            }
            // `--gst-debug 3`
            (Latest::MayHaveValue, _) => Latest::Complete,
            (Latest::Complete, _) => {
                ignored.push(text);
                Latest::Complete
            }
        };
    }
    (kept, ignored)
}

/// What the latest argument says about the next.
#[derive(Clone, Copy)]
enum Latest {
    /// It has nothing to do with it.
    Complete,
    /// It is its value.
    WantsValue,
    /// It is its value unless it looks like an option: who knows what an unknown one takes.
    MayHaveValue,
}

fn long(
    command: &Command,
    argument: OsString,
    option: &str,
    kept: &mut Vec<OsString>,
    ignored: &mut Vec<String>,
) -> Latest {
    let (name, value) = match option.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (option, None),
    };
    let bare = name.trim_start_matches("--");
    match (find(command, |known| known.get_long() == Some(bare)), value) {
        (Some(known), None) if takes_value(known) => {
            kept.push(argument);
            Latest::WantsValue
        }
        (Some(_), _) => {
            kept.push(argument);
            Latest::Complete
        }
        (None, value) => {
            ignored.push(name.to_owned());
            match value {
                Some(_) => Latest::Complete,
                None => Latest::MayHaveValue,
            }
        }
    }
}

/// Several may stand together: `-vl`, and `-vn3`, where the last one has a value.
fn short(
    command: &Command,
    argument: OsString,
    options: &str,
    kept: &mut Vec<OsString>,
    ignored: &mut Vec<String>,
) -> Latest {
    for (index, letter) in options.char_indices().skip(1) {
        let rest = options.get(index..).unwrap_or_default();
        match find(command, |known| known.get_short() == Some(letter)) {
            Some(known) if takes_value(known) => {
                // As it came where it is the first, since names of files may be any bytes.
                kept.push(match index {
                    1 => argument,
                    _ => format!("-{rest}").into(),
                });
                return match rest.len() == letter.len_utf8() {
                    true => Latest::WantsValue,
                    false => Latest::Complete,
                };
            }
            Some(_) => kept.push(format!("-{letter}").into()),
            None => {
                // What follows may be its value.
                ignored.push(format!("-{rest}"));
                return Latest::Complete;
            }
        }
    }
    Latest::Complete
}

fn find(command: &Command, is_it: impl Fn(&Arg) -> bool) -> Option<&Arg> {
    command.get_arguments().find(|known| is_it(known))
}

fn takes_value(known: &Arg) -> bool {
    matches!(known.get_action(), ArgAction::Set | ArgAction::Append)
}
