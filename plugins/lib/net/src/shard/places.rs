//! Which places for sessions a shard has left.

use crate::token::{MAX_PLACES, Token};

/// Places for sessions; a free one is used again under a new generation. They are given out by whoever
/// makes a session, on any thread, before the shard knows of it.
#[derive(Debug, Default)]
pub(super) struct Places {
    free: Vec<u32>,
    /// The generation of who has each place.
    taken: Vec<Option<u32>>,
    generation: u32,
}

impl Places {
    /// A name for a new session, unless there are [`MAX_PLACES`].
    pub(super) fn reserve(&mut self) -> Option<Token> {
        // Names repeat after 2³² sessions: nothing is under way for so long.
        self.generation = self.generation.wrapping_add(1);
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                let place = u32::try_from(self.taken.len()).ok();
                let place = place.filter(|place| *place < MAX_PLACES)?;
                self.taken.push(None);
                place
            }
        };
        *self.taken.get_mut(place as usize)? = Some(self.generation);
        Some(Token::new(self.generation, place))
    }

    /// Gives a place back. Only the first time: an endpoint's release and its failure may both end a
    /// session, and the place may be a successor's by then.
    pub(super) fn free(&mut self, token: Token) {
        let taken = self.taken.get_mut(token.place as usize);
        let taken = taken.and_then(|taken| taken.take_if(|of| *of == token.generation));
        if taken.is_some() {
            self.free.push(token.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_once_after_its_session_ended_however_often() {
        let mut places = Places::default();
        let [first, second] = [(); 2].map(|()| places.reserve().unwrap());
        assert_ne!(first.place, second.place);
        places.free(first);
        places.free(first);
        let [third, fourth] = [(); 2].map(|()| places.reserve().unwrap());
        assert_eq!(third.place, first.place);
        places.free(first);
        let fifth = places.reserve().unwrap();
        let taken = [second, third, fourth, fifth].map(|token| token.place);
        assert_eq!(taken, [1, 0, 2, 3]);
    }
}
