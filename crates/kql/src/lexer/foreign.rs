//! What other languages and word processors write, and KQL does not: read as what it stands for, so
//! that one slip stays one diagnostic.

use super::{Lexer, TokenKind};
use crate::diagnostic::shortened;

/// Longest string in foreign quotes that is looked for.
const CHARS_MAX: usize = 200;

impl Lexer<'_> {
    /// `/* … */`.
    pub(super) fn foreign_comment(&mut self) {
        let rest = self.rest();
        let bytes = rest[2..].find("*/").map_or(rest.len(), |end| end + 4);
        let hint = "a comment begins with `//` and ends with its line";
        self.error(bytes, "`/*` begins no comment", Some(hint));
        self.at += bytes;
    }

    /// A name with letters beyond ASCII.
    pub(super) fn foreign_word(&mut self) {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
        let bytes = end.unwrap_or(rest.len());
        let word = shortened(&rest[..bytes]);
        let hint = format!("a name with such letters is quoted: `['{word}']`");
        self.error(bytes, &format!("`{word}` is no plain name"), Some(&hint));
        self.push(TokenKind::Word, bytes);
    }

    /// A string in curved quotes or back-ticks that ends on its own line; `false` if it does not.
    pub(super) fn foreign_quotes(&mut self, open: char) -> bool {
        let close = match open {
            '“' => '”',
            '‘' => '’',
            other => other,
        };
        let content = self.rest().char_indices().skip(1).take(CHARS_MAX);
        let end = content
            .take_while(|(_, c)| *c != '\n')
            .find(|(_, c)| *c == close);
        let Some((end, _)) = end else {
            return false;
        };
        let bytes = end + close.len_utf8();
        self.error(bytes, "a string in foreign quotes", hint(open));
        self.push(TokenKind::String, bytes);
        true
    }
}

/// What is said of a character that fits no token.
pub(super) fn message(character: char) -> String {
    match character {
        '`' => "unexpected back-tick".to_owned(),
        '\\' => "unexpected character `\\`".to_owned(),
        other => format!("unexpected character `{}`", other.escape_debug()),
    }
}

/// What may have been meant by it.
pub(super) fn hint(character: char) -> Option<&'static str> {
    Some(match character {
        '“' | '”' | '‘' | '’' => "use straight quotes",
        '`' => "strings stand in quotes, and names in brackets and quotes",
        '&' => "KQL writes `and`",
        '!' => "KQL writes `not(…)`",
        '?' => "KQL writes `iff(condition, then, otherwise)`",
        '#' => "a comment begins with `//`",
        '^' => "KQL writes `pow(x, y)`",
        _ => return None,
    })
}
