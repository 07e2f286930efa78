//! Geography: states, countries, and ZIP codes with the people who live there.

use std::collections::HashMap;

use thiserror::Error;

/// Longest population list, in bytes.
pub const MAX_POPULATION_BYTES: usize = 4 << 20;

/// 45 CFR 164.514(b)(2)(i)(B): an area of three digits must hold more than so many people.
const MIN_PEOPLE: u64 = 20_000;

/// How many people live where ZIP codes begin with the same three digits, "according to the current
/// publicly available data from the Bureau of the Census".
#[derive(Clone, Debug, Default)]
pub struct ZipPopulation(HashMap<[u8; 3], u64>);

/// A population list that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PopulationError {
    /// The list has more bytes than [`MAX_POPULATION_BYTES`].
    #[error("the list is longer than {MAX_POPULATION_BYTES} bytes")]
    TooLong,
    /// The line is not a ZIP code and a number of people.
    #[error("line {0} is not `ZIP,people`")]
    Line(usize),
}

impl ZipPopulation {
    /// Reads lines of `ZIP,people`; the ZIP code has three digits, or five, which are added up. Empty
    /// lines and lines that begin with `#` are passed over.
    ///
    /// # Errors
    /// [`PopulationError`] names the first line that is wrong.
    pub fn load(text: &str) -> Result<Self, PopulationError> {
        if text.len() > MAX_POPULATION_BYTES {
            return Err(PopulationError::TooLong);
        }
        let mut list = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (zip, people) = read(line).ok_or(PopulationError::Line(index + 1))?;
            let sum = list.0.entry(zip).or_default();
            *sum = sum.saturating_add(people);
        }
        Ok(list)
    }

    /// The first three digits of a ZIP code where more than 20,000 people live, else `000`; `None`
    /// for what is no ZIP code.
    pub(crate) fn reduced(&self, zip: &str) -> Option<String> {
        let (five, four) =
            zip.split_once('-').map_or((zip, None), |(five, four)| (five, Some(four)));
        let digits =
            |text: &str, len| text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(five, 5) || four.is_some_and(|four| !digits(four, 4)) {
            return None;
        }
        let three: [u8; 3] = five.as_bytes().first_chunk().copied()?;
        let people = self.0.get(&three).copied().unwrap_or_default();
        let three = if people > MIN_PEOPLE { &three } else { b"000" };
        Some(three.iter().copied().map(char::from).collect())
    }
}

fn read(line: &str) -> Option<([u8; 3], u64)> {
    let (zip, people) = line.split_once([',', '\t', ';'])?;
    let zip = zip.trim();
    let is_zip = matches!(zip.len(), 3 | 5) && zip.bytes().all(|byte| byte.is_ascii_digit());
    let three = zip.as_bytes().first_chunk().copied().filter(|_| is_zip)?;
    Some((three, people.trim().parse().ok()?))
}

/// Whether the text is a state, district or territory of the United States: by its postal
/// abbreviation, or by its name in any case.
pub(crate) fn is_state(text: &str) -> bool {
    listed(STATES, text) || STATE_NAMES.iter().any(|name| name.eq_ignore_ascii_case(text))
}

/// Whether the text is a country: by its ISO 3166 code of two or three letters, or one of few names.
pub(crate) fn is_country(text: &str) -> bool {
    listed(COUNTRIES_2, text) || listed(COUNTRIES_3, text) || is_united_states(text)
}

/// Whether the text says United States.
pub(crate) fn is_united_states(text: &str) -> bool {
    const NAMES: [&str; 5] = ["US", "USA", "U.S.A.", "United States", "United States of America"];
    NAMES.iter().any(|name| name.eq_ignore_ascii_case(text))
}

fn listed(list: &str, text: &str) -> bool {
    matches!(text.len(), 2 | 3) && list.split_ascii_whitespace().any(|one| one == text)
}

const STATES: &str = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT \
    NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR VI";

const STATE_NAMES: &[&str] = &[
    "Alabama",
    "Alaska",
    "Arizona",
    "Arkansas",
    "California",
    "Colorado",
    "Connecticut",
    "Delaware",
    "Florida",
    "Georgia",
    "Hawaii",
    "Idaho",
    "Illinois",
    "Indiana",
    "Iowa",
    "Kansas",
    "Kentucky",
    "Louisiana",
    "Maine",
    "Maryland",
    "Massachusetts",
    "Michigan",
    "Minnesota",
    "Mississippi",
    "Missouri",
    "Montana",
    "Nebraska",
    "Nevada",
    "New Hampshire",
    "New Jersey",
    "New Mexico",
    "New York",
    "North Carolina",
    "North Dakota",
    "Ohio",
    "Oklahoma",
    "Oregon",
    "Pennsylvania",
    "Rhode Island",
    "South Carolina",
    "South Dakota",
    "Tennessee",
    "Texas",
    "Utah",
    "Vermont",
    "Virginia",
    "Washington",
    "West Virginia",
    "Wisconsin",
    "Wyoming",
    "District of Columbia",
    "American Samoa",
    "Guam",
    "Northern Mariana Islands",
    "Puerto Rico",
    "Virgin Islands",
];

const COUNTRIES_2: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ \
    BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE \
    DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR \
    GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP \
    KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT \
    MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW \
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

const COUNTRIES_3: &str = "AFG ALA ALB DZA ASM AND AGO AIA ATA ATG ARG ARM ABW AUS AUT AZE BHS BHR BGD BRB \
    BLR BEL BLZ BEN BMU BTN BOL BES BIH BWA BVT BRA IOT BRN BGR BFA BDI CPV KHM CMR CAN CYM CAF TCD \
    CHL CHN CXR CCK COL COM COG COD COK CRI CIV HRV CUB CUW CYP CZE DNK DJI DMA DOM ECU EGY SLV GNQ \
    ERI EST SWZ ETH FLK FRO FJI FIN FRA GUF PYF ATF GAB GMB GEO DEU GHA GIB GRC GRL GRD GLP GUM GTM \
    GGY GIN GNB GUY HTI HMD VAT HND HKG HUN ISL IND IDN IRN IRQ IRL IMN ISR ITA JAM JPN JEY JOR KAZ \
    KEN KIR PRK KOR KWT KGZ LAO LVA LBN LSO LBR LBY LIE LTU LUX MAC MDG MWI MYS MDV MLI MLT MHL MTQ \
    MRT MUS MYT MEX FSM MDA MCO MNG MNE MSR MAR MOZ MMR NAM NRU NPL NLD NCL NZL NIC NER NGA NIU NFK \
    MKD MNP NOR OMN PAK PLW PSE PAN PNG PRY PER PHL PCN POL PRT PRI QAT REU ROU RUS RWA BLM SHN KNA \
    LCA MAF SPM VCT WSM SMR STP SAU SEN SRB SYC SLE SGP SXM SVK SVN SLB SOM ZAF SGS SSD ESP LKA SDN \
    SUR SJM SWE CHE SYR TWN TJK TZA THA TLS TGO TKL TON TTO TUN TUR TKM TCA TUV UGA UKR ARE GBR UMI \
    USA URY UZB VUT VEN VNM VGB VIR WLF ESH YEM ZMB ZWE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zip_codes_keep_three_digits_where_many_people_live() {
        let list = ZipPopulation::load("# list\n02138,36000\n036,11000\n100, 1600000\n").unwrap();
        let reduced = |zip| list.reduced(zip);
        assert_eq!(reduced("02139"), Some("021".into()));
        assert_eq!(reduced("02139-1234"), Some("021".into()));
        assert_eq!(reduced("03601"), Some("000".into()));
        assert_eq!(reduced("99999"), Some("000".into()));
        for text in ["021", "EC1A 1BB", "0213", "02139-12", "617-555-0134", ""] {
            assert_eq!(reduced(text), None, "{text}");
        }
        assert_eq!(ZipPopulation::load("021,many").unwrap_err(), PopulationError::Line(1));
    }

    #[test]
    fn states_and_countries_are_those_of_the_lists() {
        assert!(is_state("MA") && is_state("massachusetts"));
        assert!(!is_state("Ma") && !is_state("Middlesex") && !is_state("617"));
        assert!(is_country("DE") && is_country("USA") && is_country("United States"));
        assert!(!is_country("Springfield") && !is_country("ABC"));
        assert_eq!(COUNTRIES_2.split_ascii_whitespace().count(), 249);
        assert_eq!(COUNTRIES_3.split_ascii_whitespace().count(), 249);
    }
}
