//! How many near-duplicates are found of those that there are, and what is left of questions when they are gone.
//!
//! `QUESTIONS=FILE [VECTORS=FILE] cargo bench --bench near -- [THRESHOLD]`: of the questions of the file, one on each line, all pairs are
//! held against each other by the Jaccard index of their shingles; where there are vectors (32-bit numbers, little-endian, as many for
//! each question), by the cosine of these too. Told are how many pairs are alike, how many of them meet in a band or by their signs,
//! and what else meets; of vectors also how many more or fewer are alike in whole numbers than in those of the file. Then questions are
//! accepted one after the other, where none that was accepted before is too close.

use dlgforge::domain::{Compared, Cosine, Measure, MinHash, Rank, SettledQuestions, Sketch, Vector};
use rayon::prelude::*;
use std::sync::Arc;
use std::time::Instant;

fn main() {
    let given = std::env::args().filter_map(|argument| argument.parse().ok()).next();
    let path = std::env::var("QUESTIONS").expect("QUESTIONS=FILE, with a question on each line");
    let text = std::fs::read_to_string(path).expect("a file of UTF-8");
    let questions: Vec<&str> = text.lines().collect();
    println!("method     threshold questions |      alike   of them met   met besides |   left | s");
    let words = |text: &&str| Compared { text: Arc::from(*text), vector: None };
    let compared: Vec<Compared> = questions.iter().map(words).collect();
    measure("minhash", Measure::MinHash(MinHash::new(given.unwrap_or(0.8))), &compared, &[]);
    let Ok(path) = std::env::var("VECTORS") else { return };
    let bytes = std::fs::read(path).expect("a file");
    let numbers: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let vectors: Vec<&[f32]> = numbers.chunks(numbers.len() / questions.len()).collect();
    let compared: Vec<Compared> = questions
        .iter()
        .zip(&vectors)
        .map(|(text, vector)| Compared { text: Arc::from(*text), vector: Some(Vector::of(vector)) })
        .collect();
    measure("embedding", Measure::Cosine(Cosine::new(given.unwrap_or(0.9))), &compared, &vectors);
}

fn measure(name: &str, measure: Measure, compared: &[Compared], vectors: &[&[f32]]) {
    let started = Instant::now();
    let sketches: Vec<Sketch> = compared.par_iter().filter_map(|one| measure.sketch(one)).collect();
    let threshold = measure.threshold().share();
    let sums = (0..sketches.len()).into_par_iter().map(|at| {
        let mut sums = [0u64; 5];
        for other in 0..at {
            let meet = measure.meet(&sketches[at], &sketches[other]);
            let alike = measure.alike(&sketches[at], &sketches[other]).is_some();
            let is_near = match vectors.is_empty() {
                true => alike,
                false => {
                    f64::from(vectors[at].iter().zip(vectors[other]).map(|(one, other)| one * other).sum::<f32>())
                        >= threshold
                }
            };
            let told = [is_near, is_near && meet, !is_near && meet, is_near && !alike, alike && !is_near];
            sums.iter_mut().zip(told).for_each(|(sum, is_it)| *sum += u64::from(is_it));
        }
        sums
    });
    let add = |one: [u64; 5], other: [u64; 5]| std::array::from_fn(|at| one[at] + other[at]);
    let [near, met, besides, fewer, more] = sums.reduce(|| [0; 5], add);
    let took = started.elapsed();
    let started = Instant::now();
    let (mut settled, mut left) = (SettledQuestions::new(measure), 0);
    for (index, sketch) in (0..).zip(&sketches) {
        let rank = Rank { index, ..Rank::default() };
        if settled.lowest(rank, sketch).is_none() {
            settled.insert(rank, sketch);
            left += 1;
        }
    }
    println!(
        "{name:<10} {threshold:>9} {:>9} | {near:>10} {met:>8} {:>5.1} % {besides:>13} | {left:>6} | {:.1} + {:.1}",
        sketches.len(),
        100.0 * met as f64 / near.max(1) as f64,
        took.as_secs_f64(),
        started.elapsed().as_secs_f64(),
    );
    if !vectors.is_empty() {
        println!("in whole numbers {fewer} of those are not alike, and {more} others are");
    }
}
