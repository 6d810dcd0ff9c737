use super::*;

fn sketch(kind: Kind, values: impl Iterator<Item = i64>) -> Sketch {
    let all: Vec<(i64, u64)> = values.map(|value| (value, 1)).collect();
    let mut rest = all.as_slice();
    let mut sketch = Values::default();
    // Many rows at a time, or a few, as where there are many groups.
    for size in [700, 3, 1, 40].into_iter().cycle() {
        let (batch, later) = rest.split_at(size.min(rest.len()));
        let mut batch = batch.to_vec();
        batch.sort_unstable();
        sketch.add(kind, &batch);
        if later.is_empty() {
            break;
        }
        rest = later;
    }
    sketch.finish(kind);
    Sketch {
        kind,
        values: sketch,
    }
}

fn written(sketch: &Sketch) -> Vec<u8> {
    let mut bytes = Vec::new();
    sketch.values.write(sketch.kind, &mut bytes);
    bytes
}

/// A fixed shuffle of numbers whose sizes differ widely.
fn numbers(count: u64) -> Vec<i64> {
    (0..count)
        .map(|i| ((i.wrapping_mul(6_364_136_223_846_793_005) >> 20) % 1_000_000_007) as i64)
        .collect()
}

/// Reals over the whole range that there is, infinities and tiny ones among them.
fn wild_reals() -> Vec<i64> {
    let mut reals: Vec<f64> = (0..20_000_u64)
        .map(|i| f64::from_bits(i.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .filter(|real| !real.is_nan())
        .collect();
    reals.extend([f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 5e-324, -5e-324]);
    reals.into_iter().map(from_real).collect()
}

#[test]
fn merging_gives_the_same_bits_however_values_are_dealt() {
    for (kind, values) in [
        (Kind::Long, numbers(5_000)),
        (Kind::Datetime, numbers(5_000)),
        (Kind::Timespan, numbers(1_200)),
        (Kind::Real, wild_reals()),
        (Kind::Long, numbers(300)),
    ] {
        let whole = sketch(kind, values.iter().copied());
        for shards in [2, 3, 70] {
            let mut merged = Values::default();
            for shard in 0..shards {
                let part = values.iter().copied().enumerate();
                let part = part.filter(|(i, _)| (i * i) % shards == shard);
                let part = written(&sketch(kind, part.map(|(_, value)| value)));
                merged.merge(kind, Sketch::read(&part).expect("a sketch").values);
            }
            let merged = Sketch {
                kind,
                values: merged,
            };
            assert_eq!(
                written(&merged),
                written(&whole),
                "{kind:?} over {shards} shards"
            );
            assert_eq!(Sketch::read(&written(&whole)).expect("a sketch"), whole);
        }
    }
}

#[test]
fn percentiles_are_within_the_stated_error() {
    let mut values = numbers(20_000);
    let relative = sketch(Kind::Long, values.iter().copied());
    let width = sketch(Kind::Datetime, values.iter().copied());
    values.sort_unstable();
    let span = (values[values.len() - 1] - values[0]) as f64;
    for p in [0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0] {
        let exact = values[nearest_rank(p, values.len() as u64) as usize - 1] as f64;
        let found = |sketch: &Sketch| match sketch.percentile(p) {
            Some(Quantile::Whole(found)) => found as f64,
            other => panic!("{other:?}"),
        };
        assert!(
            (found(&relative) - exact).abs() <= 0.0079 * exact,
            "{p}: {exact}"
        );
        assert!(
            (found(&width) - exact).abs() <= span / 1_000.0,
            "{p}: {exact}"
        );
        let rank = relative.rank(exact as i64) / values.len() as f64 * 100.0;
        assert!((rank - p).abs() <= 1.0, "{p}: {rank}");
    }
}

#[test]
fn evenly_spread_whole_numbers_are_exact() {
    for (from, to) in [(1, 5_000), (-5_000, -1), (-2_000, 2_000)] {
        let sketch = sketch(Kind::Long, from..=to);
        let count = (to - from + 1) as f64;
        for p in [1.0, 10.0, 50.0, 75.0, 99.0] {
            let exact = from - 1 + nearest_rank(p, count as u64) as i64;
            assert_eq!(
                sketch.percentile(p),
                Some(Quantile::Whole(exact)),
                "{from}: {p}"
            );
        }
        for value in [from - 1, from, -684, 685, 1_001, to, to + 1] {
            let exact = (value.clamp(from - 1, to) - from + 1) as f64;
            assert_eq!(sketch.rank(value), exact, "{from}: {value}");
        }
    }
}

#[test]
fn values_that_are_close_to_each_other_stay_apart() {
    // Times in milliseconds since 1970, most of them in the first of a hundred seconds.
    let values =
        (0..20_000).map(|i| 1_768_478_400_000 + if i % 10 == 0 { i * 5 } else { i % 1_000 });
    let mut sorted: Vec<i64> = values.clone().collect();
    let sketch = sketch(Kind::Long, values);
    sorted.sort_unstable();
    for p in [10.0, 50.0, 80.0, 95.0] {
        let exact = sorted[nearest_rank(p, 20_000) as usize - 1];
        let Some(Quantile::Whole(found)) = sketch.percentile(p) else {
            panic!("a whole number")
        };
        assert!((found - exact).abs() <= 100, "{p}: {found} {exact}");
    }
}

#[test]
fn wild_reals_have_percentiles() {
    let mut values = wild_reals();
    let sketch = sketch(Kind::Real, values.iter().copied());
    assert_eq!(
        sketch.percentile(0.0),
        Some(Quantile::Real(f64::NEG_INFINITY))
    );
    assert_eq!(
        sketch.percentile(100.0),
        Some(Quantile::Real(f64::INFINITY))
    );
    values.sort_unstable();
    let Some(Quantile::Real(found)) = sketch.percentile(75.0) else {
        panic!("a real")
    };
    let exact = to_real(values[nearest_rank(75.0, values.len() as u64) as usize - 1]);
    assert!((found / exact).ln().abs() < 1.0, "{found} {exact}");
    assert_eq!(sketch.rank(from_real(f64::INFINITY)), values.len() as f64);
}

#[test]
fn few_different_values_are_exact() {
    let few = sketch(Kind::Long, (0..100_000).map(|i| i % 100 + 1));
    assert_eq!(few.percentile(50.0), Some(Quantile::Whole(50)));
    assert_eq!(few.percentile(95.0), Some(Quantile::Whole(95)));
    assert_eq!(few.percentile(0.0), Some(Quantile::Whole(1)));
    assert_eq!(few.rank(7), 7_000.0);
    assert_eq!((few.rank(0), few.rank(1_000)), (0.0, 100_000.0));
    let none = Sketch::read(&[]).expect("an empty sketch");
    assert_eq!(none.percentile(50.0), None);
}

#[test]
fn ranks_are_the_nearest() {
    assert_eq!(nearest_rank(7.0, 100), 7);
    assert_eq!(nearest_rank(99.9, 1_000), 999);
    assert_eq!(nearest_rank(99.91, 1_000), 1_000);
    assert_eq!(nearest_rank(50.0, 18), 9);
    assert_eq!(nearest_rank(0.0, 5), 1);
    assert_eq!(nearest_rank(100.0, u64::MAX), u64::MAX);
}

#[test]
fn weights_repeat_values() {
    let mut values = Values::default();
    values.add(Kind::Long, &[(10, 8), (20, 6), (30, 3), (40, 1)]);
    values.add(Kind::Long, &[(40, u64::MAX)]);
    let sketch = Sketch {
        kind: Kind::Long,
        values,
    };
    assert_eq!(sketch.total(), u64::MAX);
    assert_eq!(sketch.percentile(50.0), Some(Quantile::Whole(40)));
}

#[test]
fn a_state_is_small() {
    let few = written(&sketch(Kind::Long, 0..10));
    assert!(few.len() <= 3 + 2 * 10, "{}", few.len());
    let exact = written(&sketch(Kind::Long, numbers(1_024).into_iter()));
    assert!(exact.len() <= 3 + 6 * 1_024, "{}", exact.len());
    let usual = written(&sketch(Kind::Long, numbers(200_000).into_iter()));
    assert!(usual.len() <= 16_000, "{}", usual.len());
    let wild = written(&sketch(Kind::Real, wild_reals().into_iter()));
    assert!(wild.len() <= 19 + 20 * BUCKETS_MAX, "{}", wild.len());
}

#[test]
fn what_is_no_sketch_is_refused() {
    for bytes in [
        &[9, 0, 255][..],
        &[1, 9, 255],
        &[1, 0, 64],
        &[1, 0, 45, 0, 0],
        &[1, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 255, 0x80],
        &[1],
    ] {
        assert!(Sketch::read(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_changed_sketch_does_no_harm() {
    for kind in [Kind::Long, Kind::Real, Kind::Datetime] {
        let whole = sketch(kind, numbers(1_100).into_iter());
        let bytes = written(&whole);
        for at in (0..bytes.len()).filter(|at| *at < 32 || at % 101 == 0) {
            for value in [0, 1, 63, 64, 128, 255] {
                let mut changed = bytes.clone();
                changed[at] = value;
                let Ok(changed) = Sketch::read(&changed) else {
                    continue;
                };
                for p in [0.0, 33.3, 100.0] {
                    changed.percentile(p);
                }
                changed.rank(i64::MIN);
                changed.rank(i64::MAX);
                let mut merged = whole.clone();
                let is_same_kind = merged.kind == changed.kind;
                assert_eq!(merged.merge(changed).is_ok(), is_same_kind);
                merged.percentile(50.0);
            }
        }
    }
}
