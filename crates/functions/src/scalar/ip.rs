//! IPv4 and IPv6 addresses and networks, written as text: `10.0.0.1`, `10.0.0.0/8`, `fe80::1/64`.
//!
//! An address with a prefix stands for the network that it lies in. What is no address gives null,
//! or `""` where text is wanted.
//!
//! <https://learn.microsoft.com/kusto/query/scalar-functions#ipv4ipv6-functions>

mod find;
mod parse;
mod v6;

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Bool, Dynamic, Long, String as Text};

use self::parse::{Network4, parse4};
use crate::args::{self, Args, Str};
use crate::dynamic::{self, Kind};
use crate::registry::{Overload, Param::Is, ScalarFunction};

pub(super) use find::FUNCTIONS as FIND_FUNCTIONS;
pub(super) use v6::FUNCTIONS as V6_FUNCTIONS;

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "parse_ipv4",
        "An IPv4 address as a number.",
        &[Overload::new(&[Is(Text)], Long, |a| {
            let x = a.str(0)?;
            args::longs(a.rows(), |row| {
                parse4(x.text(row)).map(|x| i64::from(x.address))
            })
        })],
    ),
    ScalarFunction::new(
        "parse_ipv4_mask",
        "The network of an IPv4 address as a number.",
        &[Overload::new(&[Is(Text), Is(Long)], Long, |a| {
            let (x, prefix) = (a.str(0)?, a.i64(1)?);
            args::longs(a.rows(), |row| {
                let network = parse4(x.text(row))?.narrowed(prefix.get(row)?)?;
                Some(i64::from(network.address))
            })
        })],
    ),
    ScalarFunction::new(
        "format_ipv4",
        "The network of an IPv4 address, which may be a number, as text.",
        FORMATS,
    ),
    ScalarFunction::new(
        "format_ipv4_mask",
        "The network of an IPv4 address, which may be a number, as text with its prefix.",
        MASK_FORMATS,
    ),
    ScalarFunction::new(
        "ipv4_netmask_suffix",
        "The length of the prefix in an IPv4 address; 32 if there is none.",
        &[Overload::new(&[Is(Text)], Long, |a| {
            let x = a.str(0)?;
            args::longs(a.rows(), |row| {
                parse4(x.text(row)).map(|x| i64::from(x.prefix))
            })
        })],
    ),
    ScalarFunction::new(
        "ipv4_is_private",
        "Whether an IPv4 address is of a private network.",
        &[Overload::new(&[Is(Text)], Bool, |a| {
            let x = a.str(0)?;
            args::bools(a.rows(), |row| {
                parse4(x.text(row)).map(|x| Ipv4Addr::from_bits(x.address).is_private())
            })
        })],
    ),
    ScalarFunction::new(
        "ipv4_compare",
        "-1, 0 or 1, as one IPv4 network is below, the same as or above another.",
        &[Overload::new(&[Is(Text), Is(Text), Is(Long)], Long, |a| {
            let compare = comparison(a)?;
            args::longs(a.rows(), |row| compare(row).map(|order| order as i64))
        })
        .required(2)],
    ),
    ScalarFunction::new(
        "ipv4_is_match",
        "Whether two IPv4 networks are the same.",
        &[Overload::new(&[Is(Text), Is(Text), Is(Long)], Bool, |a| {
            let compare = comparison(a)?;
            args::bools(a.rows(), |row| compare(row).map(Ordering::is_eq))
        })
        .required(2)],
    ),
    ScalarFunction::new(
        "ipv4_is_in_range",
        "Whether an IPv4 address is in a network.",
        &[Overload::new(&[Is(Text), Is(Text)], Bool, |a| {
            is_in_any(a, parse4, Network4::contains)
        })],
    ),
    ScalarFunction::new(
        "ipv4_is_in_any_range",
        "Whether an IPv4 address is in any of several networks.",
        &[
            Overload::new(&[Is(Text), Is(Text)], Bool, |a| {
                is_in_any(a, parse4, Network4::contains)
            })
            .variadic(),
            Overload::new(&[Is(Text), Is(Dynamic)], Bool, |a| {
                is_in_any_of(a, parse4, Network4::contains)
            }),
        ],
    ),
    ScalarFunction::new(
        "ipv4_range_to_cidr_list",
        "The networks that make up a range of IPv4 addresses.",
        &[Overload::new(&[Is(Text), Is(Text)], Dynamic, |a| {
            let (from, to) = (a.str(0)?, a.str(1)?);
            args::written_option(a.rows(), |row, out| {
                let (Some(from), Some(to)) = (parse4(from.text(row)), parse4(to.text(row))) else {
                    return Ok(false);
                };
                write_networks(out, from.address, to.address);
                Ok(true)
            })
        })],
    ),
];

const FORMATS: &[Overload] = &[
    Overload::new(&[Is(Text), Is(Long)], Text, |a| format_text(a, false)).required(1),
    Overload::new(&[Is(Long), Is(Long)], Text, |a| format_number(a, false)).required(1),
];

const MASK_FORMATS: &[Overload] = &[
    Overload::new(&[Is(Text), Is(Long)], Text, |a| format_text(a, true)).required(1),
    Overload::new(&[Is(Long), Is(Long)], Text, |a| format_number(a, true)).required(1),
];

fn format_text(a: &Args<'_>, mask: bool) -> Result<ArrayRef> {
    let x = a.str(0)?;
    format(a, mask, |row| parse4(x.text(row)))
}

fn format_number(a: &Args<'_>, mask: bool) -> Result<ArrayRef> {
    let x = a.i64(0)?;
    format(a, mask, |row| {
        let address = u32::try_from(x.get(row)?).ok()?;
        Some(Network4 {
            address,
            prefix: 32,
        })
    })
}

fn format(
    a: &Args<'_>,
    mask: bool,
    network: impl Fn(usize) -> Option<Network4>,
) -> Result<ArrayRef> {
    let prefix = a.i64_or(1, 32)?;
    args::written(a.rows(), |row, out| {
        let narrowed = network(row).and_then(|network| network.narrowed(prefix.get(row)?));
        if let Some(network) = narrowed {
            let _ = write!(out, "{}", Ipv4Addr::from_bits(network.address));
            if mask {
                let _ = write!(out, "/{}", network.prefix);
            }
        }
        Ok(())
    })
}

/// The order of the first two arguments, as far as the shortest prefix among them and the third.
fn comparison<'a>(a: &Args<'a>) -> Result<impl Fn(usize) -> Option<Ordering> + 'a> {
    let (x, y) = (a.str(0)?, a.str(1)?);
    let prefix = a.i64_or(2, 32)?;
    Ok(move |row| {
        let (x, y) = (parse4(x.text(row))?, parse4(y.text(row))?);
        let prefix = prefix.get(row)?;
        let (x, y) = (
            x.narrowed(prefix)?.narrowed(y.prefix.into())?,
            y.narrowed(prefix)?.narrowed(x.prefix.into())?,
        );
        Some(x.address.cmp(&y.address))
    })
}

/// A range of addresses; `None` if it is none.
fn range<N>(text: &str, parse: fn(&str) -> Option<N>) -> Result<Option<N>> {
    let range = parse(text);
    if range.is_none() && text.contains(',') {
        return exec_err!(
            "`{text}` lists several ranges, which is not supported; use an array and `ipv4_is_in_any_range()`"
        );
    }
    Ok(range)
}

/// Whether the address is in a range: null if it is in none of which all are valid.
fn find_range<N>(
    address: &N,
    ranges: impl Iterator<Item = Result<Option<N>>>,
    contains: fn(&N, &N) -> bool,
) -> Result<Option<bool>> {
    let mut valid = true;
    for range in ranges {
        match range? {
            Some(range) if contains(&range, address) => return Ok(Some(true)),
            Some(_) => {}
            None => valid = false,
        }
    }
    Ok(valid.then_some(false))
}

/// Whether the first argument is in any of the ranges that follow.
fn is_in_any<N: Copy>(
    a: &Args<'_>,
    parse: fn(&str) -> Option<N>,
    contains: fn(&N, &N) -> bool,
) -> Result<ArrayRef> {
    let (x, columns) = (a.str(0)?, a.strs(1)?);
    let constants = columns
        .iter()
        .map(|column| match column {
            Str::Const(text) => range(text.unwrap_or(""), parse).map(Some),
            Str::Array(_) => Ok(None),
        })
        .collect::<Result<Vec<_>>>()?;
    args::try_bools(a.rows(), |row| {
        let Some(address) = parse(x.text(row)) else {
            return Ok(None);
        };
        let ranges = columns.iter().zip(&constants);
        let ranges = ranges.map(|(column, constant)| match constant {
            Some(range) => Ok(*range),
            None => range(column.text(row), parse),
        });
        find_range(&address, ranges, contains)
    })
}

/// Whether the first argument is in any of the ranges in an array.
fn is_in_any_of<N: Copy>(
    a: &Args<'_>,
    parse: fn(&str) -> Option<N>,
    contains: fn(&N, &N) -> bool,
) -> Result<ArrayRef> {
    let (x, ranges) = (a.str(0)?, a.str(1)?);
    let parsed = |array: &str| {
        if dynamic::kind(array) != Kind::Array {
            return Ok(None);
        }
        dynamic::elements(array)
            .map(|element| range(&dynamic::to_text(element), parse))
            .collect::<Result<Vec<Option<N>>>>()
            .map(Some)
    };
    let constant = match ranges {
        Str::Const(array) => Some(parsed(array.unwrap_or(""))?),
        Str::Array(_) => None,
    };
    args::try_bools(a.rows(), |row| {
        let own;
        let ranges = match &constant {
            Some(ranges) => ranges,
            None => {
                own = parsed(ranges.text(row))?;
                &own
            }
        };
        match (parse(x.text(row)), ranges) {
            (Some(address), Some(ranges)) => {
                find_range(&address, ranges.iter().map(|range| Ok(*range)), contains)
            }
            _ => Ok(None),
        }
    })
}

/// Appends the fewest networks that hold all addresses from one to another and no others.
fn write_networks(out: &mut String, from: u32, to: u32) {
    out.push('[');
    let (mut from, to) = (u64::from(from), u64::from(to));
    while from <= to {
        if !out.ends_with('[') {
            out.push(',');
        }
        let bits = from.trailing_zeros().min((to - from + 1).ilog2()).min(32);
        let address = Ipv4Addr::from_bits(from as u32);
        let _ = write!(out, "\"{address}/{}\"", 32 - bits);
        from += 1 << bits;
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::{check, check_refused};

    #[test]
    fn addresses_are_numbers() {
        check(&[
            ("parse_ipv4('192.168.1.1')", "3232235777"),
            ("parse_ipv4('192.168.1.1/24')", "3232235776"),
            ("parse_ipv4('255.255.255.255/31')", "4294967294"),
            ("parse_ipv4('1.2.3.4/0')", "0"),
            ("parse_ipv4('1.2.3')", "null"),
            ("parse_ipv4('1.2.3.4/33')", "null"),
            ("parse_ipv4('1.2.3.4/+8')", "null"),
            ("parse_ipv4('1.2.3.256')", "null"),
            ("parse_ipv4('')", "null"),
            ("parse_ipv4_mask('127.0.0.1', 24)", "2130706432"),
            ("parse_ipv4_mask('192.1.168.2/24', 31)", "3221334016"),
            ("parse_ipv4_mask('127.0.0.1', 33)", "null"),
            ("ipv4_netmask_suffix('10.1.2.3')", "32"),
            ("ipv4_netmask_suffix('127.0.0.1/16')", "16"),
            ("format_ipv4('192.168.1.1', 24)", "192.168.1.0"),
            ("format_ipv4(3232236031)", "192.168.1.255"),
            ("format_ipv4(3232236031, 24)", "192.168.1.0"),
            ("format_ipv4(4294967296)", ""),
            ("format_ipv4_mask('192.168.1.1/24', 32)", "192.168.1.0/24"),
            ("format_ipv4_mask('192.168.1.1/24', -1)", ""),
        ]);
    }

    #[test]
    fn networks_are_compared_by_the_shortest_prefix() {
        check(&[
            ("ipv4_compare('192.168.1.1/24', '192.168.1.255')", "0"),
            ("ipv4_compare('192.168.1.1', '192.168.1.255/24')", "0"),
            ("ipv4_compare('192.168.1.1', '192.168.1.255')", "-1"),
            ("ipv4_compare('192.168.1.1', '192.168.1.0', 31)", "0"),
            ("ipv4_compare('192.168.1.1', '192.168.1.2', 33)", "null"),
            (
                "ipv4_is_match('192.168.1.1/24', '192.168.1.255', 31)",
                "True",
            ),
            ("ipv4_is_match('192.168.1.1', '10.0.0.1')", "False"),
            ("ipv4_is_match('192.168.1.1', 'x')", "null"),
            ("ipv4_is_private('192.168.1.1/24')", "True"),
            ("ipv4_is_private('172.32.0.1')", "False"),
            ("ipv4_is_private('127.0.0.1')", "False"),
            ("ipv4_is_private('x')", "null"),
        ]);
    }

    #[test]
    fn ranges_hold_addresses() {
        let local = "dynamic(['192.168.1.1/16', '127.0.0.1/8'])";
        check(&[
            (
                "ipv4_is_in_range('192.168.1.1', '192.168.1.255/24')",
                "True",
            ),
            (
                "ipv4_is_in_range('192.168.2.1', '192.168.1.255/24')",
                "False",
            ),
            ("ipv4_is_in_range('192.168.2.1', '')", "null"),
            (
                "ipv4_is_in_any_range('192.168.1.6', '192.168.1.1/24', '10.0.0.1/8')",
                "True",
            ),
            (
                "ipv4_is_in_any_range('1.1.1.1', '192.168.1.1/24', 'x')",
                "null",
            ),
            (
                &format!("ipv4_is_in_any_range('127.1.2.3', {local})"),
                "True",
            ),
            (
                &format!("ipv4_is_in_any_range('1.1.1.1', {local})"),
                "False",
            ),
            (&format!("ipv4_is_in_any_range('x', {local})"), "null"),
            ("ipv4_is_in_any_range('1.1.1.1', dynamic([]))", "False"),
            ("ipv4_is_in_any_range('1.1.1.1', dynamic(null))", "null"),
            (
                "ipv4_range_to_cidr_list('1.1.128.0', '1.1.140.255')",
                r#"["1.1.128.0/21","1.1.136.0/22","1.1.140.0/24"]"#,
            ),
            (
                "ipv4_range_to_cidr_list('0.0.0.0', '255.255.255.255')",
                r#"["0.0.0.0/0"]"#,
            ),
            (
                "ipv4_range_to_cidr_list('255.255.255.254', '255.255.255.255')",
                r#"["255.255.255.254/31"]"#,
            ),
            ("ipv4_range_to_cidr_list('1.1.1.2', '1.1.1.1')", "[]"),
        ]);
        check_refused(&[(
            "ipv4_is_in_range('1.1.1.1', '1.1.1.0/24,2.2.2.0/24')",
            "several ranges",
        )]);
    }
}
