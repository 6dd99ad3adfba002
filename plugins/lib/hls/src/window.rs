//! The segments of a playlist in time: where to begin, what comes next, when to look again.

use std::time::Duration;

use crate::playlist::{Media, Segment};

/// A live stream is begun so many target durations before its end (RFC 8216 §6.3.3).
const DISTANCE: u32 = 3;

/// What comes next of a playlist.
#[derive(Debug, PartialEq)]
pub enum Next<'a> {
    /// The segment of this number.
    Segment(u64, &'a Segment),
    /// The one that comes next is gone, or the numbers began anew: go on with the segment of this number.
    Jump(u64),
    /// It has to be waited for.
    Wait,
    /// There are no more.
    End,
}

impl Media {
    /// Number behind the last segment.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(self.segments.len() as u64)
    }

    /// The length of all segments.
    pub fn duration(&self) -> Duration {
        self.segments.iter().map(|segment| segment.duration).sum()
    }

    /// Number of the segment to begin with: the first of a film, and one near the end of what is live. Where a live
    /// playlist says otherwise, that counts, as long as the next segments are there already.
    pub fn beginning(&self) -> u64 {
        if self.is_complete {
            return self.first;
        }
        let duration = self.duration().as_secs_f64();
        let latest = duration - f64::from(DISTANCE) * self.target.as_secs_f64();
        let wanted = match self.start {
            Some(offset) if offset < 0.0 => duration + offset,
            Some(offset) => offset,
            None => latest,
        };
        let place = wanted.min(latest).clamp(0.0, duration);
        self.at(Duration::from_secs_f64(place)).0
    }

    /// Number and beginning of the segment that is played at a time from the first one on.
    pub fn at(&self, place: Duration) -> (u64, Duration) {
        let mut begin = Duration::ZERO;
        let last = self.segments.len().saturating_sub(1);
        for (index, segment) in self.segments.iter().enumerate() {
            let end = begin + segment.duration;
            if place < end || index == last {
                return (self.first + index as u64, begin);
            }
            begin = end;
        }
        (self.first, Duration::ZERO)
    }

    /// When the segment of that number begins, from the first one on.
    pub fn begins(&self, number: u64) -> Duration {
        let count = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        { self.segments.iter().take(count) }
            .map(|segment| segment.duration)
            .sum()
    }

    /// What to play when `number` is next.
    pub fn next(&self, number: u64) -> Next<'_> {
        if number < self.first {
            return Next::Jump(self.beginning());
        }
        let index = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        match self.segments.get(index) {
            Some(segment) => Next::Segment(number, segment),
            None if self.is_complete => Next::End,
            // A server that was started anew counts from the beginning again.
            None if number > self.end() => Next::Jump(self.beginning()),
            None => Next::Wait,
        }
    }

    /// Numbers the discontinuities as the playlist did that was loaded before: many servers forget to count those that
    /// have left the window (§4.3.3.3).
    pub fn follow(&mut self, former: &Self) {
        let first = self.first;
        let shared =
            { self.segments.iter().zip(first..) }.find_map(|(segment, number)| {
                match former.next(number) {
                    Next::Segment(_, known) => {
                        Some(known.discontinuity.wrapping_sub(segment.discontinuity))
                    }
                    _ => None,
                }
            });
        for segment in &mut self.segments {
            segment.discontinuity = segment.discontinuity.wrapping_add(shared.unwrap_or(0));
        }
    }

    /// How long after it was loaded a live playlist is to be loaded again (§6.3.4); `has_changed`: since the time before.
    pub fn reload_after(&self, has_changed: bool) -> Duration {
        if has_changed {
            self.target
        } else {
            self.target / 2
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playlist::Playlist;

    fn media(first: u64, count: usize, more: &str) -> Media {
        let segments = "#EXTINF:4,\na\n".repeat(count);
        let text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{first}\n{more}\n{segments}"
        );
        match Playlist::parse(&text, &"http://x/".parse().unwrap()).unwrap() {
            Playlist::Media(media) => media,
            Playlist::Master(_) => panic!("{text}"),
        }
    }

    fn number(next: Next<'_>) -> Option<u64> {
        match next {
            Next::Segment(number, _) => Some(number),
            _ => None,
        }
    }

    #[test]
    fn a_film_is_played_from_its_first_segment_to_its_last() {
        let film = media(5, 3, "#EXT-X-ENDLIST");
        assert_eq!(film.beginning(), 5);
        assert_eq!(
            [5, 6, 7].map(|next| number(film.next(next))),
            [Some(5), Some(6), Some(7)]
        );
        assert_eq!(film.next(8), Next::End);
        assert_eq!(film.duration(), Duration::from_secs(12));
        let at = |seconds| film.at(Duration::from_secs(seconds));
        assert_eq!(at(0), (5, Duration::ZERO));
        assert_eq!(at(4), (6, Duration::from_secs(4)));
        assert_eq!(at(100), (7, Duration::from_secs(8)));
        assert_eq!(film.begins(7), Duration::from_secs(8));
    }

    #[test]
    fn what_is_live_is_begun_near_its_end() {
        assert_eq!(media(10, 6, "").beginning(), 13, "three segments before it");
        assert_eq!(media(10, 2, "").beginning(), 10);
        assert_eq!(media(10, 6, "#EXT-X-START:TIME-OFFSET=0").beginning(), 10);
        assert_eq!(media(10, 6, "#EXT-X-START:TIME-OFFSET=-1").beginning(), 13);
        assert_eq!(media(10, 6, "#EXT-X-START:TIME-OFFSET=-16").beginning(), 12);
        assert_eq!(media(10, 0, "").beginning(), 10);
    }

    #[test]
    fn discontinuities_that_have_left_the_window_count() {
        let segments = |count| "#EXTINF:4,\na\n".repeat(count);
        let former = media(10, 2, &format!("{}#EXT-X-DISCONTINUITY", segments(2)));
        let numbers = |media: &Media| -> Vec<u64> {
            media
                .segments
                .iter()
                .map(|segment| segment.discontinuity)
                .collect()
        };
        assert_eq!(numbers(&former), [0, 0, 1, 1]);
        let mut latter = media(13, 1, &format!("{}#EXT-X-DISCONTINUITY", segments(2)));
        latter.follow(&former);
        assert_eq!(numbers(&latter), [1, 1, 2]);
        let mut apart = media(100, 1, "");
        apart.follow(&former);
        assert_eq!(numbers(&apart), [0]);
    }

    #[test]
    fn a_window_that_moved_on_is_followed() {
        let live = media(10, 6, "");
        assert_eq!(number(live.next(15)), Some(15));
        assert_eq!(live.next(16), Next::Wait);
        assert_eq!(live.next(9), Next::Jump(13), "it is gone");
        assert_eq!(live.next(400), Next::Jump(13), "the server began anew");
        assert_eq!(live.reload_after(true), Duration::from_secs(4));
        assert_eq!(live.reload_after(false), Duration::from_secs(2));
    }
}
