//! Reals as text, digit for digit as Kusto prints them.
//!
//! It prints by Grisu2 (Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with
//! Integers", 2010), which always reads back as the same real but not always has the fewest digits,
//! and does not bring the last digit nearer past the ninth place: `0.1 + 0.2` is
//! `0.30000000000000007`.

use std::fmt::Write as _;

/// A number that is `significand * 2^exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    significand: u64,
    exponent: i32,
}

impl Scaled {
    /// The same with its first bit set.
    fn normalized(self) -> Self {
        let shift = self.significand.leading_zeros();
        Self {
            significand: self.significand << shift,
            exponent: self.exponent - shift as i32,
        }
    }

    /// The product, rounded to 64 bits.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.significand) * u128::from(other.significand);
        Self {
            significand: ((product + (1 << 63)) >> 64) as u64,
            exponent: self.exponent + other.exponent + 64,
        }
    }
}

/// Appends a real as `tostring()` gives it: with a point or an exponent.
pub(super) fn write(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
        return;
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    if value.is_infinite() {
        out.push_str("Infinity");
        return;
    }
    if value == 0.0 {
        out.push_str("0.0");
        return;
    }
    let digits = digits(value.abs());
    let text = std::str::from_utf8(&digits.text[..digits.count]).expect("digits are ASCII");
    let point = digits.count as i32 + digits.power;
    let zeros = |out: &mut String, count: i32| out.extend((0..count).map(|_| '0'));
    match point {
        1..=21 if digits.power >= 0 => {
            out.push_str(text);
            zeros(out, digits.power);
            out.push_str(".0");
        }
        1..=21 => {
            let (whole, fraction) = text.split_at(point as usize);
            out.push_str(whole);
            out.push('.');
            out.push_str(fraction);
        }
        -5..=0 => {
            out.push_str("0.");
            zeros(out, -point);
            out.push_str(text);
        }
        _ => {
            let (first, rest) = text.split_at(1);
            out.push_str(first);
            out.push_str(if rest.is_empty() { "" } else { "." });
            out.push_str(rest);
            let _ = write!(out, "e{}", point - 1);
        }
    }
}

/// The digits of a positive real.
fn digits(value: f64) -> Digits {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let real = match (bits >> 52) as i32 {
        0 => Scaled {
            significand: fraction,
            exponent: -1074,
        },
        exponent => Scaled {
            significand: fraction | (1 << 52),
            exponent: exponent - 1075,
        },
    };
    // What lies between the bounds reads back as the same real.
    let upper = Scaled {
        significand: (real.significand << 1) + 1,
        exponent: real.exponent - 1,
    }
    .normalized();
    let is_power_of_two = real.significand == 1 << 52;
    let shift = if is_power_of_two { 2 } else { 1 };
    let lower_exponent = real.exponent - shift;
    let lower = Scaled {
        significand: ((real.significand << shift) - 1) << (lower_exponent - upper.exponent),
        exponent: upper.exponent,
    };
    let (power, decimal) = cached_power(upper.exponent);
    let upper = upper.times(power);
    let lower = lower.times(power);
    let mut generator = Digits {
        text: [0; DIGITS_MAX],
        count: 0,
        power: decimal,
        exponent: upper.exponent,
        to_real: 0,
    };
    let upper_bound = upper.significand - 1;
    generator.to_real = upper_bound - real.normalized().times(power).significand;
    generator.generate(upper_bound, upper_bound - (lower.significand + 1));
    generator
}

/// Most digits that a real has.
const DIGITS_MAX: usize = 18;

/// The making of digits, from the upper bound downwards.
struct Digits {
    text: [u8; DIGITS_MAX],
    count: usize,
    /// The power of ten of the last digit.
    power: i32,
    exponent: i32,
    /// How far the real lies below the upper bound.
    to_real: u64,
}

impl Digits {
    /// Takes digits of `upper` until what is left of it is within `delta`.
    fn generate(&mut self, upper: u64, mut delta: u64) {
        let shift = (-self.exponent) as u32;
        let one = 1u64 << shift;
        let mut whole = (upper >> shift) as u32;
        let mut fraction = upper & (one - 1);
        let count = whole.checked_ilog10().map_or(0, |log| log + 1);
        for place in (0..count).rev() {
            let unit = 10u32.pow(place);
            self.push(whole / unit);
            whole %= unit;
            let rest = (u64::from(whole) << shift) + fraction;
            if rest <= delta {
                self.power += place as i32;
                self.round(delta, rest, u64::from(unit) << shift, self.to_real);
                return;
            }
        }
        let mut places = 0;
        loop {
            fraction *= 10;
            delta *= 10;
            places += 1;
            self.push((fraction >> shift) as u32);
            fraction &= one - 1;
            if fraction < delta {
                self.power -= places;
                let unit = if places < 9 {
                    10u64.pow(places as u32)
                } else {
                    0
                };
                let to_real = self.to_real.wrapping_mul(unit);
                self.round(delta, fraction, one, to_real);
                return;
            }
        }
    }

    /// Appends a digit; zeros before the first are none.
    fn push(&mut self, digit: u32) {
        if digit > 0 || self.count > 0 {
            self.text[self.count] = b'0' + digit as u8;
            self.count += 1;
        }
    }

    /// Lowers the last digit while that brings it nearer to the real.
    fn round(&mut self, delta: u64, mut rest: u64, unit: u64, to_real: u64) {
        let Some(last) = self.text[..self.count].last_mut() else {
            return;
        };
        while rest < to_real
            && delta - rest >= unit
            && (rest + unit < to_real || to_real - rest > rest + unit - to_real)
        {
            *last -= 1;
            rest += unit;
        }
    }
}

/// A power of ten that brings a number of this exponent into the range of the digits, and the power
/// of ten that makes up for it.
fn cached_power(exponent: i32) -> (Scaled, i32) {
    const LOG10_2: f64 = std::f64::consts::LOG10_2;
    let least = (f64::from(-61 - exponent) * LOG10_2).ceil() as i32;
    let index = ((least + 347) >> 3) + 1;
    let (significand, exponent) = POWERS[index as usize];
    let power = Scaled {
        significand,
        exponent,
    };
    (power, 348 - (index << 3))
}

/// Every eighth power of ten from 10^-348.
const POWERS: [(u64, i32); 87] = [
    (0xfa8f_d5a0_081c_0288, -1220),
    (0xbaae_e17f_a23e_bf76, -1193),
    (0x8b16_fb20_3055_ac76, -1166),
    (0xcf42_894a_5dce_35ea, -1140),
    (0x9a6b_b0aa_5565_3b2d, -1113),
    (0xe61a_cf03_3d1a_45df, -1087),
    (0xab70_fe17_c79a_c6ca, -1060),
    (0xff77_b1fc_bebc_dc4f, -1034),
    (0xbe56_91ef_416b_d60c, -1007),
    (0x8dd0_1fad_907f_fc3c, -980),
    (0xd351_5c28_3155_9a83, -954),
    (0x9d71_ac8f_ada6_c9b5, -927),
    (0xea9c_2277_23ee_8bcb, -901),
    (0xaecc_4991_4078_536d, -874),
    (0x823c_1279_5db6_ce57, -847),
    (0xc210_9436_4dfb_5637, -821),
    (0x9096_ea6f_3848_984f, -794),
    (0xd774_85cb_2582_3ac7, -768),
    (0xa086_cfcd_97bf_97f4, -741),
    (0xef34_0a98_172a_ace5, -715),
    (0xb238_67fb_2a35_b28e, -688),
    (0x84c8_d4df_d2c6_3f3b, -661),
    (0xc5dd_4427_1ad3_cdba, -635),
    (0x936b_9fce_bb25_c996, -608),
    (0xdbac_6c24_7d62_a584, -582),
    (0xa3ab_6658_0d5f_daf6, -555),
    (0xf3e2_f893_dec3_f126, -529),
    (0xb5b5_ada8_aaff_80b8, -502),
    (0x8762_5f05_6c7c_4a8b, -475),
    (0xc9bc_ff60_34c1_3053, -449),
    (0x964e_858c_91ba_2655, -422),
    (0xdff9_7724_7029_7ebd, -396),
    (0xa6df_bd9f_b8e5_b88f, -369),
    (0xf8a9_5fcf_8874_7d94, -343),
    (0xb944_7093_8fa8_9bcf, -316),
    (0x8a08_f0f8_bf0f_156b, -289),
    (0xcdb0_2555_6531_31b6, -263),
    (0x993f_e2c6_d07b_7fac, -236),
    (0xe45c_10c4_2a2b_3b06, -210),
    (0xaa24_2499_6973_92d3, -183),
    (0xfd87_b5f2_8300_ca0e, -157),
    (0xbce5_0864_9211_1aeb, -130),
    (0x8cbc_cc09_6f50_88cc, -103),
    (0xd1b7_1758_e219_652c, -77),
    (0x9c40_0000_0000_0000, -50),
    (0xe8d4_a510_0000_0000, -24),
    (0xad78_ebc5_ac62_0000, 3),
    (0x813f_3978_f894_0984, 30),
    (0xc097_ce7b_c907_15b3, 56),
    (0x8f7e_32ce_7bea_5c70, 83),
    (0xd5d2_38a4_abe9_8068, 109),
    (0x9f4f_2726_179a_2245, 136),
    (0xed63_a231_d4c4_fb27, 162),
    (0xb0de_6538_8cc8_ada8, 189),
    (0x83c7_088e_1aab_65db, 216),
    (0xc45d_1df9_4271_1d9a, 242),
    (0x924d_692c_a61b_e758, 269),
    (0xda01_ee64_1a70_8dea, 295),
    (0xa26d_a399_9aef_774a, 322),
    (0xf209_787b_b47d_6b85, 348),
    (0xb454_e4a1_79dd_1877, 375),
    (0x865b_8692_5b9b_c5c2, 402),
    (0xc835_53c5_c896_5d3d, 428),
    (0x952a_b45c_fa97_a0b3, 455),
    (0xde46_9fbd_99a0_5fe3, 481),
    (0xa59b_c234_db39_8c25, 508),
    (0xf6c6_9a72_a398_9f5c, 534),
    (0xb7dc_bf53_54e9_bece, 561),
    (0x88fc_f317_f222_41e2, 588),
    (0xcc20_ce9b_d35c_78a5, 614),
    (0x9816_5af3_7b21_53df, 641),
    (0xe2a0_b5dc_971f_303a, 667),
    (0xa8d9_d153_5ce3_b396, 694),
    (0xfb9b_7cd9_a4a7_443c, 720),
    (0xbb76_4c4c_a7a4_4410, 747),
    (0x8bab_8eef_b640_9c1a, 774),
    (0xd01f_ef10_a657_842c, 800),
    (0x9b10_a4e5_e991_3129, 827),
    (0xe710_9bfb_a19c_0c9d, 853),
    (0xac28_20d9_623b_f429, 880),
    (0x8044_4b5e_7aa7_cf85, 907),
    (0xbf21_e440_03ac_dd2d, 933),
    (0x8e67_9c2f_5e44_ff8f, 960),
    (0xd433_179d_9c8c_b841, 986),
    (0x9e19_db92_b4e3_1ba9, 1013),
    (0xeb96_bf6e_badf_77d9, 1039),
    (0xaf87_023b_9bf0_ee6b, 1066),
];

#[cfg(test)]
mod tests {
    fn real_text(value: f64) -> String {
        let mut out = String::new();
        super::write(&mut out, value);
        out
    }

    #[test]
    fn reals_print_as_kusto_prints_them() {
        for (value, expected) in [
            (1.0, "1.0"),
            (1.5, "1.5"),
            (-0.25, "-0.25"),
            (0.1 + 0.2, "0.30000000000000007"),
            (100_000_000_000.0, "100000000000.0"),
            (1.0 / 3.0, "0.3333333333333333"),
            (123_456_789.123, "123456789.123"),
            (1e20, "100000000000000000000.0"),
            (1e21, "1e21"),
            (1.5e300, "1.5e300"),
            (0.000_001, "0.000001"),
            (1e-7, "1e-7"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e308"),
            (-0.0, "-0.0"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(real_text(value), expected);
        }
    }

    #[test]
    fn text_reads_back_as_the_same_real() {
        for power in 0..64 * 32 {
            let least = f64::from_bits(power << 52);
            for value in [least, least.next_up(), least.next_down().abs()] {
                if value.is_finite() {
                    assert_eq!(real_text(value).parse(), Ok(value), "{value:e}");
                }
            }
        }
        for shift in 0..52 {
            let value = f64::from_bits(1 << shift);
            assert_eq!(real_text(value).parse(), Ok(value), "{value:e}");
        }
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..100_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = f64::from_bits(bits);
            if value.is_finite() {
                assert_eq!(real_text(value).parse(), Ok(value), "{value:e}");
            }
        }
    }
}
