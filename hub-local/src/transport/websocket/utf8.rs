//! Incremental UTF-8 validation; pieces may end inside a character.

/// The state of the validation.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The first bytes of an incomplete character.
    begun: [u8; 4],
    length: u8,
}

impl Utf8 {
    /// Adds a piece; `false` if the text cannot be UTF-8.
    pub(super) fn push(&mut self, mut piece: &[u8]) -> bool {
        while self.length > 0 {
            let Some((byte, rest)) = piece.split_first() else { return true };
            piece = rest;
            if let Some(place) = self.begun.get_mut(usize::from(self.length)) {
                *place = *byte;
            }
            self.length += 1;
            let begun = self.begun.get(..usize::from(self.length)).unwrap_or_default();
            match str::from_utf8(begun) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        let Err(error) = str::from_utf8(piece) else { return true };
        if error.error_len().is_some() {
            return false;
        }
        let rest = piece.get(error.valid_up_to()..).unwrap_or_default();
        for (place, byte) in self.begun.iter_mut().zip(rest) {
            *place = *byte;
            self.length += 1;
        }
        true
    }

    /// Whether the text ends on a character boundary.
    pub(super) fn is_whole(&self) -> bool {
        self.length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_may_be_split_anywhere() {
        let text = "aü€😀\u{10FFFF}";
        for piece in 1..=text.len() {
            let mut utf8 = Utf8::default();

            assert!(text.as_bytes().chunks(piece).all(|piece| utf8.push(piece)));

            assert!(utf8.is_whole());
        }
    }

    #[test]
    fn incomplete_input_that_cannot_become_valid_is_refused_immediately() {
        for (first, second) in [
            (&b"\xc3"[..], &b"("[..]),
            (b"\xe2\x82", b"a"),
            (b"\xed", b"\xa0"),
            (b"\xf0\x9f\x98", b"\xc0"),
        ] {
            let mut utf8 = Utf8::default();

            assert!(utf8.push(first) && !utf8.is_whole());
            assert!(!utf8.push(second));
        }
        assert!(!Utf8::default().push(b"\xc0\x80"));
    }
}
