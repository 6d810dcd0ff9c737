//! Addresses and networks as numbers.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An IPv4 network, or one address if the prefix has all bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network4 {
    /// The address, without the bits past the prefix.
    pub(super) address: u32,
    pub(super) prefix: u8,
}

impl Network4 {
    /// The network around this one with a prefix of at most so many bits; `None` if that is no
    /// prefix.
    pub(super) fn narrowed(self, prefix: i64) -> Option<Self> {
        let prefix = u8::try_from(prefix).ok().filter(|prefix| *prefix <= 32)?;
        let prefix = prefix.min(self.prefix);
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        Some(Self {
            address: self.address & mask,
            prefix,
        })
    }

    /// Whether another network's first address lies in this.
    pub(super) fn contains(&self, other: &Self) -> bool {
        let narrowed = Self {
            prefix: 32,
            ..*other
        }
        .narrowed(self.prefix.into());
        narrowed.is_some_and(|other| other.address == self.address)
    }
}

/// An IPv6 network, or one address if the prefix has all bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network6 {
    /// The address, without the bits past the prefix.
    pub(super) address: u128,
    pub(super) prefix: u8,
}

impl Network6 {
    /// As [`Network4::narrowed`].
    pub(super) fn narrowed(self, prefix: i64) -> Option<Self> {
        let prefix = u8::try_from(prefix).ok().filter(|prefix| *prefix <= 128)?;
        let prefix = prefix.min(self.prefix);
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
        Some(Self {
            address: self.address & mask,
            prefix,
        })
    }

    /// As [`Network4::contains`].
    pub(super) fn contains(&self, other: &Self) -> bool {
        let narrowed = Self {
            prefix: 128,
            ..*other
        }
        .narrowed(self.prefix.into());
        narrowed.is_some_and(|other| other.address == self.address)
    }
}

/// The address in a text and its prefix, if it has one.
fn split(text: &str) -> Option<(&str, Option<u8>)> {
    let Some((address, prefix)) = text.split_once('/') else {
        return Some((text, None));
    };
    let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return None;
    }
    Some((address, Some(prefix.parse().ok()?)))
}

/// The IPv4 network in a text.
pub(super) fn parse4(text: &str) -> Option<Network4> {
    let (address, prefix) = split(text)?;
    let address: Ipv4Addr = address.parse().ok()?;
    Network4 {
        address: address.to_bits(),
        prefix: 32,
    }
    .narrowed(prefix.unwrap_or(32).into())
}

/// The first bits of an IPv4 address in IPv6.
const MAPPED: u128 = 0xffff << 32;

/// The IPv6 network in a text. An IPv4 address, with or without `::` before it, is one as well, and
/// its prefix counts from where it begins.
pub(super) fn parse6(text: &str) -> Option<Network6> {
    let (address, prefix) = split(text)?;
    let dotted = address.contains('.');
    let (address, is_v4) = match address.parse::<Ipv4Addr>() {
        Ok(v4) => (MAPPED | u128::from(v4.to_bits()), true),
        Err(_) => {
            let bits = address.parse::<Ipv6Addr>().ok()?.to_bits();
            let is_v4 = dotted && matches!(bits >> 32, 0 | 0xffff);
            (if is_v4 { MAPPED | bits } else { bits }, is_v4)
        }
    };
    let prefix = match prefix {
        Some(prefix) if is_v4 && prefix <= 32 => prefix + 96,
        Some(_) if is_v4 && !text.contains(':') => return None,
        prefix => prefix.unwrap_or(128),
    };
    Network6 {
        address,
        prefix: 128,
    }
    .narrowed(prefix.into())
}
