//! Media that a module may meet: the usual, and what is wrong with it in some way.

use super::plan::{Content, Kind, Piece, Step};
use super::random::Random;
use rivero_plugin_api::{Format, Packaging, Packet};

/// Of pictures that are as they should be.
pub(crate) const SIZE: (usize, usize) = (64, 48);
/// Packets in one step.
const BURST: usize = 8;
const MILLISECOND: i64 = 1_000_000;

fn packed(format: Format, packaging: Packaging) -> Format {
    Format {
        packaging,
        ..format
    }
}

/// Raw pictures of a size; a pad's own format says none.
fn pictures(size: Option<(usize, usize)>) -> Format {
    let format = packed(Format::rtp("I420", 0, 0), Packaging::Raw);
    match size {
        Some((width, height)) => format
            .with("width", width.to_string())
            .with("height", height.to_string()),
        None => format,
    }
}

fn sound(rate: u32, channels: u8) -> Format {
    packed(Format::rtp("S16LE", rate, channels), Packaging::Raw)
}

/// The media that elements of the usual kinds take: pictures, sound, and frames and RTP packets of the codecs that there are.
pub(crate) fn usual() -> Vec<(Kind, Format)> {
    let encoded = [
        (Kind::Video, Format::rtp("VP8", 90_000, 0)),
        (
            Kind::Video,
            Format::rtp("H264", 90_000, 0).with("packetization-mode", "1"),
        ),
        (Kind::Audio, Format::rtp("OPUS", 48_000, 2)),
    ];
    let mut all = vec![
        (Kind::Video, pictures(None)),
        (Kind::Audio, sound(0, 0)),
        (Kind::Data, Format::rtp("", 0, 0)),
    ];
    for (kind, format) in encoded {
        all.push((kind, packed(format.clone(), Packaging::Frame)));
        all.push((kind, format));
    }
    all
}

/// A format of a kind of media: mostly a usual one, else anything.
pub(crate) fn format(random: &mut Random, kind: Kind) -> Format {
    if random.one_in(5) {
        let names = ["", "X-UNHEARD-OF", "VP8", "I420", "S16LE", "AV1"];
        let name = random.choose(&names).copied().unwrap_or_default();
        let rates = [0, 1, 90_000, u32::MAX];
        let rate = random.choose(&rates).copied().unwrap_or(0);
        let channels = random.choose(&[0, 1, 2, u8::MAX]).copied().unwrap_or(0);
        let packaging = Packaging::from_number(u8::try_from(random.below(4)).unwrap_or(0));
        return packed(Format::rtp(name, rate, channels), packaging);
    }
    let all = usual();
    let of_kind: Vec<&Format> = all
        .iter()
        .filter(|(known, _)| *known == kind)
        .map(|(_, format)| format)
        .collect();
    // Raw media is what most elements take, and comes first.
    let place = if random.one_in(2) {
        0
    } else {
        random.below(of_kind.len())
    };
    of_kind
        .get(place)
        .map_or_else(|| pictures(None), |format| (*format).clone())
}

/// Packets of a format that nobody could object to, as of so many milliseconds each.
pub(crate) fn proper(format: &Format, count: usize, first: usize) -> Vec<Piece> {
    let piece = |number: usize| {
        let (content, own) = match (&*format.encoding, format.packaging) {
            ("I420", Packaging::Raw) => {
                let length = SIZE.0 * SIZE.1 * 3 / 2;
                (
                    Content::Same { length, value: 128 },
                    Some(pictures(Some(SIZE))),
                )
            }
            ("S16LE", Packaging::Raw) => {
                let seed = number as u64;
                (
                    Content::Noise {
                        length: 960 * 4,
                        seed,
                    },
                    Some(sound(48_000, 2)),
                )
            }
            (_, Packaging::Rtp) => {
                let sequence = u16::try_from(number & 0xffff).unwrap_or(0);
                (
                    Content::Rtp {
                        sequence,
                        length: 400,
                        seed: 1,
                    },
                    None,
                )
            }
            _ => (
                Content::Noise {
                    length: 400,
                    seed: number as u64,
                },
                None,
            ),
        };
        Piece {
            content,
            format: own,
            flags: Packet::KEYFRAME,
            time: 0,
            duration: 20 * MILLISECOND,
            encoding: 0,
        }
    };
    (first..first + count).map(piece).collect()
}

/// Packets of this format, as they are or as a broken sender has them.
pub(crate) fn pieces(random: &mut Random, format: &Format) -> Vec<Piece> {
    let (count, first) = (1 + random.below(BURST), random.below(70_000));
    let mut pieces = proper(format, count, first);
    if random.one_in(4) {
        return pieces;
    }
    for piece in &mut pieces {
        match random.below(7) {
            0 => piece.content = content(random),
            1 => piece.format = Some(own_format(random, format)),
            2 => piece.flags = u8::try_from(random.below(256)).unwrap_or(0),
            3 => piece.time = time(random),
            4 => piece.duration = time(random),
            5 => piece.encoding = u8::try_from(random.below(256)).unwrap_or(0),
            _ => {
                piece.content = content(random);
                piece.format = Some(own_format(random, format));
                piece.time = time(random);
            }
        }
    }
    pieces
}

fn content(random: &mut Random) -> Content {
    let lengths = [0, 1, 2, 11, 12, 13, 100, 4608, 65_535, 1 << 20];
    let length = random.choose(&lengths).copied().unwrap_or(0);
    let value = random.choose(&[0, 1, 127, 128, 255]).copied().unwrap_or(0);
    let seed = random.next();
    match random.below(3) {
        0 => Content::Same { length, value },
        1 => Content::Noise { length, seed },
        _ => Content::Rtp {
            sequence: u16::try_from(seed & 0xffff).unwrap_or(0),
            length,
            seed,
        },
    }
}

/// What a packet says that it is: pictures of sizes that their bytes have not, sound of rates that there are not.
fn own_format(random: &mut Random, format: &Format) -> Format {
    let sizes = [0, 1, 2, 3, 63, 65, 4096, 65_535, 1 << 31, usize::MAX >> 1];
    match &*format.encoding {
        "I420" => {
            let mut side = || random.choose(&sizes).copied().unwrap_or(0);
            pictures(Some((side(), side())))
        }
        "S16LE" => {
            let rates = [0, 1, 7, 8000, 44_100, u32::MAX];
            let rate = random.choose(&rates).copied().unwrap_or(0);
            sound(
                rate,
                random
                    .choose(&[0, 1, 2, 3, 8, u8::MAX])
                    .copied()
                    .unwrap_or(0),
            )
        }
        _ => self::format(random, Kind::Video),
    }
}

/// A time beside the clock's: some frames, hours, and what overflows when it is added to something.
fn time(random: &mut Random) -> i64 {
    let hour = 3_600_000 * MILLISECOND;
    let times = [
        0,
        1,
        -1,
        33 * MILLISECOND,
        -33 * MILLISECOND,
        hour,
        -hour,
        i64::MAX,
        i64::MIN,
    ];
    random.choose(&times).copied().unwrap_or(0)
}

/// Connects a source of each of the usual formats in turn, and sends so many packets of each.
pub(crate) fn all_usual(count: usize) -> Vec<Step> {
    let steps = usual().into_iter().flat_map(|(kind, format)| {
        let pieces = proper(&format, count, 0);
        [
            Step::Connect(kind, format),
            Step::Push(kind, pieces),
            Step::Pass(20),
        ]
    });
    steps.collect()
}
