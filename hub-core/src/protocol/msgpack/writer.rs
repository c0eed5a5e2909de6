//! The values of MessagePack, written to a vector.

use rmp::encode;

/// Appends MessagePack to a vector, which cannot fail.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn raw(&mut self, encoded: &[u8]) {
        self.0.extend_from_slice(encoded);
    }

    pub(crate) fn nil(&mut self) {
        let _ = encode::write_nil(&mut self.0);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        let _ = encode::write_bool(&mut self.0, value);
    }

    pub(crate) fn unsigned(&mut self, value: u64) {
        let _ = encode::write_uint(&mut self.0, value);
    }

    pub(crate) fn signed(&mut self, value: i64) {
        let _ = encode::write_sint(&mut self.0, value);
    }

    pub(crate) fn float(&mut self, value: f64) {
        let _ = encode::write_f64(&mut self.0, value);
    }

    pub(super) fn single(&mut self, value: f32) {
        let _ = encode::write_f32(&mut self.0, value);
    }

    pub(super) fn extension(&mut self, kind: i8, data: &[u8]) {
        let _ = encode::write_ext_meta(&mut self.0, count(data.len()), kind);
        self.raw(data);
    }

    pub(crate) fn text(&mut self, text: &str) {
        let _ = encode::write_str(&mut self.0, text);
    }

    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        let _ = encode::write_bin(&mut self.0, bytes);
    }

    pub(crate) fn array(&mut self, length: usize) {
        let _ = encode::write_array_len(&mut self.0, count(length));
    }

    pub(crate) fn map(&mut self, length: usize) {
        let _ = encode::write_map_len(&mut self.0, count(length));
    }

    pub(super) fn optional_text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.nil(),
        }
    }
}

/// Converts a length to 32 bits. Longer values do not fit in memory in practice.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
