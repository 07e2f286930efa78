//! Tests of the narrative's conversion.

use super::*;
use crate::ccda::source::Source;

fn xhtml(inner: &str) -> (Option<String>, Vec<Issue>, usize) {
    let xml = format!("<text>{inner}</text>");
    let source = Source::parse(&xml).unwrap();
    let narrative = to_xhtml(source.root());
    narrative.used.into_iter().for_each(|place| source.use_place(place));
    (narrative.div, narrative.issues, source.kept().len())
}

fn div(inner: &str) -> String {
    format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>")
}

#[test]
fn blocks_become_the_html_that_fhir_allows() {
    for (cda, html) in [
        ("<paragraph>a &lt; b &amp; c</paragraph>", "<p>a &lt; b &amp; c</p>"),
        (
            "<content styleCode=\"Bold\" ID=\"x\">a</content>",
            "<span class=\"Bold\" id=\"x\">a</span>",
        ),
        ("<list listType=\"ordered\"><item>a</item></list>", "<ol><li>a</li></ol>"),
        ("<list><caption>c</caption><item>a</item></list>", "<p>c</p><ul><li>a</li></ul>"),
        ("a<br/>b<sup>2</sup>", "a<br/>b<sup>2</sup>"),
        (
            "<linkHtml href=\"https://a.b/?c&amp;d\">l</linkHtml>",
            "<a href=\"https://a.b/?c&amp;d\">l</a>",
        ),
        (
            "<table border=\"1\"><tr><td colspan=\"2\">a</td></tr></table>",
            "<table border=\"1\"><tr><td colspan=\"2\">a</td></tr></table>",
        ),
    ] {
        let (out, issues, kept) = xhtml(cda);
        assert_eq!(out, Some(div(html)));
        assert!(issues.is_empty());
        assert_eq!(kept, 0, "{cda}");
    }
}

#[test]
fn scripts_and_images_do_not_pass() {
    let (out, _, kept) = xhtml("<linkHtml href=\"javascript:x()\">l</linkHtml>");
    assert_eq!((out, kept), (Some(div("<a>l</a>")), 1));
    let (out, _, kept) = xhtml("<script onclick=\"x\">w</script>");
    assert_eq!((out, kept), (Some(div("w")), 1));
    let (out, issues, kept) = xhtml("a<renderMultiMedia referencedObject=\"i\"/>");
    assert_eq!((out, issues.len(), kept), (Some(div("a")), 1, 1));
}

#[test]
fn blank_narrative_is_none() {
    assert_eq!(xhtml(" <br/> ").0, None);
}
