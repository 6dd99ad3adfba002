use super::short_tracks::{Length, lengthen};
use super::*;

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + BOX_HEAD).unwrap();
    [&size.to_be_bytes()[..], kind, body].concat()
}

fn header(kind: &[u8; 4], timescale: u32, duration: u32) -> Vec<u8> {
    let numbers = [0, 0, 0, timescale, duration, 0];
    boxed(kind, &numbers.map(u32::to_be_bytes).concat())
}

fn long_header(kind: &[u8; 4], timescale: u32, duration: u64) -> Vec<u8> {
    let dates = [&[1u8, 0, 0, 0][..], &[0; 16]].concat();
    boxed(
        kind,
        &[
            dates,
            timescale.to_be_bytes().to_vec(),
            duration.to_be_bytes().to_vec(),
        ]
        .concat(),
    )
}

fn track(handler: &[u8; 4], header: Vec<u8>) -> Vec<u8> {
    let named = boxed(b"hdlr", &[&[0; 8][..], handler, &[0; 12]].concat());
    let media = boxed(b"mdia", &[header, named].concat());
    boxed(b"trak", &[boxed(b"tkhd", &[0; 84]), media].concat())
}

/// A film of 30 s with these tracks: the contents of its `moov`.
fn movie(tracks: &[Vec<u8>]) -> Vec<u8> {
    [header(b"mvhd", 1000, 30_000), tracks.concat()].concat()
}

/// Durations of the tracks, in their own units.
fn durations(movie: &[u8]) -> Vec<u64> {
    boxes(movie, 0..movie.len())
        .into_iter()
        .filter(|(kind, _)| kind == b"trak")
        .map(|(_, body)| {
            let media = child(movie, &body, b"mdia").unwrap();
            let header = child(movie, &media, b"mdhd").unwrap();
            Length::read(movie, &header).unwrap().duration
        })
        .collect()
}

#[test]
fn a_short_track_lasts_for_a_fifth() {
    let mut film = movie(&[
        track(b"vide", header(b"mdhd", 15_360, 15_360 * 30)),
        track(b"soun", header(b"mdhd", 48_000, 48_000 * 2)),
    ]);
    lengthen(&mut film);
    assert_eq!(durations(&film), [15_360 * 30, 48_000 * 6]);
    let mut long = movie(&[track(b"soun", long_header(b"mdhd", 44_100, 1))]);
    lengthen(&mut long);
    assert_eq!(durations(&long), [44_100 * 6]);
}

#[test]
fn a_preview_beside_the_film_stays_as_it_is() {
    let mut film = movie(&[
        track(b"vide", header(b"mdhd", 600, 600)),
        track(b"vide", header(b"mdhd", 600, 600 * 30)),
        track(b"soun", header(b"mdhd", 600, 600 * 6)),
        track(b"text", header(b"mdhd", 600, 0)),
    ]);
    let before = film.clone();
    lengthen(&mut film);
    assert_eq!(film, before);
}

#[test]
fn what_is_no_index_stays_as_it_is() {
    for bytes in [
        vec![],
        vec![0; 7],
        vec![255; 100],
        boxed(b"mvhd", &[0; 3]),
        boxed(b"trak", &[]),
    ] {
        let mut read = bytes.clone();
        lengthen(&mut read);
        assert_eq!(read, bytes);
    }
    // Every index that ends too early.
    let film = movie(&[track(b"soun", header(b"mdhd", 600, 1))]);
    for length in 0..film.len() {
        lengthen(&mut film[..length].to_vec());
    }
}

/// What comes out of a file that comes in pieces of this size.
fn read_in_pieces(file: &[u8], size: usize) -> Vec<u8> {
    let mut reader = Reader::default();
    let pieces = file.chunks(size).map(|piece| match reader.read(piece) {
        Read::Pass => piece.to_vec(),
        Read::Instead(bytes) => bytes,
    });
    pieces.collect::<Vec<_>>().concat()
}

#[test]
fn the_index_is_found_wherever_it_is_and_whatever_the_pieces_are() {
    let short = movie(&[track(b"soun", header(b"mdhd", 48_000, 48_000))]);
    let mut longer = short.clone();
    lengthen(&mut longer);
    let wide = [
        &[0, 0, 0, 1][..],
        b"mdat",
        &(16u64 + 50).to_be_bytes(),
        &[7; 50],
    ]
    .concat();
    let around = |movie: &[u8]| {
        [
            boxed(b"ftyp", b"isom"),
            wide.clone(),
            boxed(b"free", &[]),
            boxed(b"moov", movie),
            boxed(b"mdat", &[3; 30]),
        ]
        .concat()
    };
    let (file, expected) = (around(&short), around(&longer));
    assert_ne!(file, expected);
    for size in 1..=file.len() {
        assert_eq!(read_in_pieces(&file, size), expected, "{size}");
    }
}

#[test]
fn what_is_no_file_passes() {
    for bytes in [
        vec![0; 40],
        vec![255; 40],
        b"\0\0\0\x01moov\0\0\0\0\0\0\0\x01rest".to_vec(),
    ] {
        for size in 1..=bytes.len() {
            assert_eq!(read_in_pieces(&bytes, size), bytes);
        }
    }
}

/// A track as QuickTime describes sound without compression, with one entry of durations.
fn raw_sound(codec: &[u8; 4], samples: u32) -> Vec<u8> {
    let named = |name: &[u8]| boxed(b"hdlr", &[&[0; 24][..], name].concat());
    let entry = [&[0; 4][..], &1u32.to_be_bytes()].concat();
    let description = [&entry[..], &[0, 0, 0, 16], codec, &[0; 8]].concat();
    let durations = [entry, [samples, 1].map(u32::to_be_bytes).concat()].concat();
    let tables = [
        boxed(b"stsd", &description),
        boxed(b"stts", &durations),
        boxed(b"stsz", b"sizes"),
    ];
    let information = [
        named(b"\x0bDataHandler"),
        boxed(b"dinf", b"where"),
        boxed(b"stbl", &tables.concat()),
    ];
    let media = [
        header(b"mdhd", 96_000, 768_000),
        named(b"\x05Sound"),
        boxed(b"minf", &information.concat()),
    ];
    boxed(b"trak", &boxed(b"mdia", &media.concat()))
}

/// The contents of a box of a track, by the names that lead there.
fn at<'a>(movie: &'a [u8], path: &[&[u8; 4]]) -> &'a [u8] {
    let inner = |part, kind: &&[u8; 4]| child(movie, &part, kind).unwrap();
    &movie[path.iter().fold(0..movie.len(), inner)]
}

#[test]
fn the_durations_of_raw_sound_are_two_entries_that_say_the_same() {
    let mut film = movie(&[raw_sound(b"lpcm", 768_000)]);
    let length = film.len();
    mend_contents(&mut film);
    assert_eq!(film.len(), length);
    let tables = [b"trak", b"mdia", b"minf", b"stbl"];
    let of = |kind| at(&film, &[&tables[..], &[kind]].concat());
    let durations = [0, 2, 1, 1, 767_999, 1].map(u32::to_be_bytes).concat();
    assert_eq!(of(b"stts"), durations);
    assert_eq!(of(b"stsz"), b"sizes");
    assert_eq!(&of(b"stsd")[12..16], b"lpcm");
    let information = &tables[..3];
    assert_eq!(at(&film, &[information, &[b"dinf"]].concat()), b"where");
    assert_eq!(at(&film, &[information, &[b"hdlr"]].concat()), [0; 28]);
    let once = film.clone();
    mend_contents(&mut film);
    assert_eq!(film, once);
}

#[test]
fn other_sound_stays_as_it_is() {
    for track in [raw_sound(b"sowt", 768_000), raw_sound(b"lpcm", 1)] {
        let mut film = movie(&[track]);
        let before = film.clone();
        mend_contents(&mut film);
        assert_eq!(film, before);
    }
}
