//! The answer to a finished call, in as little memory as it takes.

use bytes::Bytes;

/// Longer answers are not kept: their copies are told so.
pub(super) const LONGEST: usize = 4096;
/// Up to here an answer stands in the table itself. Most do, and one that lived for itself on the heap
/// would be in the way of all that comes and goes there.
const SHORT: usize = 110;

/// A framed completion, or that it was too long.
pub(super) enum StoredAnswer {
    Short { bytes: [u8; SHORT], length: u8 },
    Long(Box<[u8]>),
    TooLong,
}

impl From<&[u8]> for StoredAnswer {
    fn from(answer: &[u8]) -> Self {
        let mut bytes = [0; SHORT];
        if let (Some(space), Ok(length)) =
            (bytes.get_mut(..answer.len()), u8::try_from(answer.len()))
        {
            space.copy_from_slice(answer);
            return Self::Short { bytes, length };
        }
        // A copy of the bytes: what they were cut from may be larger.
        if answer.len() <= LONGEST { Self::Long(answer.into()) } else { Self::TooLong }
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
    fn answers_of_every_length_come_back_up_to_the_longest() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 255, 256, LONGEST] {
            let answer = vec![b'x'; length];

            assert_eq!(StoredAnswer::from(&answer[..]).answer().unwrap(), answer, "{length}");
        }
        assert!(StoredAnswer::from(&[0; LONGEST + 1][..]).answer().is_none());
    }
}
