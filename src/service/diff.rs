//! Where two values differ, character by character, for marks on a screen.

use crate::view::conflicts::Span;

/// Characters in the differing middle above which it is marked as a whole.
const LONGEST_MIDDLE: usize = 300;

/// Both texts in spans; what the other does not have is marked.
pub(super) fn spans(a: &str, b: &str) -> (Vec<Span>, Vec<Span>) {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let prefix = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let most = a.len().min(b.len()) - prefix;
    let suffix = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let (middle_a, middle_b) = (&a[prefix..a.len() - suffix], &b[prefix..b.len() - suffix]);
    let common = common(middle_a, middle_b);
    let build = |all: &[char], middle: &[char], kept: &[bool]| {
        let marks = std::iter::repeat_n(false, prefix)
            .chain((0..middle.len()).map(|place| !kept.get(place).copied().unwrap_or(false)))
            .chain(std::iter::repeat_n(false, suffix));
        fold(all, marks)
    };
    (build(&a, middle_a, &common.0), build(&b, middle_b, &common.1))
}

/// Which characters of the middles both have, in order. Where less than half is common, none counts: a few equal letters in
/// two different words say nothing.
fn common(a: &[char], b: &[char]) -> (Vec<bool>, Vec<bool>) {
    let none = (vec![false; a.len()], vec![false; b.len()]);
    if a.is_empty() || b.is_empty() || a.len() > LONGEST_MIDDLE || b.len() > LONGEST_MIDDLE {
        return none;
    }
    let mut lengths = vec![vec![0_u16; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i][j] =
                if a[i] == b[j] { lengths[i + 1][j + 1] + 1 } else { lengths[i + 1][j].max(lengths[i][j + 1]) };
        }
    }
    if usize::from(lengths[0][0]) * 2 < a.len().min(b.len()) {
        return none;
    }
    let (mut kept, mut i, mut j) = (none, 0, 0);
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            (kept.0[i], kept.1[j]) = (true, true);
            (i, j) = (i + 1, j + 1);
        } else if lengths[i + 1][j] >= lengths[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    kept
}

fn fold(text: &[char], marks: impl Iterator<Item = bool>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (letter, marked) in text.iter().zip(marks) {
        match spans.last_mut().filter(|span| span.marked == marked) {
            Some(span) => span.text.push(*letter),
            None => spans.push(Span { text: letter.to_string(), marked }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(spans: &[Span]) -> String {
        spans.iter().map(|span| if span.marked { format!("[{}]", span.text) } else { span.text.clone() }).collect()
    }

    #[test]
    fn what_differs_is_marked_and_nothing_else() {
        for (a, b, left, right) in [
            ("+44 113 496 0172", "+44 113 496 0192", "+44 113 496 01[7]2", "+44 113 496 01[9]2"),
            ("Head of Metering, EMEA", "Head of Metering", "Head of Metering[, EMEA]", "Head of Metering"),
            ("Logistics", "Transportation", "[Logistics]", "[Transportation]"),
            ("", "new", "", "[new]"),
            ("same", "same", "same", "same"),
            ("Zoë", "Zoé", "Zo[ë]", "Zo[é]"),
        ] {
            let (one, other) = spans(a, b);
            assert_eq!((marked(&one).as_str(), marked(&other).as_str()), (left, right));
        }
    }
}
