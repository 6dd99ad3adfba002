//! What a file says of its pictures as a whole, though one may be unlike the other.

use rivero_codec::{Shape, Track};

/// The pictures of a track.
#[derive(Debug)]
pub(super) struct Pictures {
    /// The description of the largest.
    largest: Track,
    /// How those are turned that come now, quarters clockwise.
    turns: u8,
    /// How many were turned by so many quarters.
    turned: [usize; 4],
}

impl Pictures {
    pub(super) fn new(track: &Track) -> Self {
        Self {
            largest: track.clone(),
            turns: track.quarter_turns & 3,
            turned: [0; 4],
        }
    }

    /// The pictures that follow are like this.
    pub(super) fn change(&mut self, track: &Track) {
        self.turns = track.quarter_turns & 3;
        if area(track) > area(&self.largest) {
            self.largest = track.clone();
        }
    }

    pub(super) fn largest(&self) -> &Track {
        &self.largest
    }

    /// So many were written.
    pub(super) fn count(&mut self, pictures: usize) {
        if let Some(turned) = self.turned.get_mut(usize::from(self.turns)) {
            *turned += pictures;
        }
    }

    /// The track as the file announces it: a player that scales all pictures to one size loses nothing of
    /// the largest, and most of them are upright.
    pub(super) fn announced(&self) -> Track {
        let most = self.turned.iter().max().copied().unwrap_or_default();
        let first = self.turned.iter().position(|turned| *turned == most);
        let turns = first
            .filter(|_| most > 0)
            .map_or(self.turns, |turns| u8::try_from(turns).unwrap_or_default());
        Track {
            quarter_turns: turns,
            ..self.largest.clone()
        }
    }
}

fn area(track: &Track) -> u32 {
    match track.shape {
        Shape::Video { width, height } => u32::from(width) * u32::from(height),
        Shape::Audio { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::testing::picture_track;

    #[test]
    fn the_largest_is_announced() {
        let mut pictures = Pictures::new(&picture_track(320, 180, 0));
        pictures.change(&picture_track(1280, 720, 0));
        pictures.change(&picture_track(640, 360, 0));
        assert_eq!(pictures.announced(), picture_track(1280, 720, 0));
    }

    #[test]
    fn most_are_upright() {
        let mut pictures = Pictures::new(&picture_track(640, 480, 1));
        assert_eq!(pictures.announced().quarter_turns, 1, "of what is to come");
        pictures.count(10);
        pictures.change(&picture_track(640, 480, 0));
        pictures.count(20);
        assert_eq!(pictures.announced().quarter_turns, 0);
        pictures.change(&picture_track(640, 480, 1));
        pictures.count(11);
        assert_eq!(pictures.announced().quarter_turns, 1);
    }
}
