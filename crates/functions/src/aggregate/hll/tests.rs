use super::*;

fn hash(value: u64) -> u64 {
    twox_hash::XxHash64::oneshot(0, &value.to_le_bytes())
}

fn set(precision: Precision, values: impl Iterator<Item = u64>) -> Hll {
    let mut set = Hll::default();
    let hashes: Vec<u64> = values.map(hash).collect();
    // In batches, as rows come.
    for batch in hashes.chunks(1_000) {
        let mut batch = batch.to_vec();
        batch.sort_unstable();
        batch.dedup();
        set.insert(precision, &batch);
    }
    set
}

fn written(set: &Hll) -> Vec<u8> {
    let mut bytes = Vec::new();
    set.write(&mut bytes);
    bytes
}

#[test]
fn few_values_are_counted_exactly() {
    for accuracy in 0..=4 {
        let precision = Precision::of_accuracy(accuracy).expect("a precision");
        let most = precision.exact_max() as u64;
        let exact = set(precision, (0..most).chain(0..most));
        assert_eq!(exact.count(precision), most as i64);
        assert!(matches!(exact, Hll::Sparse(_)));
    }
    assert!(Precision::of_accuracy(5).is_err());
    assert!(Precision::of_accuracy(-1).is_err());
}

#[test]
fn many_values_are_counted_within_the_stated_error() {
    for (accuracy, sigma) in [(0, 0.016), (1, 0.008), (2, 0.004), (3, 0.0028), (4, 0.002)] {
        let precision = Precision::of_accuracy(accuracy).expect("a precision");
        for count in [600_u64, 5_000, 40_000, 150_000] {
            let found = set(precision, 0..count).count(precision) as f64;
            let error = (found - count as f64).abs() / count as f64;
            assert!(error <= 3.0 * sigma, "{accuracy}: {found} for {count}");
        }
    }
}

#[test]
fn merging_gives_the_same_bits_however_values_are_dealt() {
    let precision = Precision::of_accuracy(1).expect("a precision");
    for count in [10_u64, 1_024, 1_025, 50_000] {
        let whole = set(precision, 0..count);
        for shards in [2, 5, 70] {
            let mut merged = Hll::default();
            // Values that several shards have count once, and a shard may be merged twice.
            for shard in (0..shards).chain([0]) {
                let part = (0..count).filter(|i| i % shards == shard || i % 7 == 0);
                let bytes = written(&set(precision, part));
                merged.merge(precision, &Hll::read(precision, &bytes).expect("a set"));
            }
            assert_eq!(
                written(&merged),
                written(&whole),
                "{count} over {shards} shards"
            );
        }
    }
}

#[test]
fn a_state_is_small() {
    for (accuracy, exact, dense) in [(0, 4_098, 2_200), (1, 8_194, 8_300), (2, 65_538, 33_500)] {
        let precision = Precision::of_accuracy(accuracy).expect("a precision");
        let few = written(&set(precision, 0..10));
        assert_eq!(few.len(), 1 + 8 * 10);
        let most = written(&set(precision, 0..precision.exact_max() as u64));
        assert!(most.len() <= exact, "{accuracy}: {}", most.len());
        for count in [70_000, 300_000] {
            let many = written(&set(precision, 0..count));
            assert!(many.len() <= dense, "{accuracy}: {}", many.len());
        }
    }
}

#[test]
fn intersections_are_counted() {
    let precision = Precision::of_accuracy(2).expect("a precision");
    let multiples = |of: u64, until: u64| set(precision, (0..until).filter(move |i| i % of == 0));
    let few = [multiples(2, 100), multiples(3, 100), multiples(5, 100)];
    assert_eq!(intersections(precision, &few).expect("counts"), [50, 17, 4]);
    let many = [
        multiples(1, 100_000),
        multiples(2, 100_000),
        multiples(3, 100_000),
    ];
    let found = intersections(precision, &many).expect("counts");
    for (found, exact) in found.iter().zip([100_000_i64, 50_000, 16_667]) {
        assert!((found - exact).abs() < 2_500, "{found} for {exact}");
    }
    let apart = [
        multiples(1, 50_000),
        set(precision, 100_000..150_000),
        few[0].clone(),
    ];
    let found = intersections(precision, &apart).expect("counts");
    assert!(
        found[1] < 2_500 && found[2] <= found[1] && found[2] >= 0,
        "{found:?}"
    );
    let nine = vec![many[0].clone(); 9];
    assert!(intersections(precision, &nine).is_err());
}

#[test]
fn extremes_do_no_harm() {
    let precision = Precision::of_accuracy(0).expect("a precision");
    let full = vec![53; precision.registers()].into_boxed_slice();
    assert!(Hll::Dense(full).count(precision) > 0);
    let empty = vec![0; precision.registers()].into_boxed_slice();
    assert_eq!(Hll::Dense(empty).count(precision), 0);
    let mut set = Hll::Dense(vec![0; precision.registers()].into_boxed_slice());
    set.insert(precision, &[0, u64::MAX]);
    assert_eq!(set.count(precision), 2);
    let bytes = written(&set);
    assert_eq!(Hll::read(precision, &bytes).expect("a set"), set);
    for bad in [&bytes[..9], &[][..], &[1, 2][..], &[2, 200][..], &[3][..]] {
        assert!(Hll::read(precision, bad).is_err(), "{bad:?}");
    }
}
