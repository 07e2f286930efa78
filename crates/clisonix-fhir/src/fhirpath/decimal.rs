//! Exact decimals: a whole number and how many of its digits stand behind the point.

use std::cmp::Ordering;
use std::fmt;

/// The most digits behind the point that a result keeps.
pub const MAX_SCALE: u32 = 28;

/// How many digits behind the point a quotient has when it does not end before.
const QUOTIENT_SCALE: u32 = 16;

/// A decimal number of at most 38 digits that remembers how many stand behind its point:
/// `1.10` and `1.1` are equal, but of different precision.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    digits: i128,
    scale: u32,
}

/// Which way a number is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    /// Towards zero.
    Truncate,
    /// Towards negative infinity.
    Floor,
    /// Towards positive infinity.
    Ceiling,
    /// To the nearest, halves away from zero.
    Nearest,
}

impl Decimal {
    /// `digits` with the point before the last `scale` of them.
    pub(super) const fn new(digits: i128, scale: u32) -> Self {
        Self { digits, scale }
    }

    /// The number written as `text`, as JSON and FHIR write it; `None` if it is none or too long.
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, plain) = match mantissa.split_at_checked(1)? {
            ("-", rest) => (true, rest),
            ("+", rest) => (false, rest),
            _ => (false, mantissa),
        };
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
        if whole.is_empty() || (plain.contains('.') && fraction.is_empty()) {
            return None;
        }
        let mut digits: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
            digits = digits.checked_mul(10)?.checked_add(digit)?;
        }
        let digits = if negative { -digits } else { digits };
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        match u32::try_from(scale) {
            Ok(scale) => (scale <= 38).then_some(Self { digits, scale }),
            Err(_) => {
                Some(Self { digits: digits.checked_mul(power(scale.unsigned_abs())?)?, scale: 0 })
            }
        }
    }

    /// How many digits stand behind the point.
    pub fn scale(self) -> u32 {
        self.scale
    }

    /// The whole number, if there is nothing but zeros behind the point and it fits.
    pub fn as_whole(self) -> Option<i64> {
        let unit = power(self.scale)?;
        if self.digits % unit == 0 { i64::try_from(self.digits / unit).ok() } else { None }
    }

    pub(super) fn negated(self) -> Self {
        Self { digits: self.digits.saturating_neg(), scale: self.scale }
    }

    pub(super) fn absolute(self) -> Self {
        Self { digits: self.digits.saturating_abs(), scale: self.scale }
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let digits = self.at_scale(scale)?.checked_add(other.at_scale(scale)?)?;
        Some(Self { digits, scale })
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        let exact = || {
            let digits = self.digits.checked_mul(other.digits)?;
            Some(Self { digits, scale: self.scale + other.scale })
        };
        let product = exact().or_else(|| {
            let (a, b) = (self.trimmed(), other.trimmed());
            Some(Self { digits: a.digits.checked_mul(b.digits)?, scale: a.scale + b.scale })
        })?;
        if product.scale > MAX_SCALE {
            return product.rounded(MAX_SCALE, Rounding::Nearest);
        }
        Some(product)
    }

    /// The quotient without zeros at its end; `None` for a division by zero.
    pub(super) fn over(self, divisor: Self) -> Option<Self> {
        let (a, b) = (self.trimmed(), divisor.trimmed());
        if b.digits == 0 {
            return None;
        }
        let quotient = (0..=QUOTIENT_SCALE).rev().find_map(|scale| {
            let top = a.digits.checked_mul(power(b.scale + scale)?)?;
            let bottom = b.digits.checked_mul(power(a.scale)?)?;
            Some(Self { digits: divide(top, bottom, Rounding::Nearest)?, scale })
        })?;
        Some(quotient.trimmed())
    }

    /// How often `divisor` goes in whole, towards zero.
    pub(super) fn whole_over(self, divisor: Self) -> Option<Self> {
        let scale = self.scale.max(divisor.scale);
        let digits = self.at_scale(scale)?.checked_div(divisor.at_scale(scale)?)?;
        Some(Self { digits, scale: 0 })
    }

    /// What is left when `divisor` has gone in whole.
    pub(super) fn rest_over(self, divisor: Self) -> Option<Self> {
        let scale = self.scale.max(divisor.scale);
        let digits = self.at_scale(scale)?.checked_rem(divisor.at_scale(scale)?)?;
        Some(Self { digits, scale })
    }

    /// The number with exactly `scale` digits behind the point.
    pub(super) fn rounded(self, scale: u32, rounding: Rounding) -> Option<Self> {
        if scale >= self.scale {
            return Some(Self { digits: self.at_scale(scale)?, scale });
        }
        let digits = divide(self.digits, power(self.scale - scale)?, rounding)?;
        Some(Self { digits, scale })
    }

    /// The number without zeros at the end of what stands behind the point.
    pub(super) fn trimmed(self) -> Self {
        let mut trimmed = self;
        while trimmed.scale > 0 && trimmed.digits % 10 == 0 {
            trimmed = Self { digits: trimmed.digits / 10, scale: trimmed.scale - 1 };
        }
        trimmed
    }

    /// Half of the last digit that the number is written with.
    pub(super) fn half_step(self) -> Self {
        Self { digits: 5, scale: self.scale + 1 }
    }

    /// The nearest float, for functions whose results are irrational anyway.
    pub(super) fn approximate(self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// The decimal of 15 digits that is next to an irrational result.
    pub(super) fn from_approximation(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        Self::parse(&format!("{value:.14e}")).map(Self::trimmed)
    }

    fn at_scale(self, scale: u32) -> Option<i128> {
        self.digits.checked_mul(power(scale.checked_sub(self.scale)?)?)
    }

    /// The whole part, and the part behind the point, both with the number's sign.
    fn parts(self) -> (i128, i128) {
        power(self.scale).map_or((0, self.digits), |unit| (self.digits / unit, self.digits % unit))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((whole, rest), (other_whole, other_rest)) = (self.parts(), other.parts());
        // A fraction has at most 38 digits, so that bringing both to one scale cannot overflow.
        let scale = self.scale.max(other.scale);
        let aligned =
            |digits: i128, from: u32| digits.saturating_mul(power(scale - from).unwrap_or(1));
        whole
            .cmp(&other_whole)
            .then_with(|| aligned(rest, self.scale).cmp(&aligned(other_rest, other.scale)))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl From<i64> for Decimal {
    fn from(whole: i64) -> Self {
        Self { digits: i128::from(whole), scale: 0 }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let scale = self.scale as usize;
        let digits = format!("{:0>width$}", self.digits.unsigned_abs(), width = scale + 1);
        match digits.split_at_checked(digits.len() - scale) {
            Some((whole, fraction)) if scale > 0 => write!(f, "{sign}{whole}.{fraction}"),
            _ => write!(f, "{sign}{digits}"),
        }
    }
}

fn power(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

fn divide(top: i128, bottom: i128, rounding: Rounding) -> Option<i128> {
    let (whole, rest) = (top.checked_div(bottom)?, top.checked_rem(bottom)?);
    let negative = (top < 0) != (bottom < 0);
    let away = match rounding {
        Rounding::Truncate => false,
        Rounding::Floor => rest != 0 && negative,
        Rounding::Ceiling => rest != 0 && !negative,
        Rounding::Nearest => {
            rest.unsigned_abs() >= bottom.unsigned_abs().checked_sub(rest.unsigned_abs())?
        }
    };
    let step = if negative { -1 } else { 1 };
    if away { whole.checked_add(step) } else { Some(whole) }
}
