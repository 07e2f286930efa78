//! News that is no change: statements that made changes of records final, as an arrival of the store.

use clisonix_pq::checkpoint::Statement;
use sha2::{Digest, Sha256};

/// Which statements came, and of which records they made changes final.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Digests of the statements.
    pub(crate) statements: Vec<[u8; 32]>,
    pub(crate) records: Vec<String>,
}

impl News {
    pub(crate) fn new<'a>(
        statements: impl IntoIterator<Item = &'a Statement>,
        records: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let digest = |statement: &Statement| Sha256::digest(statement.to_bytes()).into();
        Self {
            statements: statements.into_iter().map(digest).collect(),
            records: records.into_iter().map(str::to_owned).collect(),
        }
    }

    /// The count of statements in 2 bytes, their digests, then each record: its length in 1 byte
    /// and its id.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = (self.statements.len() as u16).to_be_bytes().to_vec();
        out.extend(self.statements.as_flattened());
        for record in &self.records {
            // The store takes no longer id.
            out.push(u8::try_from(record.len()).unwrap_or(u8::MAX));
            out.extend(record.as_bytes());
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk()?;
        let length = 32 * usize::from(u16::from_be_bytes(*count));
        let (statements, mut rest) = rest.split_at_checked(length)?;
        let mut records = Vec::new();
        while let Some((length, after)) = rest.split_first() {
            let (record, after) = after.split_at_checked(usize::from(*length))?;
            records.push(String::from_utf8(record.to_vec()).ok()?);
            rest = after;
        }
        Some(Self { statements: statements.as_chunks().0.to_vec(), records })
    }
}

#[cfg(test)]
mod tests {
    use super::News;

    #[test]
    fn news_is_read_as_it_was_written() {
        let news = News {
            statements: vec![[1; 32], [2; 32]],
            records: vec!["p-1".to_owned(), "s-2".to_owned()],
        };
        let bytes = news.encode();
        assert_eq!(News::decode(&bytes), Some(news));
        assert_eq!(News::decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(News::decode(&[0, 0]), Some(News::default()));
    }
}
