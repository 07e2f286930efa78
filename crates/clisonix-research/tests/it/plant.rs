//! Planted identifiers: texts that must not come out in any spelling.

use std::collections::{HashMap, HashSet};

use clisonix_fhir::json::Value;

/// How many bytes of a plant the search looks at first.
const HEAD: usize = 8;

/// Makes identifiers, each once, and remembers them.
#[derive(Default)]
pub(crate) struct Plants {
    pub(crate) all: Vec<String>,
}

const LETTERS: [&str; 20] = [
    "bra", "quo", "zel", "wix", "tor", "mun", "kev", "jul", "fra", "dys", "gam", "hob", "nim",
    "pru", "ryv", "sle", "vog", "xan", "yob", "cid",
];

impl Plants {
    fn number(&self) -> usize {
        self.all.len()
    }

    fn note(&mut self, text: String) -> String {
        self.all.push(text.clone());
        text
    }

    /// Two words that nothing else says: syllables of the number in the base of twenty.
    pub(crate) fn name(&mut self) -> String {
        let mut rest = self.number() + 8_000;
        let mut word = String::new();
        while rest > 0 {
            word.push_str(LETTERS[rest % LETTERS.len()]);
            rest /= LETTERS.len();
        }
        let (first, last) = word.split_at(word.len() / 2);
        let capital = |part: &str| format!("{}{}", part[..1].to_ascii_uppercase(), &part[1..]);
        self.note(format!("{} {}", capital(first), capital(last)))
    }

    /// A record number, a telephone, a social security number, an e-mail, an address on the web or
    /// of a machine, a street, by turns.
    pub(crate) fn text(&mut self) -> String {
        let number = self.number();
        let text = match number % 8 {
            0 => return self.name(),
            1 => format!("MRN-{:07}", 4_000_000 + number * 13),
            2 => format!("(617) 555-{:04}-{:03}", number % 10_000, number / 10_000 + 100),
            3 => format!(
                "{:03}-{:02}-{:04}",
                400 + number % 500,
                10 + number % 89,
                1_000 + number / 7
            ),
            4 => format!("patient{number}@mail{number}.example.org"),
            5 => format!("https://records.example.org/person/{number:06}"),
            6 => format!(
                "10.{}.{}.{}",
                100 + number % 150,
                100 + number / 150 % 150,
                100 + number / 22_500
            ),
            _ => format!("{number} Quarrystone Lane, Apt. {}", number % 97),
        };
        self.note(text)
    }

    /// The same without a space, for types that may have none.
    pub(crate) fn word(&mut self) -> String {
        let number = self.number();
        let text = match number % 4 {
            0 => format!("Person.{number:07}"),
            1 => format!("617555{number:07}"),
            2 => format!("1947-0{}-{:02}.{number:05}", 1 + number % 9, 10 + number % 19),
            _ => format!("mrn-{:07}-{number:06}", number * 17),
        };
        self.note(text)
    }

    /// A Monday that is in the release's reach, with a time: what was shifted by other than whole
    /// weeks is no planted day.
    pub(crate) fn date(&mut self) -> (String, String) {
        let number = self.number();
        let weeks = i64::try_from(number % 4_400).unwrap();
        let date = jiff::civil::date(1940, 1, 1) + jiff::Span::new().weeks(weeks);
        let time = format!("{:02}:{:02}:{:02}", number % 24, number % 60, number / 60 % 60);
        (self.note(date.strftime("%Y-%m-%d").to_string()), time)
    }

    /// Bytes that tell a name, as base64.
    pub(crate) fn base64(&mut self) -> String {
        let text = format!("   {}   ", self.text());
        let encoded = base64(text.as_bytes());
        self.note(encoded)
    }

    /// Those of the plants that the bytes hold: as they are, in any case, with their digits alone,
    /// the parts of a date in other orders, in base64.
    pub(crate) fn found_in(&self, output: &[u8]) -> Vec<String> {
        self.hits(output).into_iter().map(|(plant, _)| plant).collect()
    }

    /// The same, with where in the bytes each was found first.
    pub(crate) fn hits(&self, output: &[u8]) -> Vec<(String, usize)> {
        let mut forms: HashMap<[u8; HEAD], Vec<(Vec<u8>, usize)>> = HashMap::new();
        for (index, plant) in self.all.iter().enumerate() {
            for form in spellings(plant) {
                if let Some(head) = form.first_chunk::<HEAD>() {
                    forms.entry(*head).or_default().push((form, index));
                }
            }
        }
        let mut found = HashMap::new();
        let folded: Vec<u8> = output.iter().map(u8::to_ascii_lowercase).collect();
        for at in 0..folded.len().saturating_sub(HEAD - 1) {
            let head: [u8; HEAD] = *folded[at..].first_chunk().unwrap();
            let Some(those) = forms.get(&head) else { continue };
            for (form, index) in those {
                // Eight digits in a row are a date only where the row ends there: codes have digits.
                let numeric = form.iter().all(u8::is_ascii_digit);
                let is_digit = |at: Option<usize>| {
                    at.and_then(|at| folded.get(at)).is_some_and(u8::is_ascii_digit)
                };
                let part = is_digit(at.checked_sub(1)) || is_digit(Some(at + form.len()));
                if folded[at..].starts_with(form) && !(numeric && part) {
                    found.entry(*index).or_insert(at);
                }
            }
        }
        found.into_iter().map(|(index, at)| (self.all[index].clone(), at)).collect()
    }
}

/// All spellings of a plant that are searched for, in small letters, the longest enough to be no
/// accident.
fn spellings(plant: &str) -> HashSet<Vec<u8>> {
    let mut all = HashSet::new();
    all.insert(plant.to_ascii_lowercase());
    if let [year, month, day] = plant.split('-').collect::<Vec<_>>()[..]
        && plant.len() == 10
        && plant.starts_with(['1', '2'])
    {
        for order in [[day, month, year], [month, day, year], [year, month, day]] {
            for joint in ["-", "/", ".", ""] {
                all.insert(order.join(joint));
            }
        }
    } else {
        let digits: String = plant.chars().filter(char::is_ascii_digit).collect();
        if digits.len() >= 9 {
            all.insert(digits);
        }
        all.extend(plant.split(' ').filter(|word| word.len() >= 9).map(str::to_ascii_lowercase));
    }
    for shift in 0..3 {
        let bytes: Vec<u8> = std::iter::repeat_n(b' ', shift).chain(plant.bytes()).collect();
        let encoded = base64(&bytes);
        // Without what depends on the bytes around it.
        let (from, until) = (shift + usize::from(shift > 0), encoded.len().saturating_sub(4));
        if let Some(inner) = encoded.get(from..until).filter(|inner| inner.len() >= HEAD) {
            all.insert(inner.to_ascii_lowercase());
        }
    }
    all.into_iter().map(String::into_bytes).collect()
}

/// RFC 4648 section 4.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let all = chunk
            .iter()
            .chain([0, 0].iter())
            .take(3)
            .fold(0_u32, |sum, &b| sum << 8 | u32::from(b));
        for place in 0..4 {
            let letter = ALPHABET[(all >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// The bytes of what goes out, one resource on a line.
pub(crate) fn lines(resources: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for resource in resources {
        resource.write(&mut bytes);
        bytes.push(b'\n');
    }
    bytes
}

#[test]
fn the_search_finds_every_spelling() {
    let mut plants = Plants::default();
    let name = plants.name();
    let (date, _) = plants.date();
    let text = "Mr. ".to_owned() + &name.to_uppercase();
    assert_eq!(plants.found_in(text.as_bytes()), std::slice::from_ref(&name));
    let parts: Vec<&str> = date.split('-').collect();
    let reversed = format!("{}.{}.{}", parts[2], parts[1], parts[0]);
    assert_eq!(plants.found_in(reversed.as_bytes()), [date]);
    for pad in ["", "x", "xx"] {
        let hidden = base64(format!("{pad}{name} and more").as_bytes());
        assert_eq!(plants.found_in(hidden.as_bytes()), std::slice::from_ref(&name), "{pad}");
    }
    assert!(plants.found_in(b"nothing of the kind").is_empty());
}
