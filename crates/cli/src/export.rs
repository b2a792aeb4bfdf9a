//! `export`: the whole catalogue as a file.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use futures::StreamExt;
use reqwest::Method;
use reqwest::header::ACCEPT;

use crate::CommandError;
use crate::arguments::{ExportArguments, ExportFormat};
use crate::client::Client;
use crate::exit::Exit;
use crate::output;

pub(crate) async fn run(client: &Client, arguments: &ExportArguments) -> Result<Exit, CommandError> {
    let format = match arguments.format {
        ExportFormat::Xml => "xml",
        ExportFormat::Csv => "csv",
    };
    let request = client.request(Method::GET, &format!("/exports?format={format}")).header(ACCEPT, "*/*");
    let (response, changes) = client.send_raw(request).await?;
    let mut chunks = response.bytes_stream();
    match &arguments.output {
        None => {
            while let Some(chunk) = chunks.next().await {
                output::print_bytes(&chunk.map_err(|error| client.interrupted(&error, changes))?);
            }
        }
        Some(path) => {
            let mut file = PartialFile::create(path)?;
            while let Some(chunk) = chunks.next().await {
                file.write(&chunk.map_err(|error| client.interrupted(&error, changes))?)?;
            }
            let bytes = file.finish()?;
            output::say(&format!("{bytes} bytes written to {}", path.display()));
        }
    }
    Ok(Exit::Success)
}

/// A file that takes its name only when it is whole: an export that breaks off leaves an older one as it was.
struct PartialFile {
    path: PathBuf,
    partial_path: PathBuf,
    file: File,
    bytes: u64,
    finished: bool,
}

impl PartialFile {
    fn create(path: &Path) -> Result<Self, CommandError> {
        let mut partial_name = path.file_name().unwrap_or_default().to_owned();
        partial_name.push(".partial");
        let partial_path = path.with_file_name(partial_name);
        let file =
            File::create(&partial_path).map_err(|source| CommandError::Write { path: partial_path.clone(), source })?;
        Ok(PartialFile { path: path.to_owned(), partial_path, file, bytes: 0, finished: false })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|source| CommandError::Write { path: self.partial_path.clone(), source })
    }

    fn finish(mut self) -> Result<u64, CommandError> {
        self.file
            .sync_all()
            .and_then(|()| std::fs::rename(&self.partial_path, &self.path))
            .map_err(|source| CommandError::Write { path: self.path.clone(), source })?;
        self.finished = true;
        Ok(self.bytes)
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.finished {
            // Left over at worst; the error that brought us here is the one to tell.
            let _ = std::fs::remove_file(&self.partial_path);
        }
    }
}
