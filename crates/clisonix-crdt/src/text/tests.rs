//! The parts of the text cell that have rules of their own.

use std::ops::Range;

use super::graph::Graph;
use super::operations::chars_of;
use super::rope::Rope;

/// A simple generator, so that a failing run can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

#[test]
fn the_rope_is_a_string() {
    let mut numbers = Numbers(7);
    let mut rope = Rope::default();
    let mut plain: Vec<char> = Vec::new();
    let alphabet: Vec<char> = "abcdefgh ijkäöü€😀".chars().collect();
    for round in 0..3_000 {
        let at = numbers.below(plain.len() + 1);
        if numbers.below(5) < 3 {
            let length = if round % 100 == 0 { 20_000 } else { numbers.below(40) };
            let text: String =
                (0..length).map(|_| alphabet[numbers.below(alphabet.len())]).collect();
            rope.insert(at as u32, &text, chars_of(&text));
            plain.splice(at..at, text.chars());
        } else {
            let most = if round % 7 == 0 { 9_000 } else { 60 };
            let end = (at + numbers.below(most)).min(plain.len());
            rope.delete(at as u32..end as u32);
            plain.drain(at..end);
        }
        assert_eq!(rope.len() as usize, plain.len());
        if round % 50 == 0 {
            let text: String = plain.iter().collect();
            assert!(rope.chunks().collect::<String>() == text);
            assert!(Rope::new(&text).chunks().collect::<String>() == text);
            let (from, to) = (plain.len() / 3, plain.len() / 2);
            let part: String = plain[from..to].iter().collect();
            assert!(rope.slice(from as u32..to as u32) == part);
        }
    }
}

/// Two branches after event 2, joined by event 9: 0-2, 3-5 and 6-8 from 2, 9-10.
fn graph() -> Graph {
    let mut graph = Graph::default();
    graph.push(&[], 3);
    graph.push(&[2], 3);
    graph.push(&[2], 3);
    graph.push(&[5, 8], 2);
    graph
}

fn flat(ranges: &[Range<u32>]) -> Vec<u32> {
    ranges.iter().cloned().flatten().collect()
}

#[test]
fn what_versions_have_seen() {
    let graph = graph();
    assert_eq!(graph.heads(), [10]);
    let difference = graph.difference(&[4], &[7]);
    assert_eq!((flat(&difference.left), flat(&difference.right)), (vec![3, 4], vec![6, 7]));
    let difference = graph.difference(&[9], &[8]);
    assert_eq!((flat(&difference.left), flat(&difference.right)), (vec![9, 3, 4, 5], vec![]));
    let difference = graph.difference(&[], &[1]);
    assert_eq!((flat(&difference.left), flat(&difference.right)), (vec![], vec![0, 1]));
    // A parent that another parent has seen changes nothing.
    let difference = graph.difference(&[2, 4], &[4]);
    assert!(difference.left.is_empty() && difference.right.is_empty());
    let difference = graph.difference(&[3, 4, 7, 8], &[5]);
    assert_eq!((flat(&difference.left), flat(&difference.right)), (vec![6, 7, 8], vec![5]));
}

#[test]
fn a_cut_is_where_all_have_seen_all() {
    let graph = graph();
    assert_eq!(graph.stretch(4, 9).seen, 4);
    assert_eq!(graph.stretch(6, 9).seen, 3);
    assert_eq!(graph.stretch(7, 9).seen, 3);
    assert_eq!(graph.stretch(10, 11).seen, 10);
    assert_eq!(graph.cut(10, 11), 10);
    assert_eq!(graph.cut(9, 11), 9);
    assert_eq!(graph.cut(8, 11), 3);
    assert_eq!(graph.cut(4, 11), 3);
    assert_eq!(graph.cut(2, 11), 2);
}
