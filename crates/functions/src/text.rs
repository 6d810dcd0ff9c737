//! Comparing and searching text the way KQL does.
//!
//! Letter case is set aside by Unicode, with a fast way for ASCII. A *term* is a longest run of
//! letters and digits; everything else, the underscore included, stands between terms.
//!
//! <https://learn.microsoft.com/kusto/query/datatypes-string-operators>

use std::borrow::Cow;

use memchr::memmem;

/// Whether two texts are equal, letter case aside.
pub fn equal_ci(a: &str, b: &str) -> bool {
    if a.len() == b.len() && a.eq_ignore_ascii_case(b) {
        return true;
    }
    if a.is_ascii() && b.is_ascii() {
        return false;
    }
    lower_chars(a).eq(lower_chars(b))
}

fn lower_chars(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

/// The text in lower case; borrowed if it is already.
pub fn lower(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .any(|b| b.is_ascii_uppercase() || !b.is_ascii())
    {
        Cow::Owned(text.to_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// How a needle must lie in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Anywhere.
    Anywhere,
    /// At the start.
    Start,
    /// At the end.
    End,
    /// As a whole term.
    Term,
    /// At the start of a term.
    TermStart,
    /// At the end of a term.
    TermEnd,
}

/// A text to look for, made ready once and used on many.
pub struct Needle<'a> {
    text: Cow<'a, str>,
    place: Place,
    case_sensitive: bool,
    finder: Option<memmem::Finder<'static>>,
}

impl<'a> Needle<'a> {
    /// Looks for `text` at `place`.
    pub fn new(text: &'a str, place: Place, case_sensitive: bool) -> Self {
        let text = if case_sensitive {
            Cow::Borrowed(text)
        } else {
            lower(text)
        };
        let finder = (case_sensitive && !matches!(place, Place::Start | Place::End))
            .then(|| memmem::Finder::new(text.as_bytes()).into_owned());
        Self {
            text,
            place,
            case_sensitive,
            finder,
        }
    }

    /// Whether `haystack` has the needle in its place.
    pub fn is_in(&self, haystack: &str) -> bool {
        if self.text.is_empty() {
            return true;
        }
        if self.case_sensitive {
            return self.find_exact(haystack);
        }
        if haystack.is_ascii() {
            return self.text.is_ascii() && self.find_ascii(haystack.as_bytes());
        }
        let haystack = haystack.to_lowercase();
        match self.place {
            Place::Start => haystack.starts_with(&*self.text),
            Place::End => haystack.ends_with(&*self.text),
            _ => haystack
                .match_indices(&*self.text)
                .any(|(at, _)| self.fits(&haystack, at)),
        }
    }

    fn find_exact(&self, haystack: &str) -> bool {
        match self.place {
            Place::Start => haystack.starts_with(&*self.text),
            Place::End => haystack.ends_with(&*self.text),
            _ => match &self.finder {
                Some(finder) if self.place == Place::Anywhere => {
                    finder.find(haystack.as_bytes()).is_some()
                }
                Some(finder) => finder
                    .find_iter(haystack.as_bytes())
                    .any(|at| self.fits(haystack, at)),
                None => haystack.contains(&*self.text),
            },
        }
    }

    fn find_ascii(&self, haystack: &[u8]) -> bool {
        let needle = self.text.as_bytes();
        let Some(last) = haystack.len().checked_sub(needle.len()) else {
            return false;
        };
        match self.place {
            Place::Start => haystack[..needle.len()].eq_ignore_ascii_case(needle),
            Place::End => haystack[last..].eq_ignore_ascii_case(needle),
            _ => {
                let first = needle[0];
                let upper = first.to_ascii_uppercase();
                memchr::memchr2_iter(first, upper, &haystack[..=last]).any(|at| {
                    haystack[at..at + needle.len()].eq_ignore_ascii_case(needle)
                        && self.fits_ascii(haystack, at)
                })
            }
        }
    }

    fn fits_ascii(&self, haystack: &[u8], at: usize) -> bool {
        let needle = self.text.as_bytes();
        let end = at + needle.len();
        let joined = |a: Option<&u8>, b: Option<&u8>| {
            a.is_some_and(u8::is_ascii_alphanumeric) && b.is_some_and(u8::is_ascii_alphanumeric)
        };
        let start_free = || at == 0 || !joined(haystack.get(at - 1), needle.first());
        let end_free = || !joined(needle.last(), haystack.get(end));
        self.is_bounded(start_free, end_free)
    }

    fn fits(&self, haystack: &str, at: usize) -> bool {
        let end = at + self.text.len();
        let joined = |a: Option<char>, b: Option<char>| {
            a.is_some_and(char::is_alphanumeric) && b.is_some_and(char::is_alphanumeric)
        };
        let before = || haystack[..at].chars().next_back();
        let after = || haystack[end..].chars().next();
        let start_free = || !joined(before(), self.text.chars().next());
        let end_free = || !joined(self.text.chars().next_back(), after());
        self.is_bounded(start_free, end_free)
    }

    fn is_bounded(&self, start_free: impl Fn() -> bool, end_free: impl Fn() -> bool) -> bool {
        match self.place {
            Place::Term => start_free() && end_free(),
            Place::TermStart => start_free(),
            Place::TermEnd => end_free(),
            Place::Anywhere | Place::Start | Place::End => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(text: &str, term: &str) -> bool {
        Needle::new(term, Place::Term, false).is_in(text)
    }

    #[test]
    fn has_matches_whole_terms() {
        assert!(has("alpha_beta", "alpha"));
        assert!(has("Jobs: FAILED.", "failed"));
        assert!(!has("alphabet", "alpha"));
        assert!(!has("xalpha alphax", "alpha"));
        assert!(has("xalpha alpha", "alpha"));
        assert!(has("online/iris/1", "iris/1"));
        assert!(has("au CAFÉ lait", "café"));
        assert!(!has("caféx", "café"));
        assert!(has("anything", ""));
    }

    #[test]
    fn prefixes_suffixes_and_case() {
        assert!(Needle::new("al", Place::TermStart, false).is_in("x ALpha"));
        assert!(!Needle::new("pha", Place::TermStart, false).is_in("alpha"));
        assert!(Needle::new("pha", Place::TermEnd, true).is_in("alpha x"));
        assert!(!Needle::new("A", Place::Anywhere, true).is_in("alpha"));
        assert!(Needle::new("É", Place::End, false).is_in("café"));
        assert!(equal_ci("Straße", "STRASSE") == ("straße" == "strasse"));
        assert!(equal_ci("CAFÉ", "café"));
    }
}
