//! Tests of leaves, addresses and limits.

use super::*;

#[test]
fn leaves_have_addresses_and_marks() {
    let xml = r#"<a x="1"><b>t</b><b y="2">u<c/>v</b> <d/></a>"#;
    let source = Source::parse(xml).unwrap();
    let addresses = |source: &Source<'_>| {
        source.kept().into_iter().map(|kept| kept.address).collect::<Vec<_>>()
    };
    let all = ["/a/@x", "/a/b[1]/text()", "/a/b[2]/@y", "/a/b[2]/text()[1]", "/a/b[2]/text()[2]"];
    assert_eq!(addresses(&source), all);
    let second = source.root().children("b").nth(1).unwrap();
    assert_eq!(second.address(), "/a/b[2]");
    assert_eq!(second.text(), "u v");
    assert_eq!(second.peek("y"), Some("2"));
    assert_eq!(source.used_count(), 0);
    source.use_place(Place::Element(second.id()));
    source.use_place(second.place("y").unwrap());
    assert_eq!(addresses(&source), ["/a/@x", "/a/b[1]/text()"]);
    assert_eq!(source.used_count(), 3);
}

#[test]
fn blanks_between_elements_mark_nothing() {
    let source = Source::parse("<a> <b> t </b> <c x=\"1\"/></a>").unwrap();
    source.use_place(Place::Element(source.root().child("b").unwrap().id()));
    source.use_place(Place::Element(source.root().id()));
    assert_eq!(source.used_count(), 1);
    assert_eq!(source.kept()[0].address, "/a/c/@x");
}

#[test]
fn kinds_are_used_with_what_they_are_the_kind_of() {
    let xml = r#"<s><entry typeCode="DRIV"><act classCode="ACT" negationInd="false">
        <templateId root="1.2" extension="2015"/><templateId root="1.3"/>
        <code xsi:type="CD" code="c" xmlns:xsi="x"/></act></entry>
        <entry typeCode="DRIV"><act classCode="ACT"/></entry></s>"#;
    let source = Source::parse(xml).unwrap();
    let act = source.root().path(&["entry", "act"]).unwrap();
    source.use_place(act.path(&["templateId"]).unwrap().place("root").unwrap());
    source.use_place(act.path(&["code"]).unwrap().place("code").unwrap());
    let unread: Vec<String> = source.use_kinds().into_iter().map(Elem::address).collect();
    assert_eq!(unread, ["/s/entry[2]/act"]);
    let kept: Vec<String> = source.kept().into_iter().map(|kept| kept.address).collect();
    assert_eq!(
        kept,
        [
            "/s/entry[1]/act/@negationInd",
            "/s/entry[1]/act/templateId[2]/@root",
            "/s/entry[2]/@typeCode",
            "/s/entry[2]/act/@classCode"
        ]
    );
}

#[test]
fn limits_and_entities_are_refused() {
    let deep = "<a>".repeat(300_000);
    assert_eq!(Source::parse(&deep).err().unwrap().code, IssueCode::TooCostly);
    let entities = "<!DOCTYPE a [<!ENTITY b \"bb\">]><a>&b;</a>";
    assert_eq!(Source::parse(entities).err().unwrap().code, IssueCode::NotSupported);
    assert!(Source::parse("<a><b></a>").is_err());
    assert!(Source::parse("").is_err());
    // What only looks like elements does not count as depth.
    let comment = format!("<a><!-- {} --><![CDATA[{}]]></a>", "<b>".repeat(500), "<c>".repeat(500));
    assert!(Source::parse(&comment).is_ok());
}
