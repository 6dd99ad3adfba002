//! What a definition extends: it exists, it is of the same kind, and it does not lead back.

use super::Checker;
use crate::descriptor::{ComplexTypeDefinition, EventDefinition, RemoteClass, TypeFormat};
use crate::symbols::{Definition, Symbol, Table};

/// A definition that may extend another of its kind.
pub(super) trait Extends: Definition {
    fn extends(&self) -> Option<&str>;
}

impl Extends for RemoteClass {
    fn extends(&self) -> Option<&str> {
        self.extends.as_deref()
    }
}

impl Extends for EventDefinition {
    fn extends(&self) -> Option<&str> {
        self.extends.as_deref()
    }
}

impl Extends for ComplexTypeDefinition {
    fn extends(&self) -> Option<&str> {
        self.extends.as_deref()
    }
}

/// Longest chain of ancestors; bounds the work that a hostile descriptor can cause.
const MAX_ANCESTORS: usize = 32;

/// The definitions that `symbol` extends, nearest first; ends before an unknown one, at a cycle,
/// and when too long.
pub(super) fn ancestors<'a, T: Extends>(
    table: &Table<'a, T>,
    symbol: Symbol<'a, T>,
) -> Vec<Symbol<'a, T>> {
    let mut ancestors: Vec<Symbol<'a, T>> = Vec::new();
    let mut current = symbol;
    while let Some(parent) = current
        .definition
        .extends()
        .and_then(|name| table.find(current.module, name))
    {
        let known = |other: &Symbol<'a, T>| std::ptr::eq(other.definition, parent.definition);
        if known(&symbol) || ancestors.iter().any(known) || ancestors.len() > MAX_ANCESTORS {
            break;
        }
        ancestors.push(parent);
        current = parent;
    }
    ancestors
}

impl Checker<'_> {
    /// Checks the chain of `symbol` and returns it, nearest first.
    pub(super) fn check_extends<'a, T: Extends>(
        &mut self,
        table: &Table<'a, T>,
        symbol: Symbol<'a, T>,
    ) -> Vec<Symbol<'a, T>> {
        let chain = ancestors(table, symbol);
        let at = symbol.definition.location().below("extends");
        if let Some(parent) = symbol.definition.extends() {
            match table.find(symbol.module, parent) {
                None => self.error(&at, format!("{} '{parent}' is not known", T::KIND)),
                Some(_) if leads_back(table, symbol, &chain) => {
                    self.error(
                        &at,
                        format!("'{parent}' leads back to '{}'", symbol.definition.name()),
                    );
                }
                Some(_) if chain.len() > MAX_ANCESTORS => {
                    self.error(&at, format!("more than {MAX_ANCESTORS} ancestors"));
                }
                Some(_) => {}
            }
        }
        chain
    }

    pub(super) fn check_register_parents(
        &mut self,
        symbol: Symbol<'_, ComplexTypeDefinition>,
        chain: &[Symbol<'_, ComplexTypeDefinition>],
    ) {
        if let Some(parent) = chain
            .iter()
            .find(|parent| parent.definition.type_format == TypeFormat::Enum)
        {
            let at = symbol.definition.location.below("extends");
            self.error(
                &at,
                format!("'{}' is an enumeration", parent.definition.name),
            );
        }
    }
}

/// Whether the last of the chain extends `symbol` itself; a cycle further up is reported there.
fn leads_back<'a, T: Extends>(
    table: &Table<'a, T>,
    symbol: Symbol<'a, T>,
    chain: &[Symbol<'a, T>],
) -> bool {
    let last = chain.last().copied().unwrap_or(symbol);
    let parent = last
        .definition
        .extends()
        .and_then(|name| table.find(last.module, name));
    parent.is_some_and(|parent| std::ptr::eq(parent.definition, symbol.definition))
}
