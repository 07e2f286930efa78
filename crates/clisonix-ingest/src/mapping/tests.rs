//! The mapping language: grammar, checks, and runs over a small XML source.

use std::borrow::Cow;

use clisonix_fhir::json::Value;
use proptest::prelude::*;
use roxmltree::{Document, Node};

use super::{Argument, Axis, Made, Mapping, MappingError, Source, Text};

/// XML as a source: part n of a node is its child `p` with `n="…"`; `""` in a text retracts.
struct Xml<'d>(&'d Document<'d>);

#[derive(Clone, Copy, Debug)]
enum At<'d> {
    Element(Node<'d, 'd>),
    Attribute(&'d str, &'d str),
}

impl<'d> At<'d> {
    fn element(self) -> Option<Node<'d, 'd>> {
        match self {
            At::Element(node) => Some(node),
            At::Attribute(..) => None,
        }
    }
}

impl<'d> Source for Xml<'d> {
    type Node = At<'d>;

    fn root(&self) -> At<'d> {
        At::Element(self.0.root_element())
    }

    fn find(&self, from: At<'d>, axis: Axis<'_>, found: &mut Vec<At<'d>>) {
        let Some(node) = from.element() else { return };
        let children = || node.children().filter(Node::is_element);
        match axis {
            Axis::Name(name) if is_segment(name) && node.tag_name().name() == name => {
                found.push(from);
            }
            Axis::Name(name) => {
                found.extend(children().filter(|c| c.tag_name().name() == name).map(At::Element));
            }
            Axis::Any => found.extend(children().map(At::Element)),
            Axis::Deep(name) => found.extend(
                node.descendants().skip(1).filter(|d| d.tag_name().name() == name).map(At::Element),
            ),
            Axis::Part(number) => found.extend(
                children()
                    .filter(|c| c.attribute("n") == Some(&number.to_string()))
                    .map(At::Element),
            ),
            Axis::Attribute(name) => {
                let attribute = node.attributes().find(|attribute| attribute.name() == name);
                found.extend(attribute.and_then(|attribute| {
                    let value = node.attribute(attribute.name())?;
                    Some(At::Attribute(attribute.name(), value))
                }));
            }
            Axis::Around => found.extend(node.parent_element().map(At::Element)),
        }
    }

    fn text(&self, node: At<'d>) -> Text<'_> {
        let text = match node {
            At::Element(node) => node.text().unwrap_or_default().trim(),
            At::Attribute(_, value) => value,
        };
        match text {
            "" => Text::Nothing,
            "\"\"" => Text::Retract,
            text => Text::Value(Cow::Borrowed(text)),
        }
    }

    fn name(&self, node: At<'d>) -> Cow<'_, str> {
        match node {
            At::Element(node) => Cow::Owned(node.tag_name().name().to_owned()),
            At::Attribute(name, _) => Cow::Borrowed(name),
        }
    }

    fn address(&self, node: At<'d>) -> String {
        self.name(node).into_owned()
    }

    fn call(
        &self,
        function: &str,
        _: At<'d>,
        arguments: &[Argument<At<'d>>],
    ) -> Option<(String, Vec<At<'d>>)> {
        let texts = arguments.iter().filter_map(|argument| argument.text.as_deref());
        (function == "twice").then(|| (texts.collect::<String>().repeat(2), Vec::new()))
    }
}

/// Segments have names of three capital letters; elements have others.
fn is_segment(name: &str) -> bool {
    name.len() == 3 && name.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn load(text: &str) -> Result<Mapping, Vec<MappingError>> {
    Mapping::load(&[("test.map", text)], &["twice"])
}

/// Runs a mapping over XML: the resources as one line each, the used nodes' names, the issues.
fn run(mapping: &str, xml: &str) -> (Vec<String>, Vec<String>, usize) {
    let mapping = load(mapping).unwrap_or_else(|errors| panic!("{errors:?}"));
    let document = Document::parse(xml).unwrap();
    // The document outlives the run; leaking it keeps the test source free of lifetimes.
    let document: &'static Document<'_> = Box::leak(Box::new(
        Document::parse(Box::leak(document.input_text().to_owned().into_boxed_str())).unwrap(),
    ));
    let source = Xml(document);
    let Made { drafts, used, issues } = mapping.run(&source);
    let used = used.into_iter().map(|node| source.name(node).into_owned()).collect();
    (drafts.iter().map(|draft| draft.resource.to_text()).collect(), used, issues.len())
}

fn first_error(text: &str) -> String {
    load(text).unwrap_err().first().unwrap().to_string()
}

#[test]
fn a_segment_becomes_a_patient() {
    let mapping = r#"
block CX -> Identifier
  .1 -> value                       # the number
  system(.4) -> system
  require value

block PATIENT -> Patient as patient
  PID-3[*] -> identifier[+] : CX    "PID-3"
  PID-7 -> birthDate
  PID-8 -> Patient.gender | gender
  PID-5 -> name[=].family
  PID-6[*] -> name[=].given[+]
  PID-9 -> name[+].text

codemap gender
  M = male
  * = unknown

make PATIENT from PID
"#;
    let xml = r#"<msg><PID>
      <p n="3"><p n="1">77</p><p n="4">2.16.840.1.113883.4.1</p></p>
      <p n="3"><p n="4">1.2.3</p></p>
      <p n="5">Núñez</p><p n="6">Ana</p><p n="6">Eva</p><p n="9">Ana N.</p>
      <p n="7">19700203</p><p n="8">M</p><p n="8">F</p></PID></msg>"#;
    let (resources, used, issues) = run(mapping, xml);
    assert_eq!(
        resources,
        [concat!(
            r#"{"resourceType":"Patient","identifier":[{"value":"77","system":"http://hl7.org/fhir/sid/us-ssn"}],"#,
            r#""birthDate":"1970-02-03","gender":"male","#,
            r#""name":[{"family":"Núñez","given":["Ana","Eva"]},{"text":"Ana N."}]}"#
        )]
    );
    // Used: two of the identifier (the one without value is kept), date, gender once, four of names.
    assert_eq!((used.len(), issues), (8, 0));
}

#[test]
fn one_place_takes_one_value_and_the_rest_is_kept() {
    let mapping = r#"
block O -> Observation as o
  v[@type = "PQ"] -> valueQuantity : Q
  v[@type = "ST"] -> valueString
  "final" -> status
  code -> status
  require valueQuantity or valueString
block Q -> Quantity
  @value -> value
  @unit -> unit
make O from o[*] when not @skip
"#;
    let xml = r#"<m><o><v type="PQ" value="+05.10" unit="mg"/><v type="ST">x</v><code>c</code></o>
      <o skip="1"><v type="ST">y</v></o><o><code>c</code></o><o><v type="PQ" value="five"/></o></m>"#;
    let (resources, used, issues) = run(mapping, xml);
    assert_eq!(
        resources,
        [
            r#"{"resourceType":"Observation","valueQuantity":{"value":5.10,"unit":"mg"},"status":"final"}"#
        ]
    );
    assert_eq!(used, ["value", "unit", "type"]);
    assert_eq!(issues, 1);
}

#[test]
fn resources_refer_to_each_other() {
    let mapping = r"
block REPORT -> DiagnosticReport as report
  code -> code.text
  ref(patient) -> subject
  o[*] -> result[+] : OBS
  ref(nobody) -> performer[+]
block OBS -> Observation
  v -> valueString
  ref(patient) -> subject
  ref(report) -> focus[+]
  ref(report) -> derivedFrom[+]      # an observation is not derived from a report
block PATIENT -> Patient as patient
  name -> name[+].text
block NOBODY -> Practitioner as nobody
  none -> id
make REPORT from r[*]
make PATIENT from p
";
    let xml = "<m><r><code>c</code><o><v>1</v></o><o/><o><v>2</v></o></r><p><name>n</name></p></m>";
    let (resources, used, _) = run(mapping, xml);
    assert_eq!(
        resources,
        [
            r##"{"resourceType":"DiagnosticReport","code":{"text":"c"},"subject":{"reference":"#3"},"result":[{"reference":"#1"},{"reference":"#2"}]}"##,
            r##"{"resourceType":"Observation","valueString":"1","subject":{"reference":"#3"},"focus":[{"reference":"#0"}]}"##,
            r##"{"resourceType":"Observation","valueString":"2","subject":{"reference":"#3"},"focus":[{"reference":"#0"}]}"##,
            r#"{"resourceType":"Patient","name":[{"text":"n"}]}"#,
        ]
    );
    assert_eq!(used.len(), 4);
}

#[test]
fn functions_variables_predicates_and_code_maps() {
    let mapping = r#"
codemap act -> "http://example.org/act"
  IMP = IMP "inpatient"
codemap plain
  "a b" = "c d"
  x = *
block P -> Patient
  let whole = concat(a, "-", b)
  $whole -> id
  join(" ", a, b, i[*]) -> name[+].text
  first(none, b) -> language
  split("1/2/3", "/", "2") -> maritalStatus.text when b in ("B", "C")
  upper(i[@k = "2"]) -> name[+].family
  i[2] -> name[1].given[+]
  twice(a) -> name[=].suffix[+]
  k -> maritalStatus.coding[+] | act
  code(w, plain) -> address[+].city
  quantity(q, u) -> extension[+].valueQuantity
  name(b) -> implicitRules
  before(b, "?") -> address[=].state
  //deep//z/@at -> address[=].text
  m -> multipleBirthInteger
make P from .
"#;
    let xml = r#"<m><a>A</a><b>B</b><i k="1">one</i><i k="2">two</i><k>IMP</k><w>a b</w>
      <q>1.50</q><u>mg</u><deep><y><z at="here"/></y></deep><m>3</m></m>"#;
    let (resources, _, issues) = run(mapping, xml);
    assert_eq!(
        resources,
        [concat!(
            r#"{"resourceType":"Patient","id":"A-B","name":[{"text":"A B one two","given":["two"]},"#,
            r#"{"family":"TWO","suffix":["AA"]}],"language":"B","#,
            r#""maritalStatus":{"text":"2","coding":[{"system":"http://example.org/act","code":"IMP","display":"inpatient"}]},"#,
            r#""address":[{"city":"c d","state":"B","text":"here"}],"#,
            r#""extension":[{"valueQuantity":{"value":1.50,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}}],"#,
            r#""implicitRules":"b","multipleBirthInteger":3}"#
        )]
    );
    assert_eq!(issues, 0);
}

#[test]
fn retraction_becomes_null_once() {
    let mapping = r"
block P -> Patient
  a -> birthDate
  b -> name[+].text
  c -> name[+].text
  d -> maritalStatus.text
make P from .
";
    let (resources, used, _) = run(mapping, r#"<m><a>""</a><b>""</b><c>x</c><d>""</d></m>"#);
    assert_eq!(
        resources,
        [
            r#"{"resourceType":"Patient","birthDate":null,"name":null,"maritalStatus":{"text":null}}"#
        ]
    );
    assert_eq!(used, ["a", "b", "d"]);
}

#[test]
fn a_block_may_call_itself_within_the_limit() {
    let mapping = r"
block O -> Observation
  v -> valueString
  o[*] -> hasMember[+] : O
make O from o
";
    let nested =
        |depth: usize| format!("<m>{}{}</m>", "<o><v>1</v>".repeat(depth), "</o>".repeat(depth));
    assert_eq!(run(mapping, &nested(3)).0.len(), 3);
    let (resources, _, issues) = run(mapping, &nested(200));
    assert_eq!((resources.len(), issues), (super::MAX_NESTING, 1));
}

#[test]
fn implied_leaves_resources_beside_issues_and_the_block_itself() {
    let mapping = r#"
let ACT = "a"
block O -> Observation as o
  implied kind[@k = $ACT], none when t
  also SIDE from s
  issue "there is no code" when not code
  t -> valueString
  . -> . : CODED
  who[*] -> performer[+] : WHO
  note[*] -> note[+] : NOTE
  require valueString
block CODED -> Observation
  code -> code.text when kind/@k in ($ACT, "b")
block SIDE -> ServiceRequest
  . -> code.text
block WHO -> Reference
  @org -> display
  . -> . : DEVICE when @device
block DEVICE -> Device
  @device -> distinctIdentifier
block NOTE -> Annotation
  . -> text
make O from o[*]
"#;
    let xml = r#"<m><o><kind k="a" l="x"/><t>1</t><code>c</code><s>side</s><who org="lab"/>
      <who device="d"/><note>n</note><note>n</note></o><o><kind k="a"/><s>gone</s></o></m>"#;
    let (resources, used, issues) = run(mapping, xml);
    assert_eq!(
        resources,
        [
            concat!(
                r#"{"resourceType":"Observation","valueString":"1","code":{"text":"c"},"#,
                r#""performer":[{"display":"lab"}],"note":[{"text":"n"}]}"#
            ),
            r#"{"resourceType":"ServiceRequest","code":{"text":"side"}}"#,
        ]
    );
    // A device may not perform; the second note says nothing new; the element implied is itself.
    assert_eq!(used, ["s", "t", "code", "k", "org", "note", "note", "k", "kind"]);
    assert_eq!(issues, 1);
}

#[test]
fn mistakes_are_named_with_their_place() {
    let patient = "block P -> Patient\n";
    let cases = [
        ("block P -> Pateint\n", "test.map:1:12: unknown type `Pateint`, did you mean `Patient`?"),
        ("x -> birthDat\n", "test.map:2:6: unknown element `birthDat`, did you mean `birthDate`?"),
        ("x -> name.text\n", "test.map:2:6: `name` is a list: say `[+]`, `[=]` or `[n]`"),
        ("x -> birthDate[+]\n", "test.map:2:6: `birthDate` is no list"),
        ("x -> birthDate.day\n", "test.map:2:6: `birthDate` is a date: it has no elements"),
        (
            "x -> maritalStatus\n",
            "test.map:2:6: `maritalStatus` is a CodeableConcept: it takes a block of its type",
        ),
        ("x -> name[+] : XPN\n", "test.map:2:16: unknown block `XPN`"),
        (
            "x -> gender | gendr\ncodemap gender\n",
            "test.map:2:15: unknown code map `gendr`, did you mean `gender`?",
        ),
        ("upperr(x) -> id\n", "test.map:2:1: unknown function `upperr`, did you mean `upper`?"),
        ("split(x) -> id\n", "test.map:2:1: `split` takes a value, a separator and a number"),
        ("$y -> id\n", "test.map:2:2: unknown variable `y`"),
        ("ref(p) -> id\n", "test.map:2:1: unknown label `p`"),
        ("x - > id\n", "test.map:2:3: expected ->"),
        ("x[ -> id\n", "test.map:2:4: expected a path, a text in quotes or a function"),
        ("x -> id \"r\" more\n", "test.map:2:13: expected the end of the line"),
        (
            "\"x -> id\n",
            "test.map:2:2: expected a closing quote, with \\\" and \\\\ as the only escapes",
        ),
        ("block P -> Patient\n", "test.map:2:7: the block `P` is there already"),
        ("PID-0 -> id\n", "test.map:2:5: expected a number from 1 to 65535"),
        (
            "x -> name[+] : P\n",
            "test.map:2:6: `name` is a HumanName: a block that makes a resource fits a Reference or a resource only",
        ),
        (
            "x -> . : P\nblock Q -> Coding\ny -> . : P\n",
            "test.map:4:10: `.` is a Coding: the block makes another type",
        ),
        (
            "x -> _birthDate\n",
            "test.map:2:6: `_birthDate` is a date: `_name` takes the `id` and `extension` of a single value",
        ),
        ("x -> id when y in ($Z)\n", "test.map:2:21: unknown variable `Z`"),
        ("require nam\n", "test.map:2:9: unknown element `nam`, did you mean `name`?"),
    ];
    for (text, expected) in cases {
        let whole = if text.starts_with("block P -> Pat") && expected.contains(":1:") {
            text.to_owned()
        } else {
            format!("{patient}{text}")
        };
        assert_eq!(first_error(&whole), expected, "{whole}");
    }
    assert_eq!(
        first_error("x -> y\n"),
        "test.map:1:1: expected `block`, `codemap`, `make` or `let`"
    );
    let deep = format!("{patient}x -> id when {}x{}\n", "(".repeat(500), ")".repeat(500));
    assert!(first_error(&deep).contains("nested too deep"));
}

#[test]
fn later_files_replace_rows_by_id_and_add_to_code_maps() {
    let base = "codemap g\n  M = male\nblock P -> Patient\n  a -> id \"row\"\n  b -> gender | g\nmake P from .\n";
    let site = "codemap g\n  X = other\nblock P -> Patient\n  c -> id \"row\"\n  d -> language\n";
    let mapping = Mapping::load(&[("base", base), ("site", site)], &[]).unwrap();
    let text: &'static str = "<m><a>1</a><b>X</b><c>2</c><d>de</d></m>";
    let document: &'static Document<'_> = Box::leak(Box::new(Document::parse(text).unwrap()));
    let made = mapping.run(&Xml(document));
    let resources: Vec<String> = made.drafts.iter().map(|d| Value::to_text(&d.resource)).collect();
    assert_eq!(
        resources,
        [r#"{"resourceType":"Patient","id":"2","gender":"other","language":"de"}"#]
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
        let _ = load(&text);
    }

    #[test]
    fn no_mix_of_tokens_makes_the_parser_panic(
        tokens in prop::collection::vec(
            prop::sample::select(vec![
                "block", "make", "codemap", "P", "Patient", "->", "PID-3", "[", "]", "[*]", "[+]", "(", ")",
                "when", "not", "and", "or", "in", "=", "!=", "\"x\"", "\"", "\\", "|", ":", ".", "..", "//", "/", "@a",
                "$v", "let", "require", "ref(", "code(", ",", "\n", " ", "#", "name", "id", "é", "*", "7",
            ]),
            0..60,
        )
    ) {
        let _ = load(&tokens.concat());
        let _ = load(&format!("block P -> Patient\n{}", tokens.join(" ")));
    }
}
