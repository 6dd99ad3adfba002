//! The elements of a graph, under its lock.

use std::{
    cell::Cell,
    collections::HashMap,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::element::Element;

type Table = HashMap<Arc<str>, Element>;

thread_local! {
    static HELD: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread has the lock of a graph, under which no module is called.
pub fn is_graph_locked() -> bool {
    HELD.get() > 0
}

/// All elements of a graph, by their ids.
#[derive(Default)]
pub(crate) struct Elements(Mutex<Table>);

impl Elements {
    pub(crate) fn lock(&self) -> Locked<'_> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        HELD.set(HELD.get() + 1);
        Locked(table)
    }
}

/// The elements, as long as they are locked.
pub(crate) struct Locked<'a>(MutexGuard<'a, Table>);

impl Deref for Locked<'_> {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.0
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Table {
        &mut self.0
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        HELD.set(HELD.get().saturating_sub(1));
    }
}
