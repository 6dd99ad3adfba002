//! What a playlist has to be played, and what of it is played now.

use std::collections::VecDeque;

use rivero_uri::Location;

use crate::{
    failure::Failure,
    lists::{DEEPEST, MOST_ENTRIES},
};

/// The first is the one that is played. Empty where no playlist is.
#[derive(Debug, Default)]
pub(crate) struct Items {
    left: VecDeque<Item>,
    /// How many there were.
    count: usize,
}

#[derive(Debug)]
struct Item {
    location: Location,
    /// Of lists that lead to it.
    depth: u32,
}

impl Items {
    /// What is played, if it comes from a list.
    pub(crate) fn current(&self) -> Option<&Location> {
        self.left.front().map(|item| &item.location)
    }

    /// What was played turned out to be a list of these.
    ///
    /// # Errors
    /// [`Failure::Media`] where lists name lists without end
    pub(crate) fn insert(&mut self, entries: Vec<Location>) -> Result<(), Failure> {
        let depth = self.left.front().map_or(1, |item| item.depth + 1);
        self.count += entries.len();
        if depth > DEEPEST || self.count > MOST_ENTRIES {
            let text =
                "playlists that name playlists are followed three deep, and to 1000 entries in all";
            return Err(Failure::Media(text.to_owned()));
        }
        self.left.pop_front();
        for location in entries.into_iter().rev() {
            self.left.push_front(Item { location, depth });
        }
        Ok(())
    }

    pub(crate) fn has_next(&self) -> bool {
        self.left.len() > 1
    }

    /// What was played is over.
    pub(crate) fn advance(&mut self) {
        self.left.pop_front();
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<Location> {
        names
            .iter()
            .map(|name| Location::File(name.into()))
            .collect()
    }

    fn current(items: &Items) -> &str {
        match items.current() {
            Some(Location::File(path)) => path.to_str().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lists_within_lists_are_played_in_order() {
        let mut items = Items::default();
        items.insert(files(&["a", "list", "d"])).unwrap();
        assert_eq!(current(&items), "a");
        items.advance();
        items.insert(files(&["b", "c"])).unwrap();
        for name in ["b", "c", "d"] {
            assert_eq!(current(&items), name);
            assert_eq!(items.has_next(), name != "d");
            items.advance();
        }
        assert!(items.current().is_none());
    }

    #[test]
    fn a_list_that_names_itself_ends() {
        let mut items = Items::default();
        let mut depth = 0;
        while items.insert(files(&["list"])).is_ok() {
            depth += 1;
        }
        assert_eq!(depth, DEEPEST);
    }

    #[test]
    fn lists_that_multiply_end() {
        let mut items = Items::default();
        let many = vec!["list"; 400];
        items.insert(files(&many)).unwrap();
        items.insert(files(&many)).unwrap();
        items.advance();
        assert!(items.insert(files(&many)).is_err());
    }
}
