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
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate.len().abs_diff(name.len()) > 12 {
            continue;
        }
        let distance = distance(&wanted, &candidate.to_lowercase());
        if distance <= allowed && best.is_none_or(|(nearest, _)| distance < nearest) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Edit distance, except that a name that continues the other (`RequestDuration`,
/// `RequestDurationMs`) is as near as one slip: people forget a unit or an ending.
fn distance(wanted: &str, candidate: &str) -> usize {
    let (short, long) = if wanted.len() < candidate.len() {
        (wanted, candidate)
    } else {
        (candidate, wanted)
    };
    if short.len() >= 4 && long.starts_with(short) {
        return 1;
    }
    strsim::damerau_levenshtein(wanted, candidate)
}

/// ``did you mean `Level`?``, or nothing.
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
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
        assert_eq!(nearest("Zebra", columns), None);
        assert_eq!(nearest("", columns), None);
        assert_eq!(nearest("y", ["g", "Y"]), Some("Y"));
        assert_eq!(nearest("y", ["g", "x"]), None);
    }
}
