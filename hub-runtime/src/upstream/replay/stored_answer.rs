//! The response to a finished call, stored compactly.

use bytes::Bytes;

/// The maximum size of a stored response in bytes. Copies of calls with longer responses receive an error.
pub(super) const MAX_BYTES: usize = 4096;
/// Responses of up to this many bytes are stored in the table itself. Most responses are that short. The
/// table then needs no small long-lived allocations, which fragment the heap.
const INLINE_BYTES: usize = 110;

/// The body of a response, unless it was too long.
pub(super) enum StoredAnswer {
    Short { bytes: [u8; INLINE_BYTES], length: u8 },
    Long(Box<[u8]>),
    TooLong,
}

impl From<&[u8]> for StoredAnswer {
    fn from(answer: &[u8]) -> Self {
        let mut bytes = [0; INLINE_BYTES];
        if let (Some(space), Ok(length)) =
            (bytes.get_mut(..answer.len()), u8::try_from(answer.len()))
        {
            space.copy_from_slice(answer);
            return Self::Short { bytes, length };
        }
        // Copies the bytes, since their buffer may be much larger.
        if answer.len() <= MAX_BYTES { Self::Long(answer.into()) } else { Self::TooLong }
    }
}

impl StoredAnswer {
    pub(super) fn answer(&self) -> Option<Bytes> {
        match self {
            Self::Short { bytes, length } => {
                bytes.get(..usize::from(*length)).map(Bytes::copy_from_slice)
            }
            Self::Long(bytes) => Some(Bytes::copy_from_slice(bytes)),
            Self::TooLong => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_of_every_length_are_returned_up_to_the_limit() {
        for length in [0, 1, INLINE_BYTES - 1, INLINE_BYTES, INLINE_BYTES + 1, 255, 256, MAX_BYTES]
        {
            let answer = vec![b'x'; length];

            assert_eq!(StoredAnswer::from(&answer[..]).answer().unwrap(), answer, "{length}");
        }
        assert!(StoredAnswer::from(&[0; MAX_BYTES + 1][..]).answer().is_none());
    }
}
