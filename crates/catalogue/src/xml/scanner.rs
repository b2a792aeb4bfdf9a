//! [`Scanner`]: XML text as start tags, end tags and plain text, with everything dangerous refused.
//!
//! A thin layer over `quick-xml`. It resolves the five predefined entities and character references, and nothing
//! else; a DTD ends the reading. It knows no element by name: what belongs where is for the callers, the
//! reader of a book's file ([`Rules::Strict`]) and the import ([`Rules::Lenient`]).

use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

use super::{XmlError, holds};

/// What is let through besides elements and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Nothing.
    Strict,
    /// CDATA sections as text; comments and processing instructions are passed over.
    Lenient,
}

#[derive(Debug)]
pub(crate) enum Token<'a> {
    Start(BytesStart<'a>),
    End,
    /// Text between two tags, never empty, with line ends as XML 1.0 reads them and references resolved.
    Text(String),
    /// The end of a document whose elements are all closed.
    Done,
}

pub(crate) struct Scanner<'a> {
    text: &'a str,
    rules: Rules,
    reader: Reader<&'a [u8]>,
    /// Open elements. The reader checks that end tags match, but not that they come.
    depth: usize,
    /// A tag that was met while text was gathered.
    waiting: Option<Token<'a>>,
    /// Where the token that was given last begins.
    offset: usize,
    waiting_offset: usize,
}

impl<'a> Scanner<'a> {
    /// A scanner over a whole document; a byte order mark is passed over.
    pub(crate) fn new(bytes: &'a [u8], rules: Rules) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(bytes).map_err(|error| XmlError::NotUtf8 {
            line: line_at(bytes, error.valid_up_to()),
            offset: error.valid_up_to(),
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        reader.config_mut().check_comments = true;
        Ok(Self { text, rules, reader, depth: 0, waiting: None, offset: 0, waiting_offset: 0 })
    }

    /// The line on which the token that was given last begins. Counted anew each time: ask for errors only.
    pub(crate) fn line(&self) -> usize {
        self.line_of(self.offset)
    }

    /// The line of an earlier [`offset`](Self::offset).
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        line_at(self.text.as_bytes(), offset)
    }

    /// Where the token that was given last begins, in bytes without a byte order mark.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Where the tag that was given last ends.
    pub(crate) fn end_offset(&self) -> usize {
        self.position()
    }

    /// The next token; after `Done` or an error, do not call again.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, XmlError> {
        if let Some(token) = self.waiting.take() {
            self.offset = self.waiting_offset;
            return Ok(token);
        }
        let mut gathered = String::new();
        // Where its first visible character is, which is the place that a person is told.
        let mut gathered_offset = None;
        loop {
            self.offset = self.position();
            let event = self.reader.read_event().map_err(|error| {
                self.offset = self.reader.error_position() as usize;
                self.malformed(error.to_string())
            })?;
            let token = match event {
                Event::Text(text) => {
                    if text.contains("]]>") {
                        return Err(self.malformed("the text holds ]]>; write ]]&gt;"));
                    }
                    let visible = text.trim_start();
                    if !visible.is_empty() {
                        gathered_offset.get_or_insert(self.offset + text.len() - visible.len());
                    }
                    gathered.push_str(&text.xml10_content());
                    continue;
                }
                Event::CData(text) if self.rules == Rules::Lenient => {
                    gathered_offset.get_or_insert(self.offset);
                    gathered.push_str(&text.xml10_content());
                    continue;
                }
                Event::GeneralRef(reference) => {
                    gathered_offset.get_or_insert(self.offset);
                    gathered.push(self.resolve(&reference)?);
                    continue;
                }
                Event::Comment(_) | Event::PI(_) if self.rules == Rules::Lenient => continue,
                Event::Decl(declaration) => {
                    self.check_declaration(&declaration)?;
                    continue;
                }
                Event::Start(start) => {
                    self.depth += 1;
                    Token::Start(start)
                }
                Event::End(_) => {
                    self.depth -= 1;
                    Token::End
                }
                Event::Eof if self.depth > 0 => {
                    return Err(self.malformed("the file ends before every element is closed; is it cut off?"));
                }
                Event::Eof => Token::Done,
                forbidden => return Err(self.forbidden(&forbidden)),
            };
            if gathered.is_empty() {
                return Ok(token);
            }
            self.waiting = Some(token);
            self.waiting_offset = self.offset;
            self.offset = gathered_offset.unwrap_or(self.offset);
            return Ok(Token::Text(gathered));
        }
    }

    fn position(&self) -> usize {
        // Positions are offsets into `text`, so they fit.
        self.reader.buffer_position() as usize
    }

    fn resolve(&self, reference: &BytesRef<'_>) -> Result<char, XmlError> {
        let character = match &**reference {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "apos" => Some('\''),
            "quot" => Some('"'),
            _ if reference.is_char_ref() => {
                reference.resolve_char_ref().ok().flatten().filter(|character| holds(*character))
            }
            _ => {
                return Err(XmlError::Forbidden {
                    line: self.line(),
                    construct: format!("the entity &{};", &**reference),
                    advice: "only &lt; &gt; &amp; &apos; &quot; and character references such as &#233; are; \
                             write the text itself",
                });
            }
        };
        character.ok_or_else(|| self.malformed(format!("&{}; names no character of XML", &**reference)))
    }

    fn check_declaration(&self, declaration: &BytesDecl<'_>) -> Result<(), XmlError> {
        if self.offset != 0 {
            return Err(self.malformed("<?xml … ?> stands elsewhere than at the very beginning"));
        }
        if declaration.version().ok().as_deref() != Some("1.0") {
            return Err(self.malformed("the declaration does not say version=\"1.0\""));
        }
        match declaration.encoding() {
            None => Ok(()),
            Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("UTF-8") => Ok(()),
            Some(_) => Err(self.malformed("the encoding is not declared as UTF-8; save the file with that encoding")),
        }
    }

    fn forbidden(&self, event: &Event<'_>) -> XmlError {
        let (construct, advice) = match event {
            Event::DocType(_) => ("a DTD (<!DOCTYPE …>)", "remove it"),
            Event::Comment(_) => ("a comment", "remove it: a book's file holds its data only"),
            Event::PI(_) => ("a processing instruction (<?…?>)", "remove it"),
            Event::CData(_) => ("a CDATA section", "write the text itself, with &lt; for < and &amp; for &"),
            _ => ("this markup", "remove it"),
        };
        XmlError::Forbidden { line: self.line(), construct: construct.to_owned(), advice }
    }

    fn malformed(&self, reason: impl Into<String>) -> XmlError {
        XmlError::Malformed { line: self.line(), reason: reason.into() }
    }
}

/// The line, from 1, that holds the byte at an offset.
pub(super) fn line_at(bytes: &[u8], offset: usize) -> usize {
    let before = &bytes[..offset.min(bytes.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
