//! The codes the population is made of.
//!
//! Only well-known codes are listed. LOINC, SNOMED CT, ICD-10-CM, `RxNorm` and CVX codes are
//! carried as their publishers define them; displays are short, as senders write them.

/// A code system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum System {
    /// SNOMED CT.
    Snomed,
    /// ICD-10-CM.
    Icd,
    /// LOINC.
    Loinc,
    /// `RxNorm`.
    RxNorm,
    /// CVX vaccine codes.
    Cvx,
}

impl System {
    /// The FHIR URI.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Snomed => "http://snomed.info/sct",
            Self::Icd => "http://hl7.org/fhir/sid/icd-10-cm",
            Self::Loinc => "http://loinc.org",
            Self::RxNorm => "http://www.nlm.nih.gov/research/umls/rxnorm",
            Self::Cvx => "http://hl7.org/fhir/sid/cvx",
        }
    }

    /// The OID that C-CDA uses, and the name beside it.
    pub fn oid(self) -> (&'static str, &'static str) {
        match self {
            Self::Snomed => ("2.16.840.1.113883.6.96", "SNOMED CT"),
            Self::Icd => ("2.16.840.1.113883.6.90", "ICD-10-CM"),
            Self::Loinc => ("2.16.840.1.113883.6.1", "LOINC"),
            Self::RxNorm => ("2.16.840.1.113883.6.88", "RxNorm"),
            Self::Cvx => ("2.16.840.1.113883.12.292", "CVX"),
        }
    }

    /// The name in HL7 table 0396.
    pub fn v2_name(self) -> &'static str {
        match self {
            Self::Snomed => "SCT",
            Self::Icd => "I10C",
            Self::Loinc => "LN",
            Self::RxNorm => "RXNORM",
            Self::Cvx => "CVX",
        }
    }
}

/// A code with its system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coding {
    /// The code system.
    pub system: System,
    /// The code.
    pub code: &'static str,
    /// What it means.
    pub display: &'static str,
}

/// A problem.
#[derive(Debug)]
pub struct Problem {
    /// What clinicians choose.
    pub snomed: Coding,
    /// What is billed.
    pub icd: Coding,
    /// The side of the body, where there are two.
    pub site: Option<Coding>,
    /// Whether it passes in weeks.
    pub acute: bool,
}

impl Problem {
    /// Whether the ICD-10-CM code alone says which side it is (or there are no sides).
    pub fn icd_says_side(&self) -> bool {
        self.site.is_none()
            || self.icd.display.contains("right")
            || self.icd.display.contains("left")
    }
}

/// Something people are allergic to.
#[derive(Debug)]
pub struct Allergen {
    /// The substance.
    pub substance: Coding,
    /// The ingredient, for drugs.
    pub ingredient: Option<Coding>,
    /// What happened.
    pub reaction: Coding,
}

impl Allergen {
    /// All codes that name it.
    pub fn codings(&self) -> Vec<Coding> {
        self.ingredient.into_iter().chain([self.substance]).collect()
    }

    /// Whether it is a drug.
    pub fn is_drug(&self) -> bool {
        self.ingredient.is_some()
    }
}

/// A drug of one strength.
#[derive(Debug)]
pub struct Drug {
    /// `RxNorm` clinical drug.
    pub coding: Coding,
    /// Milligrams in one tablet or capsule.
    pub milligrams: i64,
    /// Whether it is taken for good.
    pub chronic: bool,
}

/// A unit of measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// The UCUM code.
    pub ucum: &'static str,
    /// What people read.
    pub shown: &'static str,
}

/// The same quantity in another unit.
#[derive(Debug, Clone, Copy)]
pub struct OtherUnit {
    /// The unit.
    pub unit: Unit,
    /// Thousandths of the first unit that make one of this.
    pub factor_thousandths: i64,
    /// Decimal places written.
    pub places: u8,
}

/// Something that is measured.
#[derive(Debug, Clone, Copy)]
pub struct Analyte {
    /// LOINC code.
    pub coding: Coding,
    /// Its unit.
    pub unit: Unit,
    /// Decimal places written.
    pub places: u8,
    /// The reference range, scaled.
    pub normal: (i64, i64),
    /// The range values are drawn from, scaled.
    pub drawn: (i64, i64),
    /// The other unit some systems write.
    pub other: Option<OtherUnit>,
}

/// A laboratory panel.
#[derive(Debug)]
pub struct Panel {
    /// LOINC code of the order.
    pub coding: Coding,
    /// What it measures.
    pub analytes: &'static [Analyte],
}

/// A vaccine.
#[derive(Debug)]
pub struct Vaccine {
    /// CVX code.
    pub coding: Coding,
    /// Dose in tenths of a millilitre.
    pub tenths_ml: i64,
}

/// All problems.
pub fn problems() -> &'static [Problem] {
    &PROBLEMS
}

/// All allergens.
pub fn allergens() -> &'static [Allergen] {
    &ALLERGENS
}

/// All drugs.
pub fn drugs() -> &'static [Drug] {
    &DRUGS
}

/// All laboratory panels.
pub fn panels() -> &'static [Panel] {
    &PANELS
}

/// All vital signs.
pub fn vital_signs() -> &'static [Analyte] {
    &VITAL_SIGNS
}

/// All vaccines.
pub fn vaccines() -> &'static [Vaccine] {
    &VACCINES
}

const fn coding(system: System, code: &'static str, display: &'static str) -> Coding {
    Coding { system, code, display }
}

const fn sct(code: &'static str, display: &'static str) -> Coding {
    coding(System::Snomed, code, display)
}

const fn problem(snomed: Coding, icd: &'static str, acute: bool) -> Problem {
    Problem { snomed, icd: coding(System::Icd, icd, snomed.display), site: None, acute }
}

const fn sided(snomed: Coding, icd: (&'static str, &'static str), site: Coding) -> Problem {
    Problem { snomed, icd: coding(System::Icd, icd.0, icd.1), site: Some(site), acute: false }
}

const KNEE_OA: Coding = sct("239873007", "Osteoarthritis of knee");
const KNEE_PAIN: Coding = sct("30989003", "Knee pain");
const CATARACT: Coding = sct("193570009", "Cataract");
const OTITIS: Coding = sct("65363002", "Otitis media");
const LEFT_KNEE: Coding = sct("82169009", "Structure of left knee");
const RIGHT_KNEE: Coding = sct("6757004", "Structure of right knee");
const LEFT_EYE: Coding = sct("8966001", "Left eye structure");
const RIGHT_EYE: Coding = sct("18944008", "Right eye structure");
const LEFT_EAR: Coding = sct("89644007", "Left ear structure");
const RIGHT_EAR: Coding = sct("25577004", "Right ear structure");

static PROBLEMS: [Problem; 33] = [
    problem(sct("59621000", "Essential hypertension"), "I10", false),
    problem(sct("44054006", "Type 2 diabetes mellitus"), "E11.9", false),
    problem(sct("55822004", "Hyperlipidemia"), "E78.5", false),
    problem(sct("195967001", "Asthma"), "J45.909", false),
    problem(sct("40930008", "Hypothyroidism"), "E03.9", false),
    problem(sct("235595009", "Gastroesophageal reflux disease"), "K21.9", false),
    problem(sct("13645005", "Chronic obstructive lung disease"), "J44.9", false),
    problem(sct("84114007", "Heart failure"), "I50.9", false),
    problem(sct("49436004", "Atrial fibrillation"), "I48.91", false),
    problem(sct("53741008", "Coronary arteriosclerosis"), "I25.10", false),
    problem(sct("709044004", "Chronic kidney disease"), "N18.9", false),
    problem(sct("370143000", "Major depressive disorder"), "F32.9", false),
    problem(sct("197480006", "Anxiety disorder"), "F41.9", false),
    problem(sct("69896004", "Rheumatoid arthritis"), "M06.9", false),
    problem(sct("64859006", "Osteoporosis"), "M81.0", false),
    problem(sct("37796009", "Migraine"), "G43.909", false),
    problem(sct("84757009", "Epilepsy"), "G40.909", false),
    problem(sct("90560007", "Gout"), "M10.9", false),
    problem(sct("9014002", "Psoriasis"), "L40.9", false),
    problem(sct("24079001", "Atopic dermatitis"), "L20.9", false),
    problem(sct("23986001", "Glaucoma"), "H40.9", false),
    problem(sct("271737000", "Anemia"), "D64.9", false),
    problem(sct("68566005", "Urinary tract infectious disease"), "N39.0", true),
    problem(sct("10509002", "Acute bronchitis"), "J20.9", true),
    problem(sct("233604007", "Pneumonia"), "J18.9", true),
    sided(KNEE_OA, ("M17.12", "Unilateral primary osteoarthritis, left knee"), LEFT_KNEE),
    sided(KNEE_OA, ("M17.11", "Unilateral primary osteoarthritis, right knee"), RIGHT_KNEE),
    sided(KNEE_PAIN, ("M25.562", "Pain in left knee"), LEFT_KNEE),
    sided(KNEE_PAIN, ("M25.561", "Pain in right knee"), RIGHT_KNEE),
    // H26.9 does not say which eye: only the body site tells these two apart.
    sided(CATARACT, ("H26.9", "Unspecified cataract"), LEFT_EYE),
    sided(CATARACT, ("H26.9", "Unspecified cataract"), RIGHT_EYE),
    sided(OTITIS, ("H66.92", "Otitis media, unspecified, left ear"), LEFT_EAR),
    sided(OTITIS, ("H66.91", "Otitis media, unspecified, right ear"), RIGHT_EAR),
];

const fn drug_allergen(rxnorm: &'static str, substance: Coding, reaction: Coding) -> Allergen {
    let ingredient = coding(System::RxNorm, rxnorm, substance.display);
    Allergen { substance, ingredient: Some(ingredient), reaction }
}

const HIVES: Coding = sct("247472004", "Hives");
const ANAPHYLAXIS: Coding = sct("39579001", "Anaphylaxis");
const RASH: Coding = sct("271807003", "Eruption of skin");
const NAUSEA: Coding = sct("422587007", "Nausea");

static ALLERGENS: [Allergen; 10] = [
    drug_allergen("70618", sct("764146007", "Penicillin"), HIVES),
    drug_allergen("1191", sct("387458008", "Aspirin"), ANAPHYLAXIS),
    drug_allergen("2670", sct("387494007", "Codeine"), NAUSEA),
    drug_allergen("5640", sct("387207008", "Ibuprofen"), RASH),
    drug_allergen("7052", sct("373529000", "Morphine"), NAUSEA),
    drug_allergen("723", sct("372687004", "Amoxicillin"), RASH),
    drug_allergen("11124", sct("372735009", "Vancomycin"), RASH),
    Allergen { substance: sct("762952008", "Peanut"), ingredient: None, reaction: ANAPHYLAXIS },
    Allergen { substance: sct("102263004", "Eggs (edible)"), ingredient: None, reaction: HIVES },
    Allergen { substance: sct("111088007", "Latex"), ingredient: None, reaction: HIVES },
];

const fn drug(code: &'static str, display: &'static str, milligrams: i64, chronic: bool) -> Drug {
    Drug { coding: coding(System::RxNorm, code, display), milligrams, chronic }
}

static DRUGS: [Drug; 19] = [
    drug("314076", "lisinopril 10 MG Oral Tablet", 10, true),
    drug("197361", "amlodipine 5 MG Oral Tablet", 5, true),
    drug("310798", "hydrochlorothiazide 25 MG Oral Tablet", 25, true),
    drug("314231", "simvastatin 10 MG Oral Tablet", 10, true),
    drug("312961", "simvastatin 20 MG Oral Tablet", 20, true),
    drug("855332", "warfarin sodium 5 MG Oral Tablet", 5, true),
    drug("309362", "clopidogrel 75 MG Oral Tablet", 75, true),
    drug("979092", "hydroxychloroquine sulfate 200 MG Oral Tablet", 200, true),
    drug("861007", "metformin hydrochloride 500 MG Oral Tablet", 500, true),
    drug("313988", "furosemide 40 MG Oral Tablet", 40, true),
    drug("866924", "metoprolol tartrate 25 MG Oral Tablet", 25, true),
    drug("313782", "acetaminophen 325 MG Oral Tablet", 325, false),
    drug("198440", "acetaminophen 500 MG Oral Tablet", 500, false),
    drug("310965", "ibuprofen 200 MG Oral Tablet", 200, false),
    drug("849574", "naproxen sodium 220 MG Oral Tablet", 220, false),
    drug("308182", "amoxicillin 250 MG Oral Capsule", 250, false),
    drug("834061", "penicillin V potassium 250 MG Oral Tablet", 250, false),
    drug("309097", "cefuroxime 250 MG Oral Tablet", 250, false),
    drug("835603", "tramadol hydrochloride 50 MG Oral Tablet", 50, false),
];

const fn analyte(
    named: (&'static str, &'static str),
    unit: Unit,
    places: u8,
    normal: (i64, i64),
    drawn: (i64, i64),
) -> Analyte {
    let coding = coding(System::Loinc, named.0, named.1);
    Analyte { coding, unit, places, normal, drawn, other: None }
}

const fn also_molar(analyte: Analyte, unit: Unit, thousandths: i64, places: u8) -> Analyte {
    let other = Some(OtherUnit { unit, factor_thousandths: thousandths, places });
    let Analyte { coding, unit, places, normal, drawn, other: _ } = analyte;
    Analyte { coding, unit, places, normal, drawn, other }
}

const fn unit(ucum: &'static str, shown: &'static str) -> Unit {
    Unit { ucum, shown }
}

const MG_DL: Unit = unit("mg/dL", "mg/dL");
const G_DL: Unit = unit("g/dL", "g/dL");
const MMOL_L: Unit = unit("mmol/L", "mmol/L");
const U_L: Unit = unit("U/L", "U/L");
const PERCENT: Unit = unit("%", "%");
const PER_MIN: Unit = unit("/min", "/min");
const MM_HG: Unit = unit("mm[Hg]", "mmHg");

static BASIC: [Analyte; 8] = [
    // 18.016 mg/dL of glucose are 1 mmol/L.
    also_molar(
        analyte(
            ("2345-7", "Glucose [Mass/volume] in Serum or Plasma"),
            MG_DL,
            0,
            (70, 99),
            (62, 240),
        ),
        MMOL_L,
        18_016,
        1,
    ),
    analyte(
        ("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma"),
        MG_DL,
        0,
        (7, 20),
        (6, 45),
    ),
    analyte(
        ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma"),
        MG_DL,
        2,
        (60, 130),
        (50, 290),
    ),
    analyte(
        ("2951-2", "Sodium [Moles/volume] in Serum or Plasma"),
        MMOL_L,
        0,
        (135, 145),
        (126, 150),
    ),
    analyte(
        ("2823-3", "Potassium [Moles/volume] in Serum or Plasma"),
        MMOL_L,
        1,
        (35, 51),
        (29, 60),
    ),
    analyte(
        ("2075-0", "Chloride [Moles/volume] in Serum or Plasma"),
        MMOL_L,
        0,
        (98, 107),
        (92, 115),
    ),
    analyte(
        ("2028-9", "Carbon dioxide, total [Moles/volume] in Serum or Plasma"),
        MMOL_L,
        0,
        (22, 29),
        (17, 34),
    ),
    analyte(
        ("17861-6", "Calcium [Mass/volume] in Serum or Plasma"),
        MG_DL,
        1,
        (86, 103),
        (76, 112),
    ),
];

static LIPIDS: [Analyte; 4] = [
    // 38.67 mg/dL of cholesterol are 1 mmol/L, 88.57 of triglyceride.
    also_molar(
        analyte(
            ("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma"),
            MG_DL,
            0,
            (0, 200),
            (130, 310),
        ),
        MMOL_L,
        38_670,
        2,
    ),
    also_molar(
        analyte(
            ("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma"),
            MG_DL,
            0,
            (0, 150),
            (55, 420),
        ),
        MMOL_L,
        88_570,
        2,
    ),
    analyte(
        ("2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma"),
        MG_DL,
        0,
        (40, 60),
        (28, 85),
    ),
    analyte(
        ("18262-6", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by Direct assay"),
        MG_DL,
        0,
        (0, 130),
        (55, 210),
    ),
];

static BLOOD_COUNT: [Analyte; 5] = [
    analyte(("718-7", "Hemoglobin [Mass/volume] in Blood"), G_DL, 1, (120, 175), (80, 182)),
    analyte(
        ("4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count"),
        PERCENT,
        1,
        (360, 500),
        (260, 530),
    ),
    analyte(
        ("6690-2", "Leukocytes [#/volume] in Blood by Automated count"),
        unit("10*3/uL", "10*3/uL"),
        1,
        (45, 110),
        (25, 190),
    ),
    analyte(
        ("789-8", "Erythrocytes [#/volume] in Blood by Automated count"),
        unit("10*6/uL", "10*6/uL"),
        2,
        (400, 590),
        (300, 620),
    ),
    analyte(
        ("777-3", "Platelets [#/volume] in Blood by Automated count"),
        unit("10*3/uL", "10*3/uL"),
        0,
        (150, 400),
        (90, 480),
    ),
];

static LIVER: [Analyte; 5] = [
    analyte(
        ("1742-6", "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma"),
        U_L,
        0,
        (7, 55),
        (8, 140),
    ),
    analyte(
        ("1920-8", "Aspartate aminotransferase [Enzymatic activity/volume] in Serum or Plasma"),
        U_L,
        0,
        (8, 48),
        (9, 130),
    ),
    analyte(
        ("6768-6", "Alkaline phosphatase [Enzymatic activity/volume] in Serum or Plasma"),
        U_L,
        0,
        (40, 129),
        (35, 210),
    ),
    analyte(
        ("1975-2", "Bilirubin.total [Mass/volume] in Serum or Plasma"),
        MG_DL,
        1,
        (1, 12),
        (2, 38),
    ),
    analyte(("1751-7", "Albumin [Mass/volume] in Serum or Plasma"), G_DL, 1, (35, 50), (27, 53)),
];

static GLYCATED: [Analyte; 1] = [analyte(
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"),
    PERCENT,
    1,
    (40, 56),
    (48, 118),
)];

static THYROID: [Analyte; 1] = [analyte(
    ("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma"),
    unit("m[IU]/L", "mIU/L"),
    2,
    (40, 400),
    (15, 920),
)];

const fn panel(code: &'static str, display: &'static str, analytes: &'static [Analyte]) -> Panel {
    Panel { coding: coding(System::Loinc, code, display), analytes }
}

static PANELS: [Panel; 6] = [
    panel("51990-0", "Basic metabolic panel - Blood", &BASIC),
    panel("57698-3", "Lipid panel with direct LDL - Serum or Plasma", &LIPIDS),
    panel("58410-2", "CBC panel - Blood by Automated count", &BLOOD_COUNT),
    panel("24325-3", "Hepatic function 2000 panel - Serum or Plasma", &LIVER),
    panel("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", &GLYCATED),
    panel("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", &THYROID),
];

static VITAL_SIGNS: [Analyte; 8] = [
    analyte(("8480-6", "Systolic blood pressure"), MM_HG, 0, (90, 120), (92, 178)),
    analyte(("8462-4", "Diastolic blood pressure"), MM_HG, 0, (60, 80), (54, 108)),
    analyte(("8867-4", "Heart rate"), PER_MIN, 0, (60, 100), (52, 118)),
    analyte(("9279-1", "Respiratory rate"), PER_MIN, 0, (12, 20), (11, 26)),
    analyte(("8310-5", "Body temperature"), unit("Cel", "Cel"), 1, (361, 372), (358, 394)),
    analyte(
        ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),
        PERCENT,
        0,
        (95, 100),
        (89, 101),
    ),
    analyte(("29463-7", "Body weight"), unit("kg", "kg"), 1, (450, 1000), (480, 1240)),
    analyte(("8302-2", "Body height"), unit("cm", "cm"), 0, (150, 190), (148, 196)),
];

const fn vaccine(code: &'static str, display: &'static str, tenths_ml: i64) -> Vaccine {
    Vaccine { coding: coding(System::Cvx, code, display), tenths_ml }
}

static VACCINES: [Vaccine; 10] = [
    vaccine("140", "Influenza, seasonal, injectable, preservative free", 5),
    vaccine("33", "pneumococcal polysaccharide vaccine, 23 valent", 5),
    vaccine("133", "Pneumococcal conjugate PCV 13", 5),
    vaccine("115", "Tdap", 5),
    vaccine("113", "Td (adult), 5 Lf tetanus toxoid, preservative free, adsorbed", 5),
    vaccine("43", "Hep B, adult", 10),
    vaccine("52", "Hep A, adult", 10),
    vaccine("03", "MMR", 5),
    vaccine("21", "varicella", 5),
    vaccine("121", "zoster live", 6),
];
