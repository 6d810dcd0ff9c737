//! `datetime(…)`, `guid(…)` and their like, which are one token.

use super::Lexer;

/// The words that make a typed literal when a parenthesis follows.
const TYPED_LITERALS: [&str; 20] = [
    "datetime", "date", "timespan", "time", "guid", "uuid", "uniqueid", "int", "int32", "long",
    "int64", "real", "double", "decimal", "bool", "boolean", "typeof", "float", "uint", "ulong",
];

/// Whether `word` makes a typed literal when a parenthesis follows.
pub(crate) fn is_type_word(word: &str) -> bool {
    TYPED_LITERALS.contains(&word)
}

impl Lexer<'_> {
    /// The length of `datetime(…)` and its like, whose content is no KQL; `None` if the word of
    /// `word_bytes` is a mere name, or calls something, which the parser explains.
    pub(super) fn typed_bytes(&mut self, word_bytes: usize) -> Option<usize> {
        let rest = self.rest();
        let after = rest[word_bytes..].trim_start_matches([' ', '\t']);
        let content = after.strip_prefix('(')?;
        let start = rest.len() - content.len();
        let end = content.find(['(', ')', '|', ';']).unwrap_or(content.len());
        match content.as_bytes().get(end) {
            Some(b')') => Some(start + end + 1),
            Some(b'(') => None,
            _ => {
                let message = format!("`{}(` is not closed", &rest[..word_bytes]);
                self.error(start, &message, None);
                let line = content[..end].lines().next().unwrap_or("");
                Some(start + line.trim_end().len())
            }
        }
    }
}
