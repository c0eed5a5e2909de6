//! Numbers that a 64-bit float cannot hold.

/// A float has at most 17 significant digits: every float is read back from 17 digits (IEEE 754-2019 §5.12.2).
/// Shorter numbers are never refused, because clients write floats with up to 17 digits.
const KEPT: usize = 17;

/// Floats have at most this number of digits if they are written in full.
const LONGEST_FLOAT: usize = 767;

/// The text for a number that would lose digits.
pub(super) fn error(number: &str) -> String {
    let shown: String = number.chars().take(48).collect();
    let cut = if shown.len() < number.len() { "…" } else { "" };
    format!(
        "the number {shown}{cut} has more digits than a 64-bit float; send it as text, or read it as a decimal"
    )
}

/// Whether a whole number loses digits as a float.
pub(super) fn lost_by_integer(number: u64) -> bool {
    // 10^17: smaller numbers have at most 17 digits.
    number >= 100_000_000_000_000_000 && lost(&number.to_string())
}

/// Whether a JSON number loses digits as a float.
pub(super) fn lost(number: &str) -> bool {
    let mantissa = mantissa(number).trim_start_matches(['-', '0', '.']);
    if mantissa.bytes().filter(u8::is_ascii_digit).count() <= KEPT {
        return false;
    }
    let digits = significant(number);
    if digits.len() <= KEPT {
        return false;
    }
    let Ok(float) = number.parse::<f64>() else { return false };
    digits.len() > LONGEST_FLOAT || significant(&format!("{float:.*e}", digits.len() - 1)) != digits
}

/// A number without its exponent.
fn mantissa(number: &str) -> &str {
    number.split(['e', 'E']).next().unwrap_or_default()
}

/// The significant digits of a number.
fn significant(number: &str) -> Vec<u8> {
    let digits =
        mantissa(number).bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0');
    let mut digits: Vec<u8> = digits.collect();
    let kept = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    digits.truncate(kept);
    digits
}

/// The first number of a JSON text that is lost.
pub(super) fn lost_in(json: &str, is_lost: impl Fn(&str) -> bool) -> Option<&str> {
    let mut rest = json;
    let begins = |byte: u8| byte == b'"' || byte == b'-' || byte.is_ascii_digit();
    while let Some(at) = rest.bytes().position(begins) {
        let (_, token) = rest.split_at(at);
        let length = if token.starts_with('"') { string(token) } else { number(token) };
        let (token, after) = token.split_at(length);
        if !token.starts_with('"') && is_lost(token) {
            return Some(token);
        }
        rest = after;
    }
    None
}

/// The number at the start of a text.
pub(super) fn number_in(text: &str) -> &str {
    text.get(..number(text)).unwrap_or_default()
}

fn number(text: &str) -> usize {
    let ends = |byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    text.bytes().position(ends).unwrap_or(text.len())
}

/// The length of the string at the start of a valid JSON text.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_clients_write_for_a_float_lose_nothing() {
        // JavaScript, `%.17g`, `%.20f`, and the full expansion of 0.1.
        for number in [
            "0.1",
            "1152921504606847000",
            "18446744073709552000",
            "0.10000000000000001",
            "0.10000000000000000555",
            "0.1000000000000000055511151231257827021181583404541015625",
            "1e300",
            "5e-324",
            "-1.7976931348623157E+308",
            "00000000000000000000000000.5",
            "10000000000000000000000000",
        ] {
            assert!(!lost(number), "{number}");
        }
    }

    #[test]
    fn decimals_and_large_integers_lose_digits() {
        for number in [
            "79228162514264337593543950335",
            "-79228162514264337593543950335.0",
            "1234567890123.123456789",
            "9223372036854775807",
            "0.1000000000000000001",
            "1234567890123.123456789e5",
        ] {
            assert!(lost(number), "{number}");
        }
        assert!(lost(&"7".repeat(100_000)));
    }

    #[test]
    fn digits_in_texts_are_no_numbers() {
        assert_eq!(lost_in(r#"{"a":"\"1234567890123.123456789","b":[1.5,-2]}"#, lost), None);
        let number = "-1234567890123.123456789";
        assert_eq!(lost_in(&format!(r#"{{"a":"\\","b":[1.5,{number}]}}"#), lost), Some(number));
    }
}
