//! Formats of number plates: where letters stand, and where digits do. They tell an O from a 0.

/// What plates of Europe look like, `A` being a letter and `0` a digit, without what stands between groups. Where what was read
/// fits several equally badly the first counts: those that most cars have come first.
const FORMATS: &[&str] = &[
    // Spain; France, Italy and Slovakia; the United Kingdom.
    "0000AAA",
    "AA000AA",
    "AA00AAA",
    // Germany and Austria: one to five letters, one to four digits, of which some are those of others.
    "AAA0000",
    "AA0000",
    "AAAA000",
    "AAAA0000",
    "AAA000",
    "AAA00",
    "AAA0",
    "AAAA00",
    "AAAA0",
    "AAAAA000",
    "AAAAA00",
    "AAAAA0",
    "AA000",
    "AA00",
    "AA000A",
    "AA0000A",
    "A0000A",
    "A00000A",
    "A000AA",
    "A0000AA",
    "AA00AA",
    "A00AA",
    "AA0000E",
    "AAA000E",
    "AAAA000E",
    "AAA0000E",
    "AAA000H",
    "AAAA00H",
    "AA0AAA",
    "A0000AAA",
    "A000AAA",
    "AA00AAAA",
    // Poland, Denmark, Norway, Switzerland.
    "AA00000",
    "AAA00AA",
    "AAA0A00",
    "AAA00A0",
    "AAA0AA0",
    "AAA00000",
    "AA000000",
    "AA0000",
    "AA00",
    "AA0",
    // The Netherlands, Portugal.
    "00AAA0",
    "0AAA00",
    "AAA00A",
    "A00AAA",
    "00AAAA",
    "00AA00",
    "0000AA",
    // Belgium, Czechia, Romania, Bulgaria, Croatia, Slovenia, Serbia, Ireland, Sweden, Estonia, Albania, Turkey.
    "0AAA000",
    "0A00000",
    "0AA0000",
    "A00AAA",
    "A000AAA",
    "A0000AA",
    "AA0000AA",
    "AA00000AA",
    "AAA00A",
    "000AAA",
    "000A00000",
    "000A0000",
    "000A000",
    "00AA00000",
    "00AA0000",
    "00A00000",
    "00A0000",
    "00AA000",
    "00AAA00",
    "00AAA000",
    // Former ones of Spain, France, Britain and Russia, which are still seen.
    "A0000AA",
    "AAA000A",
    "0000AA00",
    "000AAA00",
    "000AA00",
    "A000AA00",
    "A000AA000",
];

/// Characters that look alike, each with what it is as a digit and as a letter.
const ALIKE: [(char, char); 9] = [
    ('0', 'O'),
    ('1', 'I'),
    ('2', 'Z'),
    ('4', 'A'),
    ('5', 'S'),
    ('6', 'G'),
    ('7', 'T'),
    ('8', 'B'),
    ('0', 'D'),
];
/// And those of which one alone is taken for the other.
const LETTERS_AS_DIGITS: [(char, char); 6] = [
    ('Q', '0'),
    ('D', '0'),
    ('U', '0'),
    ('L', '1'),
    ('J', '3'),
    ('Y', '7'),
];

/// What was read, so that it fits the format which it fits best; and whether it fits one. Nothing is changed where
/// none is near. An upright line at one of the ends, which makes a plate none, was its edge.
pub(crate) fn fitted(read: &str) -> (String, bool) {
    let is_mixed = read.contains(|letter: char| letter.is_ascii_alphabetic())
        && read.contains(|letter: char| letter.is_ascii_digit());
    let unknown = || (read.to_owned(), false);
    if !is_mixed {
        return unknown();
    }
    let best = best_of_all(read);
    if let Some((0..=1, text)) = best {
        return (text, true);
    }
    let is_upright = |letter: char| matches!(letter, '1' | 'I' | 'L' | 'J');
    let inner = [read.strip_prefix(is_upright), read.strip_suffix(is_upright)];
    let inner = inner.into_iter().flatten().filter(|inner| inner.len() >= 6);
    let mut inner = inner
        .filter_map(best_of_all)
        .filter(|(changes, _)| *changes == 0);
    match (inner.next(), best) {
        (Some((_, text)), _) => (text, true),
        // More would make up what was not read.
        (None, Some((2, text))) => (text, true),
        _ => unknown(),
    }
}

/// With the fewest changes that it takes to have one of the formats, and how many they are.
fn best_of_all(read: &str) -> Option<(usize, String)> {
    let fits = FORMATS.iter().filter_map(|format| fit(read, format));
    fits.min_by_key(|(changes, _)| *changes)
}

/// Whether this may be a plate at all.
pub(crate) fn is_plate(text: &str, is_of_a_format: bool) -> bool {
    let count = |is: fn(&char) -> bool| text.chars().filter(is).count();
    let (letters, digits) = (
        count(char::is_ascii_alphabetic),
        count(char::is_ascii_digit),
    );
    // Kurento asks for 6 characters; plates of Germany and others may have 5, but so have many words.
    let shortest = if is_of_a_format { 5 } else { 6 };
    letters > 0 && digits > 0 && (shortest..=10).contains(&text.len())
}

/// What was read with the fewest changes that it takes to have this format.
fn fit(read: &str, format: &str) -> Option<(usize, String)> {
    if read.len() != format.len() {
        return None;
    }
    let mut changes = 0;
    let text = read.chars().zip(format.chars()).map(|(read, wanted)| {
        let is_right = match wanted {
            'A' => read.is_ascii_alphabetic(),
            '0' => read.is_ascii_digit(),
            letter => read == letter,
        };
        if is_right {
            return Some(read);
        }
        changes += 1;
        match wanted {
            '0' => as_digit(read),
            'A' => as_letter(read),
            _ => None,
        }
    });
    let text = text.collect::<Option<String>>()?;
    Some((changes, text))
}

fn as_digit(letter: char) -> Option<char> {
    let alike = ALIKE.iter().map(|(digit, letter)| (*letter, *digit));
    let mut all = alike.chain(LETTERS_AS_DIGITS);
    all.find(|(from, _)| *from == letter).map(|(_, to)| to)
}

fn as_letter(digit: char) -> Option<char> {
    let mut alike = ALIKE.iter();
    alike
        .find(|(from, _)| *from == digit)
        .map(|(_, letter)| *letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_look_alike_are_told_apart_by_the_format() {
        for (read, plate) in [
            ("1Z34BCD", "1234BCD"),
            ("O1234AB", "O1234AB"),
            ("0123BCO", "0123BCO"),
            ("AB1Z3CD", "AB123CD"),
            ("WA12BCO", "WA12BCO"),
            ("M0AB12", "MOAB12"),
            ("1EV269KL", "EV269KL"),
        ] {
            assert_eq!(fitted(read), (plate.to_owned(), true), "{read}");
        }
    }

    #[test]
    fn what_is_right_and_what_is_unknown_stays() {
        for (read, is_known) in [
            ("KL01HH1234", false),
            ("AB123CD", true),
            ("BAB1", true),
            ("", false),
            ("ABCDEFGH", false),
            ("12345678", false),
        ] {
            assert_eq!(fitted(read), (read.to_owned(), is_known), "{read}");
        }
    }

    #[test]
    fn words_and_numbers_are_no_plates() {
        for (text, is_known, is) in [
            ("AB123CD", true, true),
            ("MAB12", true, true),
            ("AB12C", false, false),
            ("WELCOME", false, false),
            ("20241201", false, false),
            ("BAB1", true, false),
        ] {
            assert_eq!(is_plate(text, is_known), is, "{text}");
        }
    }

    #[test]
    fn formats_are_of_letters_and_digits() {
        for format in FORMATS {
            assert!((3..=9).contains(&format.len()), "{format}");
            assert!(format.chars().all(|letter| "A0EH".contains(letter)));
        }
    }
}
