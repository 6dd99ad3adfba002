//! Names of a descriptor in languages that have words of their own.

use rivero_idl::Class;
use std::collections::{HashMap, HashSet};

/// What no declaration of TypeScript can be called, reserved words and names of its types.
const TYPESCRIPT: &[&str] = &[
    "any",
    "as",
    "async",
    "await",
    "bigint",
    "boolean",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "declare",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "from",
    "function",
    "get",
    "globalThis",
    "if",
    "implements",
    "import",
    "in",
    "infer",
    "instanceof",
    "interface",
    "is",
    "keyof",
    "let",
    "module",
    "namespace",
    "never",
    "new",
    "null",
    "number",
    "object",
    "of",
    "package",
    "private",
    "protected",
    "public",
    "readonly",
    "return",
    "set",
    "static",
    "string",
    "super",
    "switch",
    "symbol",
    "this",
    "throw",
    "true",
    "try",
    "type",
    "typeof",
    "undefined",
    "unique",
    "unknown",
    "var",
    "void",
    "while",
    "with",
    "yield",
    "arguments",
    "eval",
    "complexTypes",
    "abstracts",
    "name",
    "version",
];

/// Reserved words of Java, with the literals.
const JAVA: &[&str] = &[
    "abstract",
    "assert",
    "boolean",
    "break",
    "byte",
    "case",
    "catch",
    "char",
    "class",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extends",
    "false",
    "final",
    "finally",
    "float",
    "for",
    "goto",
    "if",
    "implements",
    "import",
    "instanceof",
    "int",
    "interface",
    "long",
    "native",
    "new",
    "null",
    "package",
    "permits",
    "private",
    "protected",
    "public",
    "record",
    "return",
    "sealed",
    "short",
    "static",
    "strictfp",
    "super",
    "switch",
    "synchronized",
    "this",
    "throw",
    "throws",
    "transient",
    "true",
    "try",
    "var",
    "void",
    "volatile",
    "while",
    "yield",
];

/// What objects of kurento-client have besides the operations of their class: as emitters of
/// events, as promises, and as objects. An operation of such a name gets an underscore at its end.
const MEMBERS: &[&str] = &[
    "addListener",
    "catch",
    "commited",
    "constructor",
    "emit",
    "eventNames",
    "finally",
    "getMaxListeners",
    "hasOwnProperty",
    "id",
    "isPrototypeOf",
    "listenerCount",
    "listeners",
    "off",
    "on",
    "once",
    "prependListener",
    "prependOnceListener",
    "propertyIsEnumerable",
    "rawListeners",
    "release",
    "removeAllListeners",
    "removeListener",
    "setMaxListeners",
    "then",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// What pipelines and hubs have besides.
const PARENT_MEMBERS: &[&str] = &[
    "beginTransaction",
    "create",
    "endTransaction",
    "transaction",
];

pub(super) fn is_java_word(name: &str) -> bool {
    JAVA.contains(&name)
}

/// A name of a parameter or variable.
pub(super) fn java(name: &str) -> String {
    escaped(name, JAVA)
}

/// A name of a parameter.
pub(super) fn typescript(name: &str) -> String {
    escaped(name, TYPESCRIPT)
}

/// An operation's name as a member of kurento-client's objects.
pub(super) fn member(class: &Class, operation: &str) -> String {
    if class.is_a("kurento.MediaPipeline") || class.is_a("kurento.Hub") {
        escaped(&escaped(operation, MEMBERS), PARENT_MEMBERS)
    } else {
        escaped(operation, MEMBERS)
    }
}

fn escaped(name: &str, words: &[&str]) -> String {
    if words.contains(&name) {
        format!("{name}_")
    } else {
        name.to_owned()
    }
}

/// `size` as `Size`.
pub(super) fn capitalized(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// Identifiers for things that have longer names, each given once.
#[derive(Default)]
pub(super) struct Identifiers {
    given: HashMap<String, String>,
    taken: HashSet<String>,
}

impl Identifiers {
    /// The identifier for `key`, which is the wished one unless that is a word of TypeScript or
    /// taken: then the capitalised prefix comes before it, then underscores behind.
    pub(super) fn for_key(&mut self, key: &str, wished: &str, prefix: &str) -> String {
        if let Some(known) = self.given.get(key) {
            return known.clone();
        }
        let mut name = typescript(wished);
        if self.taken.contains(&name) {
            name = format!("{}{wished}", capitalized(prefix));
        }
        while self.taken.contains(&name) {
            name.push('_');
        }
        self.taken.insert(name.clone());
        self.given.insert(key.to_owned(), name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_identifier_and_shares_it_with_none() {
        let mut identifiers = Identifiers::default();
        assert_eq!(identifiers.for_key("a.Point", "Point", "a"), "Point");
        assert_eq!(identifiers.for_key("b.Point", "Point", "b"), "BPoint");
        assert_eq!(identifiers.for_key("c.BPoint", "BPoint", "c"), "CBPoint");
        assert_eq!(identifiers.for_key("a.Point", "Point", "a"), "Point");
        assert_eq!(identifiers.for_key("a.any", "any", "a"), "any_");
    }
}
