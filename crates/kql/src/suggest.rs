//! "Did you mean": the nearest of the names that would have been right.

/// The candidate nearest to `name`, if one is near enough to be worth naming.
///
/// Letter case costs nothing, so `timegenerated` finds `TimeGenerated`. Ties go to the earlier
/// candidate. Names over 200 bytes find nothing: nobody mistypes those, and the search costs time.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.is_empty() || name.len() > 200 {
        return None;
    }
    let wanted = name.to_lowercase();
    // One letter for another is a slip in a word, and another name where there is no other letter.
    let letters = wanted.chars().count();
    let allowed = (letters / 3).clamp(1, 4).min(letters - 1);
    let mut best: Option<((usize, usize), &str)> = None;
    for candidate in candidates {
        if candidate.len().abs_diff(name.len()) > 12 {
            continue;
        }
        let distance = distance(&wanted, &candidate.to_lowercase());
        if distance.0 <= allowed && best.is_none_or(|(nearest, _)| distance < nearest) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Edit distance, except that a name that continues the other (`RequestDuration`,
/// `RequestDurationMs`) is as near as one slip: people forget a unit or an ending. The plain edit
/// distance comes second, to choose among such.
fn distance(wanted: &str, candidate: &str) -> (usize, usize) {
    let edits = strsim::damerau_levenshtein(wanted, candidate);
    let (short, long) = if wanted.len() < candidate.len() {
        (wanted, candidate)
    } else {
        (candidate, wanted)
    };
    if short.len() >= 4 && long.starts_with(short) {
        return (1, edits);
    }
    (edits, edits)
}

/// ``did you mean `Level`?``, or nothing.
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// Words that names of all kinds end with, and that say nothing of what they mean.
const COMMON_WORDS: [&str; 4] = ["type", "name", "time", "count"];

/// The candidates that share a word with `name`, as `ResultSignature` does with `ResultType`.
pub fn related<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> impl Iterator<Item = &'a str> {
    let wanted = words(name);
    candidates.into_iter().filter(move |candidate| {
        let shared = words(candidate)
            .into_iter()
            .filter(|word| wanted.contains(word));
        shared
            .into_iter()
            .any(|word| word.len() >= 4 && !COMMON_WORDS.contains(&&*word))
    })
}

/// The words of a name, in lower case: `JobErrorMessage` has three.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut was_lower = false;
    for c in name.chars().take(200) {
        if !c.is_alphanumeric() {
            was_lower = false;
            words.push(String::new());
            continue;
        }
        if words.is_empty() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase();
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_forgives_case_slips_and_missing_endings() {
        let columns = [
            "TimeGenerated",
            "Level",
            "RequestDurationMs",
            "OperationName",
        ];
        assert_eq!(nearest("timegenerated", columns), Some("TimeGenerated"));
        assert_eq!(nearest("Levl", columns), Some("Level"));
        assert_eq!(
            nearest("RequestDuration", columns),
            Some("RequestDurationMs")
        );
        assert_eq!(
            nearest("projectaway", ["project", "project-away"]),
            Some("project-away")
        );
        assert_eq!(nearest("Zebra", columns), None);
        assert_eq!(nearest("", columns), None);
        assert_eq!(nearest("y", ["g", "Y"]), Some("Y"));
        assert_eq!(nearest("y", ["g", "x"]), None);
    }

    #[test]
    fn related_names_share_a_word_that_means_something() {
        let columns = [
            "ResultSignature",
            "EventType",
            "OperationName",
            "result_code",
        ];
        let found: Vec<&str> = related("ResultType", columns).collect();
        assert_eq!(found, ["ResultSignature", "result_code"]);
        assert_eq!(related("Level", columns).count(), 0);
    }
}
