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
    assert_eq!(second.text().as_deref(), Some("u v"));
    assert_eq!(second.take("y"), Some("2"));
    assert_eq!(addresses(&source), ["/a/@x", "/a/b[1]/text()"]);
    assert_eq!(source.used_count(), 3);
    second.unmark();
    assert_eq!(source.used_count(), 0);
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
