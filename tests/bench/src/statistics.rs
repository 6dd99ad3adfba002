//! Percentiles and medians.

/// The value below which a share of `sorted` lies (nearest rank); 0 without values.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let count = sorted.len();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    #[allow(clippy::cast_precision_loss)]
    let rank = (share * count as f64).ceil() as usize;
    let position = rank.clamp(1, count.max(1)) - 1;
    sorted.get(position).copied().unwrap_or(0.0)
}

/// Sorts values for [`percentile`].
pub(crate) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The middle value; of an even number the mean of the two in the middle.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    let values = sorted(values);
    let upper = values.len() / 2;
    let lower = values.len().saturating_sub(1) / 2;
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    f64::midpoint(at(lower), at(upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_sample() {
        let sample = sorted((1..=100).rev().map(f64::from).collect());
        assert_eq!(percentile(&sample, 0.5), 50.0);
        assert_eq!(percentile(&sample, 0.99), 99.0);
        assert_eq!(percentile(&sample, 1.0), 100.0);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![]), 0.0);
    }
}
