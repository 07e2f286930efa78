//! Narratives that may and may not be.

use super::check;

fn check_div(inner: &str, expected: Option<&str>) {
    let text = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>");
    assert_eq!(check(&text).err().map(|(key, _)| key), expected, "{inner}");
}

#[test]
fn what_may_be_shown_passes() {
    check_div("x", None);
    check_div("<p class='a > b'>x<br/><!-- a <note> --></p> y", None);
    check_div("<img src=\"#photo\" alt=\"\"/>", None);
    check_div("<a href=\"https://example.org/?a=b\" name=\"n\">x</a>", None);
}

#[test]
fn what_may_not_be_shown_is_told() {
    check_div("", Some("txt-2"));
    check_div(" <b> </b>\n<br/>", Some("txt-2"));
    for inner in [
        "<script>x</script>",
        "<b onclick=\"x()\">x</b>",
        "<a href=\" JavaScript:x()\">x</a>",
        "<iframe src=\"x\"/>x",
        "<form>x</form>",
        "<b>x",
        "<b>x</i>",
        "x</div><div>y",
        "<b x>x</b>",
        "<!-- x",
        "< b>x</b>",
    ] {
        check_div(inner, Some("txt-1"));
    }
    let deep = "<b>".repeat(200) + "x" + &"</b>".repeat(200);
    check_div(&deep, Some("txt-1"));
    for text in ["", "x", "<div>x</div>", "<p xmlns=\"http://www.w3.org/1999/xhtml\">x</p>"] {
        assert_eq!(check(text).unwrap_err().0, "txt-1", "{text}");
    }
}
