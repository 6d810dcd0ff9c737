//! The formats of `format_datetime()` and `format_timespan()`.

use datafusion_common::{Result, exec_err};

use crate::time::{Civil, NANOS_PER_DAY, NANOS_PER_SECOND};

/// A piece of a format: a letter and how often it stands, or a delimiter.
pub(super) enum Piece {
    Letter(char, usize),
    Delimiter(char),
}

/// The letters of datetime formats, with the most times each may stand in a row.
pub(super) const DATETIME: &[(char, usize)] = &[
    ('d', 2),
    ('f', 7),
    ('F', 7),
    ('h', 2),
    ('H', 2),
    ('m', 2),
    ('M', 2),
    ('s', 2),
    ('t', 2),
    ('y', 4),
];

/// The letters of timespan formats.
pub(super) const TIMESPAN: &[(char, usize)] = &[
    ('d', 8),
    ('f', 7),
    ('F', 7),
    ('h', 2),
    ('H', 2),
    ('m', 2),
    ('s', 2),
];

/// Reads a format.
pub(super) fn compile(format: &str, letters: &[(char, usize)]) -> Result<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    for character in format.chars() {
        if " /-:,._[]".contains(character) {
            pieces.push(Piece::Delimiter(character));
            continue;
        }
        let Some((_, most)) = letters.iter().find(|(letter, _)| *letter == character) else {
            return exec_err!("`{character}` can't stand in the format `{format}`");
        };
        match pieces.last_mut() {
            Some(Piece::Letter(letter, count)) if *letter == character => {
                *count += 1;
                if *count > *most {
                    return exec_err!("the format `{format}` has too many `{character}`");
                }
            }
            _ => pieces.push(Piece::Letter(character, 1)),
        }
    }
    Ok(pieces)
}

pub(super) fn write_datetime(out: &mut String, pieces: &[Piece], nanos: i64) {
    let civil = Civil::from_nanos(nanos);
    let hour = civil.nanos_in_day / (3_600 * NANOS_PER_SECOND);
    for piece in pieces {
        match piece {
            Piece::Delimiter(character) => out.push(*character),
            Piece::Letter('d', width) => number(out, i64::from(civil.day), *width),
            Piece::Letter('M', width) => number(out, i64::from(civil.month), *width),
            Piece::Letter('y', width @ (1 | 2)) => number(out, civil.year % 100, *width),
            Piece::Letter('y', width) => number(out, civil.year, *width),
            Piece::Letter('h', width) => number(out, (hour + 11) % 12 + 1, *width),
            Piece::Letter('t', width) => {
                let text = if hour < 12 { "AM" } else { "PM" };
                out.push_str(&text[..(*width).min(2)]);
            }
            Piece::Letter(letter, width) => in_day(out, *letter, *width, civil.nanos_in_day),
        }
    }
}

pub(super) fn write_timespan(out: &mut String, pieces: &[Piece], nanos: i64) {
    let magnitude = nanos.unsigned_abs();
    let days = (magnitude / NANOS_PER_DAY as u64) as i64;
    let rest = (magnitude % NANOS_PER_DAY as u64) as i64;
    if nanos < 0 {
        out.push('-');
    }
    for piece in pieces {
        match piece {
            Piece::Delimiter(character) => out.push(*character),
            Piece::Letter('d', width) => number(out, days, *width),
            Piece::Letter('h', width) => in_day(out, 'H', *width, rest),
            Piece::Letter(letter, width) => in_day(out, *letter, *width, rest),
        }
    }
}

/// Hours, minutes, seconds and their fractions, which both kinds of format share.
fn in_day(out: &mut String, letter: char, width: usize, nanos: i64) {
    let seconds = nanos / NANOS_PER_SECOND;
    match letter {
        'H' => number(out, seconds / 3_600, width),
        'm' => number(out, seconds / 60 % 60, width),
        's' => number(out, seconds % 60, width),
        _ => {
            let ticks = format!("{:07}", nanos % NANOS_PER_SECOND / 100);
            let digits = &ticks[..width.min(7)];
            out.push_str(if letter == 'F' {
                digits.trim_end_matches('0')
            } else {
                digits
            });
        }
    }
}

fn number(out: &mut String, value: i64, width: usize) {
    out.push_str(&format!("{value:0width$}"));
}
