//! Functions of IPv6 addresses, which take IPv4 addresses too.

use std::cmp::Ordering;
use std::fmt::Write as _;

use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use datafusion_common::{Result, exec_err};
use kql::Type::{Bool, Dynamic, Long, String as Text};

use super::parse::{Network6, parse4, parse6};
use super::{is_in_any, is_in_any_of};
use crate::args::{self, Args};
use crate::registry::{Overload, Param::Is, ScalarFunction};

pub(in crate::scalar) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "parse_ipv6",
        "An IPv6 or IPv4 address in the long form of IPv6.",
        &[Overload::new(&[Is(Text)], Text, canonical)],
    ),
    ScalarFunction::new(
        "parse_ipv6_mask",
        "The network of an IPv6 or IPv4 address in the long form of IPv6.",
        &[Overload::new(&[Is(Text), Is(Long)], Text, canonical)],
    ),
    ScalarFunction::new(
        "ipv6_compare",
        "-1, 0 or 1, as one network is below, the same as or above another.",
        &[Overload::new(&[Is(Text), Is(Text), Is(Long)], Long, |a| {
            let compare = comparison(a)?;
            args::try_primitive::<Int64Type>(a.rows(), |row| {
                Ok(compare(row)?.map(|order| order as i64))
            })
        })
        .required(2)],
    ),
    ScalarFunction::new(
        "ipv6_is_match",
        "Whether two networks are the same.",
        &[Overload::new(&[Is(Text), Is(Text), Is(Long)], Bool, |a| {
            let compare = comparison(a)?;
            args::try_bools(a.rows(), |row| Ok(compare(row)?.map(Ordering::is_eq)))
        })
        .required(2)],
    ),
    ScalarFunction::new(
        "ipv6_is_in_range",
        "Whether an address is in a network.",
        &[Overload::new(&[Is(Text), Is(Text)], Bool, |a| {
            is_in_any(a, parse6, Network6::contains)
        })],
    ),
    ScalarFunction::new(
        "ipv6_is_in_any_range",
        "Whether an address is in any of several networks.",
        &[
            Overload::new(&[Is(Text), Is(Text)], Bool, |a| {
                is_in_any(a, parse6, Network6::contains)
            })
            .variadic(),
            Overload::new(&[Is(Text), Is(Dynamic)], Bool, |a| {
                is_in_any_of(a, parse6, Network6::contains)
            }),
        ],
    ),
];

fn canonical(a: &Args<'_>) -> Result<ArrayRef> {
    let (x, prefix) = (a.str(0)?, a.i64_or(1, 128)?);
    args::written(a.rows(), |row, out| {
        let network = parse6(x.text(row)).and_then(|network| network.narrowed(prefix.get(row)?));
        if let Some(network) = network {
            for group in (0..8).rev() {
                let group_bits = (network.address >> (group * 16)) as u16;
                let _ = write!(out, "{group_bits:04x}");
                out.push_str(if group > 0 { ":" } else { "" });
            }
        }
        Ok(())
    })
}

/// The order of the first two arguments, as far as the shortest prefix among them and the third.
///
/// # Errors
/// The reference reads the third argument beside two IPv4 addresses as a prefix of either kind; it
/// is refused where the two give different answers.
fn comparison<'a>(a: &Args<'a>) -> Result<impl Fn(usize) -> Result<Option<Ordering>> + 'a> {
    let (x, y) = (a.str(0)?, a.str(1)?);
    let prefix = a.i64_or(2, 128)?;
    Ok(move |row| {
        let (x, y) = (x.text(row), y.text(row));
        let compare = |prefix| {
            let (x, y) = (parse6(x)?, parse6(y)?);
            let (x, y) = (
                x.narrowed(prefix)?.narrowed(y.prefix.into())?,
                y.narrowed(prefix)?.narrowed(x.prefix.into())?,
            );
            Some(x.address.cmp(&y.address))
        };
        let Some(prefix) = prefix.get(row) else {
            return Ok(None);
        };
        let order = compare(prefix);
        let both_v4 = || parse4(x).is_some() && parse4(y).is_some();
        if (0..=32).contains(&prefix) && both_v4() && compare(prefix + 96) != order {
            return exec_err!(
                "the prefix {prefix} of two IPv4 addresses is not supported here; use `ipv4_compare()` or `ipv4_is_match()`"
            );
        }
        Ok(order)
    })
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::{check, check_refused};

    #[test]
    fn addresses_have_a_long_form() {
        check(&[
            (
                "parse_ipv6('192.168.255.255/24')",
                "0000:0000:0000:0000:0000:ffff:c0a8:ff00",
            ),
            (
                "parse_ipv6('::1')",
                "0000:0000:0000:0000:0000:0000:0000:0001",
            ),
            ("parse_ipv6('fe80::%eth0')", ""),
            ("parse_ipv6('1.2.3.4/33')", ""),
            ("parse_ipv6('::1/129')", ""),
            ("parse_ipv6('x')", ""),
            (
                "parse_ipv6_mask('192.168.255.255', 120)",
                "0000:0000:0000:0000:0000:ffff:c0a8:ff00",
            ),
            (
                "parse_ipv6_mask('192.168.255.255/24', 124)",
                "0000:0000:0000:0000:0000:ffff:c0a8:ff00",
            ),
            (
                "parse_ipv6_mask('fe80::85d:e82c:9446:7994/120', 124)",
                "fe80:0000:0000:0000:085d:e82c:9446:7900",
            ),
            (
                "parse_ipv6_mask('::192.168.255.255/24', 128)",
                "0000:0000:0000:0000:0000:ffff:c0a8:ff00",
            ),
            ("parse_ipv6_mask('::1', -1)", ""),
        ]);
    }

    #[test]
    fn addresses_of_both_kinds_are_compared() {
        check(&[
            ("ipv6_compare('192.168.1.1', '::ffff:c0a8:0101')", "0"),
            ("ipv6_compare('192.168.1.1/24', '::ffff:c0a8:01ff')", "0"),
            ("ipv6_compare('::192.168.1.1/30', '192.168.1.255/24')", "0"),
            (
                "ipv6_compare('fe80::85d:e82c:9446:7994/127', 'fe80::85d:e82c:9446:7998', 120)",
                "0",
            ),
            ("ipv6_compare('192.168.1.1', '192.168.1.0', 31)", "0"),
            ("ipv6_compare('::1', '::2')", "-1"),
            ("ipv6_compare('::1', 'x')", "null"),
            ("ipv6_is_match('::1', '::2', 126)", "True"),
            ("ipv6_is_match('::1', '::2', 129)", "null"),
        ]);
        check_refused(&[(
            "ipv6_is_match('192.168.1.1', '10.0.0.1', 24)",
            "not supported",
        )]);
    }

    #[test]
    fn ranges_hold_addresses() {
        let address = "a5e:f127:8a9d:146d:e102:b5d3:c755:abcd";
        check(&[
            (
                &format!(
                    "ipv6_is_in_range('{address}', 'a5e:f127:8a9d:146d:e102:b5d3:c755:0000/112')"
                ),
                "True",
            ),
            (
                &format!("ipv6_is_in_range('{address}', '0:0:0:0:0:ffff:c0a8:ac/60')"),
                "False",
            ),
            (
                &format!("ipv6_is_in_any_range('{address}', dynamic(['::1', 'a5e:f127::/32']))"),
                "True",
            ),
            ("ipv6_is_in_any_range('::2', '::1', '10.0.0.0/8')", "False"),
        ]);
    }
}
