//! Hashes of scalars.
//!
//! `hash()` is xxHash64 of a string's bytes, or of a value's bytes in little-endian order. What the
//! others hash is the text that `tostring()` gives.

use arrow::array::ArrayRef;
use datafusion_common::Result;
use kql::Type::{Bool, Datetime, Decimal, Guid, Int, Long, Real, String as Text, Timespan};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use twox_hash::XxHash64;
use uuid::Uuid;

use crate::args::{self, Args};
use crate::registry::{
    Overload,
    Param::{Is, Text as AnyText},
    ScalarFunction,
};
use crate::time;

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "hash",
        "A hash of a value, or its remainder by a number. It may change; use it within a query.",
        HASHES,
    )
    .aliases(&["hash_xxhash64"]),
    ScalarFunction::new(
        "hash_md5",
        "The MD5 hash of a value's text, in hexadecimal.",
        &[Overload::new(&[AnyText], Text, digests::<Md5>)],
    ),
    ScalarFunction::new(
        "hash_sha1",
        "The SHA-1 hash of a value's text, in hexadecimal.",
        &[Overload::new(&[AnyText], Text, digests::<Sha1>)],
    ),
    ScalarFunction::new(
        "hash_sha256",
        "The SHA-256 hash of a value's text, in hexadecimal.",
        &[Overload::new(&[AnyText], Text, digests::<Sha256>)],
    ),
];

const HASHES: &[Overload] = &[
    Overload::new(&[Is(Text), Is(Long)], Long, |a| {
        let x = a.str(0)?;
        hashes(a, |row| Some(hash(x.text(row).as_bytes())))
    })
    .required(1),
    Overload::new(&[Is(Bool), Is(Long)], Long, |a| {
        let x = a.bool(0)?;
        hashes(a, |row| Some(hash(&[u8::from(x.get(row)?)])))
    })
    .required(1),
    Overload::new(&[Is(Int), Is(Long)], Long, |a| {
        let x = a.i32(0)?;
        hashes(a, |row| Some(hash(&x.get(row)?.to_le_bytes())))
    })
    .required(1),
    Overload::new(&[Is(Long), Is(Long)], Long, |a| {
        let x = a.i64(0)?;
        hashes(a, |row| Some(hash(&x.get(row)?.to_le_bytes())))
    })
    .required(1),
    Overload::new(&[Is(Real), Is(Long)], Long, |a| {
        let x = a.f64(0)?;
        hashes(a, |row| Some(hash(&x.get(row)?.to_le_bytes())))
    })
    .required(1),
    Overload::new(&[Is(Decimal), Is(Long)], Long, |a| {
        let x = a.decimal(0)?;
        hashes(a, |row| Some(hash(&x.get(row)?.to_le_bytes())))
    })
    .required(1),
    Overload::new(&[Is(Datetime), Is(Long)], Long, |a| {
        let x = a.datetime(0)?;
        hashes(a, |row| {
            Some(hash(&time::ticks_from_nanos(x.get(row)?).to_le_bytes()))
        })
    })
    .required(1),
    Overload::new(&[Is(Timespan), Is(Long)], Long, |a| {
        let x = a.timespan(0)?;
        hashes(a, |row| {
            Some(hash(&time::ticks_from_span(x.get(row)?).to_le_bytes()))
        })
    })
    .required(1),
    Overload::new(&[Is(Guid), Is(Long)], Long, |a| {
        let x = a.str(0)?;
        hashes(a, |row| {
            Some(hash(&x.get(row)?.parse::<Uuid>().ok()?.to_bytes_le()))
        })
    })
    .required(1),
];

fn hash(bytes: &[u8]) -> i64 {
    XxHash64::oneshot(0, bytes) as i64
}

/// Hashes, or their remainders, which are never negative, by the second argument.
fn hashes(a: &Args<'_>, hash: impl Fn(usize) -> Option<i64>) -> Result<ArrayRef> {
    if a.len() == 1 {
        return args::longs(a.rows(), hash);
    }
    let divisor = a.i64(1)?;
    args::longs(a.rows(), |row| {
        hash(row)?.checked_rem_euclid(divisor.get(row)?)
    })
}

fn digests<D: Digest>(a: &Args<'_>) -> Result<ArrayRef> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let x = a.str(0)?;
    args::written(a.rows(), |row, out| {
        for byte in D::digest(x.text(row)) {
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::check;

    #[test]
    fn hashes_are_those_of_the_reference() {
        check(&[
            ("hash('World')", "1846988464401551951"),
            ("hash('World', 100)", "51"),
            ("hash_xxhash64('Hello')", "753694413698530628"),
            ("hash(datetime(2015-01-01))", "1380966698541616202"),
            ("hash('World', 0)", "null"),
            ("hash(long(null))", "null"),
            ("hash_md5('World')", "f5a7924e621e84c9280a9a27e1bcb7f6"),
            (
                "hash_md5(datetime(2020-01-01))",
                "786c530672d1f8db31fee25ea8a9390b",
            ),
            (
                "hash_sha1('World')",
                "70c07ec18ef89c5309bbb0937f3a6342411e1fdd",
            ),
            (
                "hash_sha1(datetime(2020-01-01))",
                "e903e533f4d636b4fc0dcf3cf81e7b7f330de776",
            ),
            (
                "hash_sha256('World')",
                "78ae647dc5544d227130a0682a51e30bc7777fbb6d8a8f17007463a3ecd1d524",
            ),
        ]);
    }
}
