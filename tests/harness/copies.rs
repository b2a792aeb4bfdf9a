//! What is on the disks: every copy's files, compared byte for byte.

use crate::{Cluster, Service, eventually};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files of every copy, by their path below `books/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies(pub Vec<(Service, BTreeMap<PathBuf, Vec<u8>>)>);

impl Copies {
    /// Reads all copies.
    #[must_use]
    pub fn read(cluster: &Cluster) -> Self {
        let holders = cluster.services().into_iter().filter(|service| *service != Service::Coordinator);
        Self(holders.map(|service| (service, book_files(&cluster.data(service)))).collect())
    }

    /// Waits until all copies are the same and hold as many books as the app-server shows, and returns that one. Files follow
    /// the commit in the background: copies that are the same may all lack what was committed last.
    pub async fn wait_until_equal(cluster: &Cluster) -> BTreeMap<PathBuf, Vec<u8>> {
        let client = cluster.client();
        eventually("all copies are equal and complete", Duration::from_secs(60), async || {
            let books = client.cluster().await?["app_server"]["books"].as_u64()?;
            Self::read(cluster).equal().filter(|files| files.len() as u64 == books)
        })
        .await
    }

    /// Waits until all copies are the same and hold so many books. Files follow the commit in the background: copies that are
    /// the same may all lack what was committed last.
    pub async fn wait_until_all_hold(cluster: &Cluster, books: usize) -> BTreeMap<PathBuf, Vec<u8>> {
        let what = format!("all copies hold the same {books} books");
        eventually(&what, Duration::from_secs(60), async || {
            Self::read(cluster).equal().filter(|files| files.len() == books)
        })
        .await
    }

    fn equal(self) -> Option<BTreeMap<PathBuf, Vec<u8>>> {
        let mut copies = self.0.into_iter().map(|(_, files)| files);
        let first = copies.next()?;
        copies.all(|copy| copy == first).then_some(first)
    }
}

/// All files below `books/` of a data directory.
#[must_use]
pub fn book_files(data: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = data.join("books");
    let mut files = BTreeMap::new();
    for folder in std::fs::read_dir(&root).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            if let Ok(content) = std::fs::read(file.path()) {
                let path = file.path().strip_prefix(&root).expect("it was found below it").to_owned();
                files.insert(path, content);
            }
        }
    }
    files
}

/// What `sha256sum` prints.
#[must_use]
pub fn digest_of(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
