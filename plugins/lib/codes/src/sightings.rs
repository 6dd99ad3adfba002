//! Which of the codes that are read is news.

use crate::Code;

/// A code that stays in the picture is told again after so long, ns.
const AGAIN: i64 = 1_000_000_000;
/// Codes that are remembered: pictures may show any number of them.
const MOST: usize = 64;

/// What was read lately.
#[derive(Debug, Default)]
pub struct Sightings(Vec<Sighting>);

#[derive(Debug)]
struct Sighting {
    code: Code,
    /// Of the picture that showed it last, ns.
    seen: i64,
    /// When it was told last; not yet where that is missing.
    told: Option<i64>,
}

impl Sightings {
    /// Takes what a picture of this time shows, and gives what is to be told of it: each code once a
    /// second at most, and one without check digits when a second picture shows it, too.
    pub fn add(&mut self, found: Vec<Code>, time: i64) -> Vec<Code> {
        let is_recent = |since: i64| (0..AGAIN).contains(&time.saturating_sub(since));
        self.0.retain(|sighting| is_recent(sighting.seen));
        let mut news = Vec::new();
        for code in found {
            let is_full = self.0.len() == MOST;
            let known = self.0.iter_mut().find(|sighting| sighting.code == code);
            let tells = match known {
                Some(sighting) => {
                    sighting.seen = time;
                    let tells = !sighting.told.is_some_and(is_recent);
                    if tells {
                        sighting.told = Some(time);
                    }
                    tells
                }
                None if is_full => false,
                None => {
                    let tells = code.is_checked;
                    let told = tells.then_some(time);
                    let code = code.clone();
                    self.0.push(Sighting {
                        code,
                        seen: time,
                        told,
                    });
                    tells
                }
            };
            if tells {
                news.push(code);
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str, is_checked: bool) -> Vec<Code> {
        vec![Code {
            kind: "QR-Code",
            text: text.to_owned(),
            is_checked,
        }]
    }

    const MS: i64 = 1_000_000;

    #[test]
    fn a_code_is_told_once_a_second() {
        let mut sightings = Sightings::default();
        let told: Vec<i64> = (0..100)
            .map(|index| index * 33 * MS)
            .filter(|time| !sightings.add(code("a", true), *time).is_empty())
            .map(|time| time / MS)
            .collect();
        assert_eq!(told, [0, 1023, 2046, 3069]);
    }

    #[test]
    fn codes_do_not_keep_each_other_quiet() {
        let mut sightings = Sightings::default();
        assert_eq!(sightings.add(code("a", true), 0).len(), 1);
        assert_eq!(sightings.add(code("b", true), 10 * MS).len(), 1);
        assert_eq!(sightings.add(code("a", true), 20 * MS).len(), 0);
        // What was away for a while is new.
        assert_eq!(sightings.add(code("a", true), 1_030 * MS).len(), 1);
    }

    #[test]
    fn what_has_no_check_digit_is_read_twice() {
        let mut sightings = Sightings::default();
        assert_eq!(sightings.add(code("123", false), 0).len(), 0);
        assert_eq!(sightings.add(code("124", false), 30 * MS).len(), 0);
        assert_eq!(sightings.add(code("123", false), 60 * MS).len(), 1);
        assert_eq!(sightings.add(code("123", false), 90 * MS).len(), 0);
    }

    #[test]
    fn any_number_of_codes_takes_bounded_memory() {
        let mut sightings = Sightings::default();
        for index in 0..1000 {
            sightings.add(code(&index.to_string(), true), index);
        }
        assert_eq!(sightings.0.len(), MOST);
    }

    #[test]
    fn time_that_goes_back_forgets() {
        let mut sightings = Sightings::default();
        assert_eq!(sightings.add(code("a", true), 5_000 * MS).len(), 1);
        assert_eq!(sightings.add(code("a", true), 0).len(), 1);
    }
}
