//! Ranges of addresses: `10.0.0.0/8`.

use std::net::IpAddr;

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    pub(super) address: IpAddr,
    pub(super) bits: u8,
}

/// A network in its strict form: no bit is set behind its length.
pub(super) fn read(text: &str) -> Option<Network> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let plain = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    let bits: u8 = if plain { bits.parse().ok()? } else { return None };
    let network = Network { address, bits };
    let width = if address.is_ipv4() { 32 } else { 128 };
    (bits <= width && network.masked(address) == network.masked_bits()).then_some(network)
}

impl Network {
    /// Whether the address is in the network. An IPv4 address in its IPv6 form counts as IPv4.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let (address, own) = (address.to_canonical(), self.address.to_canonical());
        address.is_ipv4() == own.is_ipv4() && self.masked(address) == self.masked_bits()
    }

    fn masked_bits(&self) -> u128 {
        as_bits(self.address)
    }

    fn masked(&self, address: IpAddr) -> u128 {
        let kept = u32::from(self.bits);
        match address {
            IpAddr::V4(_) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(kept)).unwrap_or(0);
                as_bits(address) & u128::from(mask)
            }
            IpAddr::V6(_) => {
                as_bits(address) & u128::MAX.checked_shl(128_u32.saturating_sub(kept)).unwrap_or(0)
            }
        }
    }
}

fn as_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_written_strictly() {
        for (text, valid) in [
            ("10.0.0.0/8", true),
            ("0.0.0.0/0", true),
            ("::/0", true),
            ("192.0.2.1/32", true),
            ("2001:db8::/32", true),
            ("10.0.0.1/8", false),
            ("10.0.0.0/33", false),
            ("10.0.0.0", false),
            ("10.0.0.0/+8", false),
            ("2001:db8::1/32", false),
        ] {
            assert_eq!(read(text).is_some(), valid, "{text}");
        }
    }

    #[test]
    fn an_address_is_inside_or_not() {
        for (text, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("0.0.0.0/0", "255.1.1.1", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::/0", "10.0.0.1", false),
            ("192.0.2.1/32", "192.0.2.1", true),
            ("192.0.2.1/32", "192.0.2.2", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
        ] {
            assert_eq!(read(text).unwrap().contains(address.parse().unwrap()), inside, "{address} in {text}");
        }
    }
}
