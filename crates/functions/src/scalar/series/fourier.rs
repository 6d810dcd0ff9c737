//! The discrete Fourier transform of a series, and its inverse.

use std::f64::consts::PI;

use arrow::array::ArrayRef;
use datafusion_common::Result;
use kql::Type::Dynamic;

use super::{Cell, Columns, column, read_reals};
use crate::args::Args;
use crate::registry::{Overload, Param::Is, ResultColumn, ScalarFunction};

const COLUMNS: &[ResultColumn] = &[column("real", Dynamic), column("imag", Dynamic)];

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "series_fft",
        "The Fourier transform of a series, as columns.",
        &[
            Overload::columns(&[Is(Dynamic), Is(Dynamic)], COLUMNS, |a| {
                transform(a, false)
            })
            .required(1),
        ],
    ),
    ScalarFunction::new(
        "series_ifft",
        "The series that has a Fourier transform, as columns.",
        &[
            Overload::columns(&[Is(Dynamic), Is(Dynamic)], COLUMNS, |a| transform(a, true))
                .required(1),
        ],
    ),
];

fn transform(a: &Args<'_>, inverse: bool) -> Result<ArrayRef> {
    let reals = a.str(0)?;
    let imaginaries = if a.len() > 1 { Some(a.str(1)?) } else { None };
    let mut columns = Columns::new(COLUMNS, a.rows());
    let (mut real, mut imaginary) = (Vec::new(), Vec::new());
    for row in 0..a.rows() {
        let mut is_series = read_reals(reals.get(row), &mut real)?;
        match imaginaries {
            Some(imaginaries) => is_series &= read_reals(imaginaries.get(row), &mut imaginary)?,
            None => {
                imaginary.clear();
                imaginary.resize(real.len(), 0.0);
            }
        }
        if !is_series || real.len() != imaginary.len() {
            columns.push_null()?;
            continue;
        }
        // The inverse is the transform with its parts swapped, before and after.
        let (x, y) = match inverse {
            true => (&mut imaginary, &mut real),
            false => (&mut real, &mut imaginary),
        };
        fourier(x, y);
        if inverse {
            let count = real.len() as f64;
            for value in real.iter_mut().chain(&mut imaginary) {
                *value /= count;
            }
        }
        columns.push(&[Cell::Reals(&real), Cell::Reals(&imaginary)])?;
    }
    columns.finish()
}

/// Transforms a complex series of any length in place.
fn fourier(real: &mut [f64], imaginary: &mut [f64]) {
    let count = real.len();
    if count.is_power_of_two() {
        return fourier_of_power(real, imaginary);
    }
    // Bluestein's way: a convolution with a chirp, whose own transforms have a handy length.
    let size = (2 * count).next_power_of_two();
    let chirp: Vec<(f64, f64)> = (0..count)
        .map(|index| {
            let turn = (index as u128 * index as u128 % (2 * count as u128)) as f64;
            (PI * turn / count as f64).sin_cos()
        })
        .collect();
    let (mut x, mut y) = (vec![0.0; size], vec![0.0; size]);
    let (mut kernel_x, mut kernel_y) = (vec![0.0; size], vec![0.0; size]);
    for (index, (sin, cos)) in chirp.iter().enumerate() {
        x[index] = real[index] * cos + imaginary[index] * sin;
        y[index] = imaginary[index] * cos - real[index] * sin;
        for place in [index, (size - index) % size] {
            kernel_x[place] = *cos;
            kernel_y[place] = *sin;
        }
    }
    fourier_of_power(&mut x, &mut y);
    fourier_of_power(&mut kernel_x, &mut kernel_y);
    for index in 0..size {
        let (a, b) = (x[index], y[index]);
        x[index] = a * kernel_x[index] - b * kernel_y[index];
        y[index] = a * kernel_y[index] + b * kernel_x[index];
    }
    fourier_of_power(&mut y, &mut x);
    for (index, (sin, cos)) in chirp.iter().enumerate() {
        let (a, b) = (x[index] / size as f64, y[index] / size as f64);
        real[index] = a * cos + b * sin;
        imaginary[index] = b * cos - a * sin;
    }
}

/// Transforms a complex series whose length is a power of two, in place.
fn fourier_of_power(real: &mut [f64], imaginary: &mut [f64]) {
    let count = real.len();
    if count < 2 {
        return;
    }
    let bits = count.trailing_zeros();
    for index in 0..count {
        let mirror = index.reverse_bits() >> (usize::BITS - bits);
        if index < mirror {
            real.swap(index, mirror);
            imaginary.swap(index, mirror);
        }
    }
    let mut half = 1;
    while half < count {
        let turns: Vec<(f64, f64)> = (0..half)
            .map(|step| (-PI * step as f64 / half as f64).sin_cos())
            .collect();
        for start in (0..count).step_by(2 * half) {
            for (step, (sin, cos)) in turns.iter().enumerate() {
                let (low, high) = (start + step, start + step + half);
                let x = real[high] * cos - imaginary[high] * sin;
                let y = real[high] * sin + imaginary[high] * cos;
                (real[high], imaginary[high]) = (real[low] - x, imaginary[low] - y);
                real[low] += x;
                imaginary[low] += y;
            }
        }
        half *= 2;
    }
}
