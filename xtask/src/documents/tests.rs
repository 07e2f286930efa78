//! Which parts of a page are links to files.

use super::links;

#[test]
fn only_links_to_files_are_checked() {
    let text = "[a](docs/a.md) [b](b.md#part) [c](#part) [d](https://example.org/x) `f(x)[0](y z)`";
    assert_eq!(links(text).collect::<Vec<_>>(), ["docs/a.md", "b.md"]);
}
