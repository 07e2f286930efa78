//! From the text of mapping files to sections and rows.

mod expression;

use super::cursor::Cursor;
use super::syntax::{Block, Code, CodeMap, Files, Make, Name, Pick, Place, Put, Row, Writer};
use super::{MAX_MAPPING_BYTES, MappingError, Problem};

/// Reads files in order; later ones add to and replace what earlier ones say.
pub(super) fn parse_files(files: &[(&str, &str)]) -> Result<Files, Vec<MappingError>> {
    let mut all = Files::default();
    let mut errors = Vec::new();
    for (index, (name, text)) in files.iter().enumerate() {
        all.names.push((*name).to_owned());
        if text.len() > MAX_MAPPING_BYTES {
            errors.push(Cursor::new(name, index, 1, "").error(Problem::TooLarge));
            continue;
        }
        let mut sections = Sections::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.strip_prefix('\u{FEFF}').unwrap_or(line);
            let mut cursor = Cursor::new(name, index, number as u32 + 1, line);
            if let Err(error) = sections.line(&mut cursor) {
                errors.push(error);
            }
        }
        errors.extend(twice(name, &sections));
        join(&mut all, sections);
    }
    if errors.is_empty() { Ok(all) } else { Err(errors) }
}

/// The sections of one file.
#[derive(Default)]
struct Sections {
    constants: Vec<(Name, String)>,
    blocks: Vec<Block>,
    codemaps: Vec<CodeMap>,
    makes: Vec<Make>,
    open: Open,
}

/// The section that a row belongs to.
#[derive(Clone, Copy, Default)]
enum Open {
    #[default]
    Nothing,
    Block,
    CodeMap,
    /// A section whose head was wrong: its rows are passed over.
    Broken,
}

impl Sections {
    fn line(&mut self, cursor: &mut Cursor<'_>) -> Result<(), MappingError> {
        if cursor.is_done() {
            return Ok(());
        }
        let open = self.open;
        self.open = Open::Broken;
        if cursor.eat_word("block") {
            self.blocks.push(block(cursor)?);
            self.open = Open::Block;
        } else if cursor.eat_word("codemap") {
            self.codemaps.push(codemap(cursor)?);
            self.open = Open::CodeMap;
        } else if cursor.eat_word("make") {
            self.makes.push(make(cursor)?);
            self.open = Open::Nothing;
        } else {
            self.open = open;
            return self.row(cursor);
        }
        end_of_line(cursor)
    }

    fn row(&mut self, cursor: &mut Cursor<'_>) -> Result<(), MappingError> {
        match (self.open, self.blocks.last_mut(), self.codemaps.last_mut()) {
            (Open::Block, Some(block), _) => block.rows.push(row(cursor)?),
            (Open::CodeMap, _, Some(codemap)) => codemap.codes.push(code(cursor)?),
            (Open::Broken, ..) => return Ok(()),
            _ => self.constants.push(constant(cursor)?),
        }
        end_of_line(cursor)
    }
}

/// `let NAME = "TEXT"` outside of blocks.
fn constant(cursor: &mut Cursor<'_>) -> Result<(Name, String), MappingError> {
    if !cursor.eat_word("let") {
        return Err(cursor.expected("`block`, `codemap`, `make` or `let`"));
    }
    cursor.skip_blanks();
    let name = cursor.name("a name")?;
    cursor.need("=")?;
    cursor.skip_blanks();
    Ok((name, cursor.quoted()?))
}

fn end_of_line(cursor: &mut Cursor<'_>) -> Result<(), MappingError> {
    if cursor.is_done() { Ok(()) } else { Err(cursor.expected("the end of the line")) }
}

/// `block NAME -> TYPE [as LABEL]`, after the keyword.
fn block(cursor: &mut Cursor<'_>) -> Result<Block, MappingError> {
    cursor.skip_blanks();
    let name = cursor.name("the block's name")?;
    cursor.need("->")?;
    cursor.skip_blanks();
    let mut ty = cursor.name("a FHIR type")?;
    while cursor.eat(".") {
        let part = cursor.name("an element's name")?;
        ty.text.push('.');
        ty.text.push_str(&part.text);
    }
    let label = if cursor.eat_word("as") {
        cursor.skip_blanks();
        Some(cursor.name("a label")?)
    } else {
        None
    };
    Ok(Block { name, ty, label, rows: Vec::new() })
}

/// `codemap NAME [-> "SYSTEM"]`, after the keyword.
fn codemap(cursor: &mut Cursor<'_>) -> Result<CodeMap, MappingError> {
    cursor.skip_blanks();
    let name = cursor.name("the code map's name")?;
    cursor.skip_blanks();
    let system = if cursor.eat("->") {
        cursor.skip_blanks();
        Some(cursor.quoted()?)
    } else {
        None
    };
    Ok(CodeMap { name, system, codes: Vec::new() })
}

/// `make BLOCK from PATH [when COND] ["ROW ID"]`, after the keyword. The id is for the reader:
/// nothing replaces a `make`.
fn make(cursor: &mut Cursor<'_>) -> Result<Make, MappingError> {
    make_from(cursor).map(|(make, _)| make)
}

/// `BLOCK from PATH [when COND] ["ROW ID"]`.
fn make_from(cursor: &mut Cursor<'_>) -> Result<(Make, Option<String>), MappingError> {
    cursor.skip_blanks();
    let block = cursor.name("a block's name")?;
    if !cursor.eat_word("from") {
        return Err(cursor.expected("`from`"));
    }
    cursor.skip_blanks();
    let path = expression::path(cursor)?;
    let when = expression::when(cursor)?;
    Ok((Make { block, path, when }, row_id(cursor)?))
}

/// `FROM = TO ["DISPLAY"]`.
fn code(cursor: &mut Cursor<'_>) -> Result<Code, MappingError> {
    let from = code_word(cursor)?;
    cursor.need("=")?;
    let to = code_word(cursor)?;
    Ok(Code { from, to, display: row_id(cursor)? })
}

/// A code; `None` for the star.
fn code_word(cursor: &mut Cursor<'_>) -> Result<Option<String>, MappingError> {
    cursor.skip_blanks();
    let quoted = cursor.peek() == Some('"');
    let word = cursor.word("a code")?;
    Ok(if word == "*" && !quoted { None } else { Some(word) })
}

fn row_id(cursor: &mut Cursor<'_>) -> Result<Option<String>, MappingError> {
    cursor.skip_blanks();
    if cursor.peek() == Some('"') { cursor.quoted().map(Some) } else { Ok(None) }
}

fn row(cursor: &mut Cursor<'_>) -> Result<Row, MappingError> {
    if cursor.eat_word("let") {
        cursor.skip_blanks();
        let name = cursor.name("a name")?;
        cursor.need("=")?;
        return Ok(Row::Let { name, value: expression::expression(cursor)? });
    }
    if cursor.eat_word("require") {
        return required(cursor).map(Row::Require);
    }
    if let Some(row) = side_row(cursor)? {
        return Ok(row);
    }
    let at = cursor.at();
    let value = expression::expression(cursor)?;
    cursor.need("->")?;
    let target = target(cursor)?;
    let writer = writer(cursor)?;
    let when = expression::when(cursor)?;
    Ok(Row::Put(Box::new(Put { at, value, target, writer, when, id: row_id(cursor)? })))
}

/// `implied`, `also` or `issue`, if one of them comes next.
fn side_row(cursor: &mut Cursor<'_>) -> Result<Option<Row>, MappingError> {
    Ok(Some(if cursor.eat_word("implied") {
        let mut paths = Vec::new();
        loop {
            cursor.skip_blanks();
            paths.push(expression::path(cursor)?);
            cursor.skip_blanks();
            if !cursor.eat(",") {
                break;
            }
        }
        Row::Implied { paths, when: expression::when(cursor)?, id: row_id(cursor)? }
    } else if cursor.eat_word("also") {
        let (make, id) = make_from(cursor)?;
        Row::Also { make, id }
    } else if cursor.eat_word("issue") {
        cursor.skip_blanks();
        let text = cursor.quoted()?;
        Row::Issue { text, when: expression::when(cursor)?, id: row_id(cursor)? }
    } else {
        return Ok(None);
    }))
}

fn required(cursor: &mut Cursor<'_>) -> Result<Vec<Name>, MappingError> {
    let mut members = Vec::new();
    loop {
        cursor.skip_blanks();
        members.push(cursor.name("a member's name")?);
        if !cursor.eat_word("or") {
            return Ok(members);
        }
    }
}

fn target(cursor: &mut Cursor<'_>) -> Result<Vec<Place>, MappingError> {
    cursor.skip_blanks();
    let mut places = Vec::new();
    if cursor.eat(".") {
        return Ok(places);
    }
    loop {
        let name = cursor.name("an element's name")?;
        places.push(Place { name, pick: pick(cursor)? });
        if !cursor.eat(".") {
            return Ok(places);
        }
    }
}

fn pick(cursor: &mut Cursor<'_>) -> Result<Option<Pick>, MappingError> {
    if !cursor.eat("[") {
        return Ok(None);
    }
    let pick = if cursor.eat("+") {
        Pick::New
    } else if cursor.eat("=") {
        Pick::Last
    } else {
        Pick::Index(usize::from(cursor.number()? - 1))
    };
    cursor.need("]")?;
    Ok(Some(pick))
}

fn writer(cursor: &mut Cursor<'_>) -> Result<Writer, MappingError> {
    cursor.skip_blanks();
    if cursor.eat(":") {
        cursor.skip_blanks();
        cursor.name("a block's name").map(Writer::Block)
    } else if cursor.eat("|") {
        cursor.skip_blanks();
        cursor.name("a code map's name").map(Writer::CodeMap)
    } else {
        Ok(Writer::Plain)
    }
}

/// Names that stand twice in one file.
fn twice(file: &str, sections: &Sections) -> Vec<MappingError> {
    let blocks = sections.blocks.iter().map(|block| ("block", &block.name));
    let codemaps = sections.codemaps.iter().map(|codemap| ("code map", &codemap.name));
    let constants = sections.constants.iter().map(|(name, _)| ("constant", name));
    let mut seen = std::collections::HashSet::new();
    let again = blocks
        .chain(codemaps)
        .chain(constants)
        .filter(|(what, name)| !seen.insert((*what, &name.text)));
    again
        .map(|(what, name)| MappingError {
            file: file.to_owned(),
            line: name.at.line,
            column: name.at.column,
            problem: Problem::Twice { what, name: name.text.clone() },
        })
        .collect()
}

/// Adds a file's sections to those of the files before it.
fn join(all: &mut Files, sections: Sections) {
    for block in sections.blocks {
        match all.blocks.iter_mut().find(|known| known.name.text == block.name.text) {
            Some(known) => block.rows.into_iter().for_each(|row| overlay(&mut known.rows, row)),
            None => all.blocks.push(block),
        }
    }
    for codemap in sections.codemaps {
        match all.codemaps.iter_mut().find(|known| known.name.text == codemap.name.text) {
            Some(known) => {
                known.codes.retain(|code| !codemap.codes.iter().any(|new| new.from == code.from));
                known.codes.extend(codemap.codes);
                known.system = codemap.system.or(known.system.take());
            }
            None => all.codemaps.push(codemap),
        }
    }
    for (name, text) in sections.constants {
        all.constants.retain(|(known, _)| known.text != name.text);
        all.constants.push((name, text));
    }
    all.makes.extend(sections.makes);
}

/// Puts a row in the place of the one with the same id, else at the end.
fn overlay(rows: &mut Vec<Row>, row: Row) {
    let known = rows.iter_mut().find(|known| row.id().is_some() && known.id() == row.id());
    match known {
        Some(known) => *known = row,
        None => rows.push(row),
    }
}
