//! Segments that are encrypted as a whole: AES-128 in CBC mode with PKCS #7 padding (RFC 8216 §4.3.2.4).

use aes::Aes128;
use bytes::{Bytes, BytesMut};
use cbc::cipher::{Block, BlockDecryptMut, KeyIvInit};

use crate::{Error, playlist::Key};

/// Bytes of a block.
const BLOCK: usize = 16;

/// Decrypts a segment piece by piece.
pub struct Cipher {
    decryptor: cbc::Decryptor<Aes128>,
    /// What was not decrypted yet: less than a block, or the last block, which may be padding.
    rest: BytesMut,
}

impl Cipher {
    /// For the segment of a number; `secret` is what the key's URL leads to.
    ///
    /// # Errors
    /// [`Error::Cipher`] where that has not 16 bytes
    pub fn new(key: &Key, secret: &[u8], number: u64) -> Result<Self, Error> {
        let secret: [u8; BLOCK] = secret.try_into().map_err(|_| Error::Cipher)?;
        let vector = key.vector.unwrap_or(u128::from(number).to_be_bytes());
        Ok(Self {
            decryptor: cbc::Decryptor::new(&secret.into(), &vector.into()),
            rest: BytesMut::new(),
        })
    }

    /// What can be decrypted with these bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Bytes {
        self.rest.extend_from_slice(bytes);
        // The last block waits: only behind it is known whether it is the last.
        let whole = self.rest.len().saturating_sub(1) / BLOCK * BLOCK;
        self.decrypt(whole)
    }

    /// What is in the last block.
    ///
    /// # Errors
    /// [`Error::Cipher`] where the padding is none
    pub fn finish(mut self) -> Result<Bytes, Error> {
        let mut last = self.decrypt(self.rest.len() / BLOCK * BLOCK);
        let padding = usize::from(*last.last().ok_or(Error::Cipher)?);
        let length = last.len().checked_sub(padding).ok_or(Error::Cipher)?;
        let is_padding = last
            .iter()
            .skip(length)
            .all(|byte| usize::from(*byte) == padding);
        if !self.rest.is_empty() || padding == 0 || !is_padding {
            return Err(Error::Cipher);
        }
        last.truncate(length);
        Ok(last)
    }

    fn decrypt(&mut self, length: usize) -> Bytes {
        let mut bytes = self.rest.split_to(length);
        for block in bytes.chunks_exact_mut(BLOCK) {
            self.decryptor
                .decrypt_block_mut(Block::<Aes128>::from_mut_slice(block));
        }
        bytes.freeze()
    }
}

#[cfg(test)]
mod tests {
    use cbc::cipher::BlockEncryptMut;

    use super::*;

    const SECRET: [u8; BLOCK] = *b"0123456789abcdef";

    fn key(vector: Option<[u8; BLOCK]>) -> Key {
        Key {
            url: "http://x/key".parse().unwrap(),
            vector,
        }
    }

    /// Encrypted with the number 7 for its vector.
    fn encrypted(plain: &[u8]) -> Vec<u8> {
        let padding = BLOCK - plain.len() % BLOCK;
        let mut bytes = [plain, &vec![padding as u8; padding]].concat();
        let mut encryptor =
            cbc::Encryptor::<Aes128>::new(&SECRET.into(), &7u128.to_be_bytes().into());
        for block in bytes.chunks_exact_mut(BLOCK) {
            encryptor.encrypt_block_mut(Block::<Aes128>::from_mut_slice(block));
        }
        bytes
    }

    fn decrypted(bytes: &[u8], size: usize, number: u64) -> Result<Vec<u8>, Error> {
        let mut cipher = Cipher::new(&key(None), &SECRET, number)?;
        let mut plain = Vec::new();
        for piece in bytes.chunks(size) {
            plain.extend(cipher.push(piece));
        }
        plain.extend(cipher.finish()?);
        Ok(plain)
    }

    #[test]
    fn what_was_encrypted_comes_out_whatever_the_pieces_are() {
        for length in [0, 1, 15, 16, 17, 31, 32, 1000] {
            let plain: Vec<u8> = (0..length).map(|number| number as u8).collect();
            for size in [1, 15, 16, 17, 5000] {
                assert_eq!(decrypted(&encrypted(&plain), size, 7).unwrap(), plain);
            }
        }
        assert!(Cipher::new(&key(Some([1; BLOCK])), &SECRET, 0).is_ok());
    }

    #[test]
    fn what_is_not_whole_or_has_another_key_is_an_error() {
        let bytes = encrypted(&[1; 100]);
        assert_eq!(
            decrypted(&bytes[..bytes.len() - 1], 16, 7),
            Err(Error::Cipher)
        );
        assert_eq!(decrypted(&[], 16, 7), Err(Error::Cipher));
        assert!(Cipher::new(&key(None), b"short", 0).is_err());
    }
}
