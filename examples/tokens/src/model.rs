//! A fake model: it generates the same text for the same question, without network or key.

const BEGINNINGS: [&str; 4] = [
    "It is often said that",
    "Careful people hold that",
    "My grandmother, who was no model at all, used to say that",
    "After long thought one finds that",
];
const SUBJECTS: [&str; 5] = [
    "every connection",
    "a patient server",
    "the shortest answer",
    "all who wait for a token",
    "a room full of readers",
];
const VERBS: [&str; 5] = [
    "ends where it began,",
    "asks for very little",
    "arrives a word at a time",
    "knows more than it tells",
    "is better shared",
];
const ENDS: [&str; 5] = [
    "as long as someone listens.",
    "and no one has shown the contrary.",
    "which is why order matters.",
    "even on a slow afternoon.",
    "and that is quite enough.",
];

/// The built-in fake model. In a real application, replace [`Self::answer`] with the stream of a model's API.
#[derive(Clone, Copy, Debug)]
pub struct FakeModel;

impl FakeModel {
    /// The tokens of an answer. Concatenated, they are the text.
    pub fn answer(self, prompt: &str) -> impl Iterator<Item = String> + Send + use<> {
        let mut text = format!("You asked: {prompt} I am a fake model, so I make something up.");
        let mut choice = Choice::of(prompt);
        for _ in 0..3 + choice.among(3) {
            for words in [&BEGINNINGS[..], &SUBJECTS, &VERBS, &ENDS] {
                text.push(' ');
                text.push_str(words[choice.among(words.len())]);
            }
        }
        let tokens: Vec<_> = text.split_inclusive(' ').map(str::to_owned).collect();
        tokens.into_iter()
    }
}

/// Pseudo-random numbers, seeded by the text (FNV-1a, then a linear congruential generator).
struct Choice(u64);

impl Choice {
    fn of(text: &str) -> Self {
        let hashed = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(hashed)
    }

    fn among(&mut self, count: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Use the high half: the low bits of such a generator have a short period.
        (self.0 >> 33) as usize % count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_depends_only_on_the_question() {
        let text = |prompt| FakeModel.answer(prompt).collect::<String>();

        assert_eq!(text("why?"), text("why?"));
        assert_ne!(text("why?")[20..], text("how?")[20..]);
        assert!(text("why?").starts_with("You asked: why? I am a fake model"));
    }

    #[test]
    fn tokens_are_words_with_a_trailing_space() {
        let tokens: Vec<_> = FakeModel.answer("why?").collect();

        assert!((30..150).contains(&tokens.len()), "{}", tokens.len());
        assert_eq!(tokens[..3], ["You ", "asked: ", "why? "]);
    }
}
