use proptest::{collection::vec, prelude::*};

use super::super::{
    chunk_writer::ChunkWriter,
    message::{AUDIO, COMMAND, VIDEO},
};
use super::*;

const MOST: usize = 1 << 20;

/// All messages of a stream that comes in pieces of `size`.
fn read_in(bytes: &[u8], size: usize) -> Result<Vec<Message>, Error> {
    let mut reader = ChunkReader::new(MOST);
    let mut messages = Vec::new();
    for piece in bytes.chunks(size) {
        reader.push(piece);
        while let Some(message) = reader.next()? {
            messages.push(message);
        }
    }
    Ok(messages)
}

fn read(bytes: &[u8]) -> Result<Vec<Message>, Error> {
    let whole = read_in(bytes, bytes.len().max(1));
    assert_eq!(read_in(bytes, 1), whole, "byte by byte");
    whole
}

/// A full header: chunk stream 4, message stream 1.
fn header(stamp: u32, length: usize, kind: u8) -> Vec<u8> {
    let mut bytes = vec![4];
    bytes.extend(&stamp.min(EXTENDED).to_be_bytes()[1..]);
    bytes.extend(&u32::try_from(length).unwrap().to_be_bytes()[1..]);
    bytes.extend([kind, 1, 0, 0, 0]);
    if stamp >= EXTENDED {
        bytes.extend(stamp.to_be_bytes());
    }
    bytes
}

fn set_chunk_size(size: u32) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 0, 4, SET_CHUNK_SIZE, 0, 0, 0, 0];
    bytes.extend(size.to_be_bytes());
    bytes
}

/// Field report 23.
#[test]
fn stamps_of_32_bits_are_repeated_by_some_senders_and_left_out_by_others() {
    let body: Vec<u8> = (0..=255u8).cycle().take(300).collect();
    for stamp in [EXTENDED, 0x0100_0000, 0x0203_0405, u32::MAX] {
        for repeats in [true, false] {
            let mut bytes = header(stamp, 300, VIDEO);
            for (index, piece) in body.chunks(128).enumerate() {
                if index > 0 {
                    bytes.push(0xc4);
                    if repeats {
                        bytes.extend(stamp.to_be_bytes());
                    }
                }
                bytes.extend(piece);
            }
            // What follows shows whether the end was found.
            bytes.extend(header(7, 1, AUDIO));
            bytes.push(9);
            let messages = read(&bytes).unwrap();
            let times: Vec<_> = messages.iter().map(|message| message.time).collect();
            assert_eq!(times, [stamp, 7], "{repeats}");
            assert_eq!(messages[0].body, body);
        }
    }
}

#[test]
fn an_end_shorter_than_the_stamp_that_is_left_out_is_found() {
    let mut bytes = header(0x0100_0000, 130, VIDEO);
    bytes.extend([5; 128]);
    bytes.extend([0xc4, 1, 7]);
    bytes.extend(header(9, 1, AUDIO));
    bytes.push(1);
    let messages = read(&bytes).unwrap();
    assert_eq!((messages.len(), &messages[0].body[128..]), (2, &[1, 7][..]));
}

/// Field report 25.
#[test]
fn every_chunk_size_but_0_works() {
    for size in [1u32, 127, 134_217_728, 0x7fff_ffff] {
        let mut bytes = set_chunk_size(size);
        bytes.extend(header(1, 300, VIDEO));
        for (index, piece) in [3; 300].chunks(usize::try_from(size).unwrap()).enumerate() {
            if index > 0 {
                bytes.push(0xc4);
            }
            bytes.extend(piece);
        }
        assert_eq!(read(&bytes).unwrap()[1].body, [3; 300], "{size}");
    }
    assert_eq!(read(&set_chunk_size(0)), Err(Error::ChunkSize));
}

/// Field report 25.
#[test]
fn any_chunk_stream_may_carry_anything() {
    // 2- and 3-byte forms; the first message of each counts from 0 (format 1).
    for id in [&[0x43][..], &[0x40, 0], &[0x40, 255], &[0x41, 0, 1]] {
        let mut bytes = id.to_vec();
        bytes.extend([0, 0, 5, 0, 0, 4, SET_CHUNK_SIZE, 0, 0, 0, 200]);
        bytes.extend(header(1, 200, VIDEO));
        bytes.extend([1; 200]);
        let messages = read(&bytes).unwrap();
        assert_eq!(
            (messages[0].time, messages[1].body.len()),
            (5, 200),
            "{id:?}"
        );
    }
}

#[test]
fn messages_of_several_streams_may_be_interleaved() {
    let mut bytes = header(10, 200, VIDEO);
    bytes.extend([1; 128]);
    bytes.extend([6, 0, 0, 20, 0, 0, 2, AUDIO, 1, 0, 0, 0, 7, 8]);
    bytes.push(0xc4);
    bytes.extend([2; 72]);
    bytes.extend([0xc6, 7, 8]); // as the one before, in every respect
    bytes.extend([0x86, 0, 0, 3, 7, 8, 0xc6, 7, 8]); // 3 ms later, and another 3
    let messages = read(&bytes).unwrap();
    let told: Vec<_> = messages
        .iter()
        .map(|message| (message.kind, message.time, message.body.len()))
        .collect();
    let audio = [20, 20, 23, 26].map(|time| (AUDIO, time, 2));
    assert_eq!(
        told,
        [audio[0], (VIDEO, 10, 200), audio[1], audio[2], audio[3]]
    );
}

#[test]
fn what_is_given_up_leaves_nothing() {
    let mut aborted = header(1, 200, VIDEO);
    aborted.extend([1; 128]);
    aborted.extend([2, 0, 0, 0, 0, 0, 4, ABORT, 0, 0, 0, 0, 0, 0, 0, 4]);
    let mut replaced = header(1, 200, VIDEO);
    replaced.extend([1; 128]);
    for mut bytes in [aborted, replaced] {
        bytes.extend(header(2, 3, COMMAND));
        bytes.extend([7; 3]);
        let mut reader = ChunkReader::new(200);
        reader.push(&bytes);
        let mut last = None;
        while let Some(message) = reader.next().unwrap() {
            last = Some(message);
        }
        assert_eq!((last.unwrap().body, reader.held), (vec![7; 3], 0));
    }
}

#[test]
fn nothing_is_reserved_for_what_is_only_announced() {
    let mut bytes = Vec::new();
    for id in 3..60u8 {
        bytes.extend([id, 0, 0, 0, 0xff, 0xff, 0xff, VIDEO, 1, 0, 0, 0]);
        bytes.extend([0; 128]);
    }
    bytes.extend(set_chunk_size(1 << 30));
    bytes.extend([3, 0, 0, 0, 0xff, 0xff, 0xff, VIDEO, 1, 0, 0, 0, 7]);
    let mut reader = ChunkReader::new(MOST);
    reader.push(&bytes);
    while let Ok(Some(_)) = reader.next() {}
    let reserved: usize = reader
        .streams
        .values()
        .map(|stream| stream.body.capacity())
        .sum();
    assert!(reserved <= 2 * bytes.len(), "{reserved}");
}

#[test]
fn too_much_is_an_error() {
    let mut streams = Vec::new();
    for id in 0..=u8::try_from(MOST_STREAMS).unwrap() {
        streams.extend([0, id, 0, 0, 0, 0, 0, 0, AUDIO, 1, 0, 0, 0]);
    }
    assert_eq!(read(&streams), Err(Error::Streams));
    let mut long = set_chunk_size(1 << 30);
    long.extend(header(0, 0xff_ffff, VIDEO));
    long.extend(vec![0; MOST + 1]);
    assert_eq!(read_in(&long, 4096), Err(Error::TooLong(MOST)));
    assert_eq!(read(&[0xc4, 1]), Err(Error::Headless));
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    // Around the ends of 24 and 32 bits, forwards and a little backwards.
    let starts = prop_oneof![
        Just(0u32),
        Just(EXTENDED - 40),
        Just(u32::MAX - 40),
        any::<u32>()
    ];
    let steps = vec((0i32..60, any::<bool>(), 0usize..400), 1..20);
    (starts, steps).prop_map(|(start, steps)| {
        let mut time = start;
        let mut messages = Vec::new();
        for (step, is_audio, length) in steps {
            time = time.wrapping_add_signed(step - 5);
            messages.push(Message {
                kind: if is_audio { AUDIO } else { VIDEO },
                time,
                stream: 1,
                body: vec![u8::try_from(length % 256).unwrap(); length],
            });
        }
        messages
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        messages in messages(),
        size in prop_oneof![Just(128usize), 1usize..300],
        piece in 1usize..500,
    ) {
        let mut writer = ChunkWriter::new();
        let mut bytes = Vec::new();
        writer.set_chunk_size(size, &mut bytes);
        for message in &messages {
            writer.write(message, &mut bytes);
        }
        let read = read_in(&bytes, piece).unwrap();
        prop_assert_eq!(&read[1..], &messages[..]);
    }

    #[test]
    fn any_bytes_are_read_or_refused_in_bounded_memory(bytes in vec(any::<u8>(), 0..2000)) {
        let mut reader = ChunkReader::new(1000);
        reader.push(&bytes);
        while let Ok(Some(_)) = reader.next() {}
        let held: usize = reader.streams.values().map(|stream| stream.body.len()).sum();
        prop_assert_eq!(held, reader.held);
        prop_assert!(held <= 2000);
    }
}
