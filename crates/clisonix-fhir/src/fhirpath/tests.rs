//! Units of the engine: tables of expressions with what they give, limits, and no panic on any
//! text.

use proptest::prelude::*;

use super::{
    Context, DateTime, EvaluationError, Item, MAX_EXPRESSION_BYTES, MAX_EXPRESSION_DEPTH,
    ParseErrorKind, parse,
};
use crate::json::{self, Value};

const PATIENT: &str = r##"{"resourceType":"Patient","id":"p","active":true,
"name":[{"use":"official","family":"Alpha","given":["A",null,"B"],
"_given":[null,{"extension":[{"url":"http://example.org/x","valueString":"y"}]},{"id":"b"}]},
{"use":"usual","_family":{"extension":[{"url":"http://example.org/x","valueInteger":1}]}}],
"birthDate":"1970-06","deceasedDateTime":"2020-01-02T03:04:05+01:00",
"multipleBirthInteger":2,
"contained":[{"resourceType":"Organization","id":"o","name":"O",
"modifierExtension":[{"url":"http://example.org/m","valueBoolean":true}]}],
"managingOrganization":{"reference":"#o"},
"generalPractitioner":[{"reference":"Practitioner/1"}],
"extension":[{"url":"http://example.org/q","valueQuantity":{"value":5.0,"unit":"milligram","system":"http://unitsofmeasure.org","code":"mg"}},
{"url":"http://example.org/r","valueQuantity":{"value":2,"unit":"pills"}}]}"##;

fn patient() -> Value {
    json::parse(PATIENT.as_bytes()).unwrap()
}

fn context(resource: &Value) -> Context<'_> {
    Context::new(resource).at(DateTime::parse("2026-01-02T03:04:05Z").unwrap())
}

/// The items' texts with commas between, or the error's.
fn result(text: &str) -> String {
    let patient = patient();
    let expression = match parse(text) {
        Ok(expression) => expression,
        Err(error) => return format!("{:?}", error.kind),
    };
    match expression.evaluate(&context(&patient)) {
        Ok(items) => {
            let texts = items.iter().map(|item| match item.to_text() {
                Some(text) => text.into_owned(),
                None => item.type_info().name.to_owned(),
            });
            texts.collect::<Vec<_>>().join(",")
        }
        Err(error) => format!("{error:?}"),
    }
}

/// An expression about the patient and what it gives.
const RESULTS: &[(&str, &str)] = &[
    // Choices, siblings, types.
    ("deceased is dateTime", "true"),
    ("deceased.ofType(boolean)", ""),
    ("multipleBirth + 1", "3"),
    ("name.given.count()", "3"),
    ("name.given.hasValue()", "false"),
    ("name.given.select(hasValue())", "true,false,true"),
    ("name.given.extension('http://example.org/x').value", "y"),
    ("name.given.id", "b"),
    ("name.family.extension.value + 1", "2"),
    ("name.family.count()", "2"),
    ("name[1].family = 'Alpha'", ""),
    ("contained.name", "O"),
    ("managingOrganization.resolve().name", "O"),
    ("generalPractitioner.resolve()", ""),
    ("Patient.contained.is(DomainResource)", "true"),
    ("Patient.type().name | 1.type().name", "Patient,Integer"),
    ("Resource.id", "p"),
    ("Observation.id", ""),
    ("children().ofType(Extension).count()", "2"),
    ("descendants().where($this is Quantity).value", "5.0,2"),
    ("(name | name).count()", "2"),
    // Quantities.
    ("extension[0].value = 0.005 'g'", "true"),
    ("extension[0].value < 6 'mg'", "true"),
    ("extension[1].value > 1 'mg'", ""),
    ("1 'mg/dL' = 10 'mg/L'", "true"),
    ("1 'mmol/L' = 1 'umol/mL'", "true"),
    ("1 'm[Hg]' = 1000 'mm[Hg]'", "true"),
    ("37 'Cel' = 37 'Cel'", "true"),
    ("120 'mg' + 1 'g'", "1120 'mg'"),
    ("1 'kg' - 1 'm'", ""),
    ("1 year = 12 months", "true"),
    ("1 year ~ 1 'a'", "true"),
    ("2 'm' * 3 'm' = 6 'm2'", "true"),
    ("'5 mg'.toQuantity()", ""),
    ("'5 \\'mg\\''.toQuantity('g')", "0.005 'g'"),
    // Decimals are exact.
    ("0.1 + 0.2 = 0.3", "true"),
    ("1.10 ~ 1.1", "true"),
    ("1.10.toString()", "1.10"),
    ("12345678901234567890.5 - 0.5 = 12345678901234567890.0", "true"),
    ("10 / 4", "2.5"),
    ("1 / 3", "0.3333333333333333"),
    ("7 div 2 | 7 mod 2", "3,1"),
    ("-7 div 2", "-3"),
    ("2147483648 + 1", "2147483649"),
    ("9223372036854775807 + 1", ""),
    ("2.5.round() | 3.5.round() | (-2.5).round()", "3,4,-3"),
    ("2.power(0.5).round(4)", "1.4142"),
    ("8.sqrt().round(3)", "2.828"),
    // Dates.
    ("birthDate < @1971", "true"),
    ("birthDate < @1970-06-15", ""),
    ("birthDate = @1970-06", "true"),
    ("@2020-01-31 + 1 month", "2020-02-29"),
    ("@2019-01-31 + 1 month", "2019-02-28"),
    ("@2020-02-29 - 1 year", "2019-02-28"),
    ("@2020 + 24 months", "2022"),
    ("@2020-12-31T23:59:59.5Z + 1 second", "2021-01-01T00:00:00.5Z"),
    ("@2020-01-01T00:30 - 45 minutes", "2019-12-31T23:45"),
    ("@T23:30 + 2 hours", "01:30"),
    ("@9999-12-31 + 1 day", ""),
    ("@2020-01-01T10:00:00+01:00 = @2020-01-01T09:00:00Z", "true"),
    ("@2020-01-01T10:00:00+01:00 < @2020-01-03T10:00:00", "true"),
    ("today() | now()", "2026-01-02,2026-01-02T03:04:05Z"),
    ("@2020-02-30", "Temporal"),
    ("@2020-01-01T25:00", "Temporal"),
    ("deceased.toDate()", "2020-01-02"),
    // Texts.
    ("'añb'.length() | 'añb'.indexOf('b') | 'añb'.substring(1, 1)", "3,2,ñ"),
    ("'a.b.c'.replaceMatches('\\\\.', '-')", "a-b-c"),
    (
        "'2020-05-17'.replaceMatches('(\\\\d+)-(\\\\d+)-(?<day>\\\\d+)', '${day}.$2.$1')",
        "17.05.2020",
    ),
    ("'aaa'.matchesFull('a{2}') | 'aaa'.matchesFull('a{2,}')", "false,true"),
    ("'abc'.matches('^(x|b)')", "false"),
    ("'foo bar'.matches('\\\\bbar\\\\b')", "true"),
    ("'aXb'.replaceMatches('.*?X', '')", "b"),
    ("'a'.matches('(a*)*b')", "false"),
    ("'x'.matches('[')", "Regex"),
    ("'x'.matches('(?=x)')", "Regex"),
    ("('a' & {}) & 'b'", "ab"),
    ("'a' + {}", ""),
    ("'ab'.encode('hex').decode('hex')", "ab"),
    ("'a,b'.split(',').join(';')", "a;b"),
    // Logic and collections.
    ("name.where(use = 'usual').exists() and true", "true"),
    ("{} or true | {}", "true"),
    ("(1 | 2 | 3).where($this > 1).select($this * $index)", "0,3"),
    ("(3 | 1 | 2).sort(-$this)", "3,2,1"),
    ("(1 | 2 | 3 | 4).aggregate($total + $this, 0)", "10"),
    ("(1 | 2).intersect(2 | 3)", "2"),
    ("1 in {}", "false"),
    ("iif(false, 1)", ""),
    (
        "%`ext-x` & '|' & %`vs-y`",
        "http://hl7.org/fhir/StructureDefinition/x|http://hl7.org/fhir/ValueSet/y",
    ),
    ("%resource.id = %rootResource.id", "true"),
    ("'x'.memberOf('http://example.org/vs')", ""),
    ("id.subsumes(%resource.id) | id.subsumedBy('q')", "true"),
    ("checkModifiers().id", "p"),
    ("contained.checkModifiers('http://example.org/m').name", "O"),
    // Faults.
    ("contained.checkModifiers('http://example.org/n')", "Modifier"),
    ("%nothing", "Variable"),
    ("$index", "Outside"),
    ("(1 | 2) + 1", "NotSingle(\"arithmetic\")"),
    ("name.single()", "NotSingle(\"single\")"),
    ("true + 1", "Operand(\"arithmetic\")"),
    ("id is nothing", "Type"),
    ("nothing()", "Function"),
    ("where()", "Arguments"),
    ("'x", "Unclosed"),
    ("1 +", "Operand"),
    ("1 2", "Operator"),
    ("(1", "Bracket"),
    ("'\\x'", "Escape"),
    ("#", "Character"),
];

#[test]
fn each_expression_gives_what_the_table_says() {
    for (text, wanted) in RESULTS {
        assert_eq!(result(text), *wanted, "{text}");
    }
}

#[test]
fn a_strict_evaluation_refuses_what_no_type_has() {
    let patient = patient();
    let strict = |text: &str| parse(text).unwrap().evaluate(&context(&patient).strict()).err();
    assert_eq!(strict("name.givne"), Some(EvaluationError::Element));
    assert_eq!(strict("deceasedDateTime"), Some(EvaluationError::Element));
    assert_eq!(strict("children().first()"), Some(EvaluationError::Order));
    assert_eq!(strict("name.suffix"), None);
}

#[test]
fn variables_resolvers_and_value_sets_are_handed_in() {
    let patient = patient();
    let other = json::parse(br#"{"resourceType":"Practitioner","id":"1"}"#).unwrap();
    let resolver = |text: &str| (text == "Practitioner/1").then_some(&other);
    let membership = |set: &str, _: Option<&str>, code: &str| Some(set == "s" && code == "p");
    let context = context(&patient)
        .with_variable("x", vec![Item::Integer(3)])
        .with_resolver(&resolver)
        .with_membership(&membership);
    let is_true = |text: &str| parse(text).unwrap().is_true(&context).unwrap();
    assert_eq!(is_true("%x = 3"), Some(true));
    assert_eq!(is_true("generalPractitioner.resolve() is Practitioner"), Some(true));
    assert_eq!(is_true("id.memberOf('s')"), Some(true));
    assert_eq!(is_true("id.memberOf('t')"), Some(false));
    let without = Context::new(&patient);
    assert_eq!(parse("now()").unwrap().evaluate(&without).err(), Some(EvaluationError::Now));
}

#[test]
fn what_is_too_long_too_deep_or_too_costly_is_refused() {
    let kind = |text: &str| parse(text).err().map(|error| error.kind);
    assert_eq!(kind(&" ".repeat(MAX_EXPRESSION_BYTES + 1)), Some(ParseErrorKind::TooLong));
    for (open, close) in [("(", ")"), ("-", ""), ("iif(", ",1)"), ("a[", "]")] {
        let deep = |n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
        assert_eq!(kind(&deep(MAX_EXPRESSION_DEPTH + 1)), Some(ParseErrorKind::TooDeep), "{open}");
        assert_eq!(kind(&deep(20)), None, "{open}");
    }
    let chain = |n: usize| format!("a{}", ".a".repeat(n));
    assert_eq!(kind(&chain(MAX_EXPRESSION_DEPTH)), Some(ParseErrorKind::TooDeep));
    assert_eq!(kind(&format!("1{}", " + 1".repeat(400))), Some(ParseErrorKind::TooDeep));
    let costly = "'x'.repeat($this & 'x')";
    assert_eq!(result(costly), "TooCostly");
    assert_eq!(result("(0 | 1).repeat($this + 1)"), "TooCostly");
    let grown = format!("'x'{}", ".select($this & $this)".repeat(60));
    assert_eq!(result(&grown), "TooLong");
    let long = "x".repeat(60_000);
    let many = format!(
        "1.repeat(iif($this < 500, $this + 1)).select(%resource.descendants().select('{long}'))"
    );
    assert_eq!(result(&many), "TooCostly");
    let regex = "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.matches('(a|a)*b')";
    assert_eq!(result(regex), "TooCostly");
}

/// Pieces of expressions, so that more than the lexer is tried.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "name",
        "given",
        ".",
        "(",
        ")",
        "[",
        "]",
        "{}",
        "1",
        "-",
        "+",
        "*",
        "/",
        "div",
        "mod",
        "|",
        "&",
        "=",
        "~",
        "<",
        ">=",
        "!=",
        "and",
        "or",
        "implies",
        "in",
        "contains",
        "is",
        "as",
        "Quantity",
        "'a'",
        "'mg'",
        "1.5",
        "@2020-02-29",
        "@T10:30",
        "@2020-01-01T00:00:00Z",
        "day",
        "years",
        "$this",
        "$index",
        "$total",
        "%resource",
        "where(",
        "select(",
        "repeat(",
        "children()",
        "descendants()",
        "first()",
        "matches('(a|b)*')",
        "lowBoundary()",
        "highBoundary(20)",
        "toQuantity()",
        "ofType(string)",
        "sort(",
        "aggregate(",
        "iif(",
        ",",
        "exists()",
        "not()",
        "power(",
        "9223372036854775807",
        "0.00000000000000000001",
        "birthDate",
        "deceased",
        "extension.value",
        "resolve()",
        "round(",
        "'é'",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn no_expression_makes_the_evaluation_panic(text in pieces()) {
        if let Ok(expression) = parse(&text) {
            let patient = patient();
            let _ = expression.evaluate(&context(&patient));
            let _ = expression.evaluate(&context(&patient).strict());
        }
    }

    #[test]
    fn no_pattern_makes_the_search_panic(pattern in "[ab()|*+?{}0-9,\\[\\]^$.\\\\-]{0,12}", text in "[ab-]{0,12}") {
        let mut steps = 1_000_000;
        if let Ok(regex) = super::regex::Regex::new(&pattern, &mut steps) {
            let _ = regex.is_found(&text, &mut steps);
            let _ = regex.is_whole(&text, &mut steps);
            let _ = regex.replace_all(&text, "$1", &mut steps);
        }
    }

    #[test]
    fn decimals_keep_the_laws_of_arithmetic(a in any::<i32>(), b in any::<i32>(), s in 0_u32..6, t in 0_u32..6) {
        let (x, y) = (super::Decimal::new(a.into(), s), super::Decimal::new(b.into(), t));
        prop_assert_eq!(x.plus(y), y.plus(x));
        prop_assert_eq!(x.times(y), y.times(x));
        prop_assert_eq!(x.plus(y).and_then(|sum| sum.plus(y.negated())), Some(x));
        prop_assert_eq!(super::Decimal::parse(&x.to_string()), Some(x));
        if b != 0 {
            let whole = x.whole_over(y).and_then(|q| q.times(y)).and_then(|p| p.plus(x.rest_over(y)?));
            prop_assert_eq!(whole, Some(x));
        }
    }

    #[test]
    fn dates_come_back(year in 3_i32..9_997, month in 1_u8..=12, day in 1_u8..=28, count in -400_i64..400) {
        let date = super::Date { year, month: Some(month), day: Some(day) };
        let step = super::temporal::Step::Day;
        let moved = date.plus(count, step).and_then(|there| there.plus(-count, step));
        prop_assert_eq!(moved, Some(date));
        prop_assert_eq!(super::Date::parse(&date.to_string()), Some(date));
    }
}

#[test]
fn replacing_cannot_make_more_text_than_the_limit_or_count_beyond_the_groups() {
    let patient = crate::json::parse(br#"{"resourceType":"Patient"}"#).unwrap();
    let check =
        |text: &str| parse(text).unwrap().evaluate(&Context::new(&patient)).map(|r| r.len());
    assert_eq!(check("'a'.replaceMatches('a', '$9223372036854775808')"), Ok(1));
    let many = "$0".repeat(15_000);
    let twice = format!(
        "'aaaaaaaaaaaaaaaa'.replaceMatches('^.*$', '{many}').replaceMatches('^.*$', '{many}')"
    );
    assert!(check(&twice).is_err());
}
