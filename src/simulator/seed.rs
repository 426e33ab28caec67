//! Invented companies, people and deals: plausible, the same for the same seed, with the oddities of real data in one of
//! twenty. Every simulator and a demo's own records draw from the same ones.

use rand::seq::IndexedRandom;
use rand::{Rng as _, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A company.
#[derive(Debug, Clone, PartialEq)]
pub struct Company {
    /// Its name.
    pub name: String,
    /// Host name, ending in `.example`.
    pub domain: Option<String>,
    /// Industry by Salesforce's standard list.
    pub industry: Option<&'static str>,
    /// Telephone number.
    pub phone: Option<String>,
    /// People who work there.
    pub employees: Option<u32>,
    /// Revenue a year.
    pub revenue: Option<u64>,
    /// Street and number.
    pub street: Option<String>,
    /// City.
    pub city: &'static str,
    /// Postal code.
    pub postal_code: String,
    /// Country.
    pub country: &'static str,
    /// A sentence about it.
    pub description: Option<String>,
}

/// A person.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: String,
    /// E-mail address at the company.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Title.
    pub title: Option<&'static str>,
    /// Department.
    pub department: Option<&'static str>,
    /// Index of the company.
    pub company: usize,
}

/// A deal.
#[derive(Debug, Clone, PartialEq)]
pub struct Deal {
    /// Its name.
    pub name: String,
    /// Amount.
    pub amount: u64,
    /// Stage by Salesforce's standard list.
    pub stage: &'static str,
    /// Days from the world's beginning to its close.
    pub close_in_days: i64,
    /// Index of the company.
    pub company: usize,
}

const FIRST_WORDS: &[&str] = &[
    "Harbour",
    "Kestrel",
    "Northwind",
    "Alder",
    "Bright",
    "Copper",
    "Delta",
    "Elm",
    "Fjord",
    "Granite",
    "Hollow",
    "Iris",
    "Juniper",
    "Lumen",
    "Meridian",
    "Nimbus",
    "Orchard",
    "Pioneer",
    "Quarry",
    "Riverside",
    "Summit",
    "Thistle",
    "Umber",
    "Vale",
    "Willow",
    "Yarrow",
    "Zephyr",
    "Amber",
    "Beacon",
    "Cobalt",
    "Dovetail",
    "Ember",
    "Falcon",
    "Garnet",
];
const SECOND_WORDS: &[&str] = &[
    "Logistics",
    "Metrology",
    "Foods",
    "Robotics",
    "Textiles",
    "Analytics",
    "Energy",
    "Partners",
    "Instruments",
    "Media",
    "Materials",
    "Pharma",
    "Systems",
    "Works",
    "Marine",
    "Optics",
    "Insurance",
    "Labs",
    "Furniture",
    "Motors",
];
const REGIONS: &[&str] = &[
    "North",
    "South",
    "East",
    "West",
    "Coast",
    "Valley",
    "Alpine",
    "Baltic",
    "Nordic",
    "Iberia",
    "Atlantic",
    "Pacific",
    "Midlands",
    "Highlands",
    "Lowlands",
    "Benelux",
    "Bavaria",
    "Saxony",
    "Tyrol",
    "Provence",
    "Normandy",
    "Brittany",
    "Galicia",
    "Tuscany",
    "Umbria",
    "Silesia",
    "Moravia",
    "Jutland",
    "Zealand",
    "Skane",
    "Ontario",
    "Quebec",
    "Cascadia",
    "Dakota",
    "Kansai",
    "Kanto",
    "Anglia",
    "Cumbria",
    "Ulster",
];
const FORMS: &[&str] = &["Ltd", "Inc.", "GmbH", "AB", "LLC", "S.A.", "plc", "BV", "& Sons", "Group"];
const INDUSTRIES: &[&str] = &[
    "Transportation",
    "Manufacturing",
    "Technology",
    "Retail",
    "Energy",
    "Healthcare",
    "Finance",
    "Media",
    "Insurance",
    "Construction",
    "Education",
    "Consulting",
];
const PLACES: &[(&str, &str, &str)] = &[
    ("Leeds", "United Kingdom", "+44 113"),
    ("Hamburg", "Germany", "+49 40"),
    ("Lyon", "France", "+33 4"),
    ("Gothenburg", "Sweden", "+46 31"),
    ("Chicago", "United States", "+1 312"),
    ("Austin", "United States", "+1 512"),
    ("Porto", "Portugal", "+351 22"),
    ("Utrecht", "Netherlands", "+31 30"),
    ("Toronto", "Canada", "+1 416"),
    ("Osaka", "Japan", "+81 6"),
];
const STREETS: &[&str] =
    &["Dock Row", "Mill Lane", "Station Road", "Kaiserstrasse", "Rue du Port", "Maple Avenue", "Canal Street"];
const FIRST_NAMES: &[&str] = &[
    "Anna", "Priya", "Tomás", "Lena", "Omar", "Grace", "Jonas", "Mei", "Ruth", "Ivan", "Clara", "Samuel", "Nadia",
    "Peter", "Yuki", "Elena", "David", "Amara", "Lars", "Hannah", "Victor", "Sofia", "Marcus", "Ingrid", "Noah", "Zoe",
];
const LAST_NAMES: &[&str] = &[
    "Lindqvist",
    "Raman",
    "Rivera",
    "Hoffmann",
    "Haddad",
    "Okafor",
    "Bauer",
    "Chen",
    "Walker",
    "Petrov",
    "Moreau",
    "Ortiz",
    "Novak",
    "Schneider",
    "Tanaka",
    "Rossi",
    "Cohen",
    "Diallo",
    "Berg",
    "Fischer",
    "Hughes",
    "Costa",
    "Weiss",
    "Larsen",
];
const TITLES: &[&str] =
    &["Head of Operations", "Buyer", "CFO", "Plant Manager", "IT Manager", "Sales Director", "Engineer"];
const DEPARTMENTS: &[&str] = &["Operations", "Purchasing", "Finance", "IT", "Sales", "Engineering"];
/// Up to so many colleagues are looked through for namesakes; in larger companies addresses carry a number.
const SMALL_COMPANY: usize = 40;
const STAGES: &[&str] = &[
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "Closed Won",
    "Closed Lost",
];

/// The first `count` companies of a seed.
pub fn companies(seed: u64, count: usize) -> Vec<Company> {
    (0..count).map(|index| company(seed, index)).collect()
}

/// The first `count` people of a seed, spread over `companies` companies.
pub fn people(seed: u64, count: usize, companies: usize) -> Vec<Person> {
    (0..count).map(|index| person(seed, index, companies.max(1))).collect()
}

/// The first `count` deals of a seed, spread over `companies` companies.
pub fn deals(seed: u64, count: usize, companies: usize) -> Vec<Deal> {
    (0..count).map(|index| deal(seed, index, companies.max(1))).collect()
}

/// Dice of one thing alone, so that more of one kind never change another.
fn dice(seed: u64, kind: u64, index: usize) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (kind << 56) ^ index as u64)
}

fn one<T: Copy>(dice: &mut ChaCha8Rng, list: &[T]) -> T {
    *list.choose(dice).expect("the lists are not empty")
}

fn company(seed: u64, index: usize) -> Company {
    let mut dice = dice(seed, 1, index);
    // Names are drawn without repetition; when the words run out they carry a place, and past 27,000 a number.
    let (first, second) =
        (index % FIRST_WORDS.len(), (index / FIRST_WORDS.len() + index % FIRST_WORDS.len()) % SECOND_WORDS.len());
    let round = index / (FIRST_WORDS.len() * SECOND_WORDS.len());
    let plain = format!("{} {}", FIRST_WORDS[first], SECOND_WORDS[second]);
    let words = match (round, REGIONS.get(round.wrapping_sub(1) % REGIONS.len()), round / (REGIONS.len() + 1)) {
        (0, _, _) | (_, None, _) => plain,
        (_, Some(region), 0) => format!("{plain} {region}"),
        (_, Some(region), again) => format!("{plain} {region} {}", again + 1),
    };
    let name = format!("{words} {}", one(&mut dice, FORMS));
    let domain = format!("{}.example", words.to_lowercase().replace(' ', ""));
    let (city, country, dialling) = one(&mut dice, PLACES);
    let plain = Company {
        name,
        domain: Some(domain),
        industry: Some(one(&mut dice, INDUSTRIES)),
        phone: Some(format!("{dialling} {:03} {:04}", dice.random_range(100..1000), dice.random_range(0..10_000))),
        employees: Some(dice.random_range(3..5000)),
        revenue: Some(dice.random_range(1..900) * 100_000),
        street: Some(format!("{} {}", dice.random_range(1..200), one(&mut dice, STREETS))),
        city,
        postal_code: format!("{:05}", dice.random_range(10_000..99_999)),
        country,
        description: Some(format!("{words} in {city}.")),
    };
    if dice.random_ratio(1, 20) { odd_company(&mut dice, plain) } else { plain }
}

fn odd_company(dice: &mut ChaCha8Rng, company: Company) -> Company {
    match dice.random_range(0..7) {
        0 => Company { name: format!("{} für Präzisionsmechanik und Gerätebau Süd", company.name), ..company },
        1 => Company { name: format!("株式会社{}", company.city), domain: company.domain, ..company },
        2 => Company { name: format!("O'Brien, \"{}\"", company.name), ..company },
        3 => Company { industry: None, phone: None, employees: None, description: None, ..company },
        4 => Company { name: format!("{}  ", company.name), ..company },
        5 => Company { street: company.street.map(|street| format!("{street}\r\nGate 4, 2nd floor")), ..company },
        _ => Company { name: format!("{} {}", company.name, "International Holding ".repeat(6)), ..company },
    }
}

fn person(seed: u64, index: usize, companies: usize) -> Person {
    let mut dice = dice(seed, 2, index);
    let company_index = index % companies;
    let company = company(seed, company_index);
    let (first, last) = (one(&mut dice, FIRST_NAMES), one(&mut dice, LAST_NAMES));
    let domain = company.domain.unwrap_or_else(|| "mail.example".to_owned());
    let number = namesakes(seed, index, companies, (first, last));
    let email = format!("{}.{}{number}@{domain}", ascii(first), ascii(last));
    let plain = Person {
        first_name: Some(first.to_owned()),
        last_name: last.to_owned(),
        email: Some(email),
        phone: company.phone,
        title: Some(one(&mut dice, TITLES)),
        department: Some(one(&mut dice, DEPARTMENTS)),
        company: company_index,
    };
    if dice.random_ratio(1, 20) { odd_person(&mut dice, plain) } else { plain }
}

/// What tells a person's address from those of colleagues of the same name who came before.
fn namesakes(seed: u64, index: usize, companies: usize, name: (&str, &str)) -> String {
    let colleague = index / companies;
    if colleague > SMALL_COMPANY {
        return colleague.to_string();
    }
    let before = (0..colleague).map(|earlier| {
        let mut dice = dice(seed, 2, index % companies + earlier * companies);
        (one(&mut dice, FIRST_NAMES), one(&mut dice, LAST_NAMES))
    });
    match before.filter(|earlier| *earlier == name).count() {
        0 => String::new(),
        same => (same + 1).to_string(),
    }
}

fn odd_person(dice: &mut ChaCha8Rng, person: Person) -> Person {
    match dice.random_range(0..6) {
        0 => Person { last_name: format!("{}-Müßiggänger", person.last_name), ..person },
        1 => Person { first_name: Some("花子".to_owned()), last_name: "山田".to_owned(), ..person },
        2 => Person { last_name: format!("O'{}", person.last_name), ..person },
        3 => Person { email: None, title: None, first_name: None, ..person },
        4 => Person { email: Some("info@shared.example".to_owned()), ..person },
        _ => Person { last_name: format!("{} ", person.last_name), ..person },
    }
}

fn deal(seed: u64, index: usize, companies: usize) -> Deal {
    let mut dice = dice(seed, 3, index);
    let company_index = index % companies;
    let company = company(seed, company_index);
    let name = format!("{} – order {}", company.name.trim(), index / companies + 1);
    let name = if dice.random_ratio(1, 20) {
        match dice.random_range(0..5) {
            0 => format!("{name}, \"phase 2\""),
            1 => format!("{name} "),
            2 => format!("Größenänderung: {name}"),
            3 => format!("{name} 納品"),
            _ => format!("{name} with the customer's own long reference number and a note on delivery"),
        }
    } else {
        name
    };
    Deal {
        name: name.chars().take(118).collect(),
        amount: dice.random_range(5..900) * 1000,
        stage: one(&mut dice, STAGES),
        close_in_days: dice.random_range(-200..200),
        company: company_index,
    }
}

fn ascii(name: &str) -> String {
    name.to_lowercase().chars().map(|letter| if letter == 'á' { 'a' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_people_and_more_of_them_change_none() {
        assert_eq!(companies(1, 50), companies(1, 80)[..50]);
        assert_eq!(people(1, 50, 10), people(1, 80, 10)[..50]);
        assert_ne!(companies(1, 50), companies(2, 50));
    }

    #[test]
    fn companies_differ_and_some_are_odd() {
        let many: HashSet<_> = companies(1, 30_000).into_iter().filter_map(|company| company.domain).collect();
        assert_eq!(many.len(), 30_000);
        let companies = companies(1, 600);
        assert!(companies.iter().any(|company| company.name.contains('"')));
        assert!(companies.iter().any(|company| company.name.starts_with("株")));
        assert!(deals(1, 300, 100).iter().any(|deal| deal.name.contains('"')));
        let people = people(1, 600, 100);
        let mails: Vec<_> = people.iter().filter_map(|person| person.email.as_deref()).collect();
        let shared = mails.iter().filter(|mail| **mail == "info@shared.example").count();
        let distinct: HashSet<_> = mails.iter().collect();
        assert_eq!(distinct.len(), mails.len() - shared + 1, "only what is shared is shared");
        assert!(people.iter().any(|person| person.email.as_deref() == Some("info@shared.example")));
    }
}
