//! What the storage says about one set of names, looked at again and again: it can't tell by itself.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use crate::back_off::{BackOff, seconds};
use crate::bundle;
use crate::certificates::Current;
use crate::challenges::Question;
use crate::settings::Settings;
use crate::storage::{Shelf, Stamp, Storage, file_name};

/// What was seen at the last look.
pub(crate) struct Watch {
    domains: Vec<String>,
    /// The name under which the certificate is kept.
    name: String,
    stamp: Option<Stamp>,
    /// The certificate that is kept.
    pub(crate) current: Option<Arc<Current>>,
    /// What failed last.
    pub(crate) back_off: Option<BackOff>,
    /// What authorities ask at the moment, of whichever names, by file.
    questions: BTreeMap<String, Question>,
}

impl Watch {
    pub(crate) fn new(settings: &Settings) -> Watch {
        let first = settings.domains.first().map(String::as_str).unwrap_or_default();
        let mut all = settings.domains.clone();
        all.sort_unstable();
        Watch {
            name: file_name(first, &format!("{} {}", settings.directory, all.join(" "))),
            domains: settings.domains.clone(),
            stamp: None,
            current: None,
            back_off: None,
            questions: BTreeMap::new(),
        }
    }

    /// The file of the certificate and its key.
    pub(crate) fn certificate_file(&self) -> String {
        format!("{}.pem", self.name)
    }

    /// The file of what failed last.
    pub(crate) fn back_off_file(&self) -> String {
        format!("{}.failed.json", self.name)
    }

    /// What is asked at the moment.
    pub(crate) fn questions(&self) -> Vec<Question> {
        self.questions.values().cloned().collect()
    }

    /// Looks, and gives what is odd: a file that is there and can't be used.
    ///
    /// # Errors
    /// The storage's.
    pub(crate) fn look(&mut self, storage: &Storage, now: SystemTime) -> io::Result<Option<String>> {
        let odd = self.look_at_certificate(storage)?;
        self.back_off = match storage.read(Shelf::Certificates, &self.back_off_file())? {
            Some(bytes) => serde_json::from_slice(&bytes).ok(),
            None => None,
        };
        self.look_at_questions(storage, now)?;
        Ok(odd)
    }

    fn look_at_certificate(&mut self, storage: &Storage) -> io::Result<Option<String>> {
        let file = self.certificate_file();
        let stamp = storage.stamp(Shelf::Certificates, &file)?;
        if stamp == self.stamp {
            return Ok(None);
        }
        self.stamp = stamp;
        let Some(bytes) = storage.read(Shelf::Certificates, &file)? else {
            // The one that was removed serves until it ends.
            return Ok(None);
        };
        match bundle::read(&bytes, &self.domains) {
            Ok(current) => {
                self.current = Some(Arc::new(current));
                Ok(None)
            }
            Err(why) => {
                let path = storage.path(Shelf::Certificates, &file);
                Ok(Some(format!("{} can't be used: {why}", path.display())))
            }
        }
    }

    fn look_at_questions(&mut self, storage: &Storage, now: SystemTime) -> io::Result<()> {
        let files = storage.list(Shelf::Challenges)?;
        self.questions
            .retain(|file, question| question.expires >= seconds(now) && files.contains(file));
        for file in files {
            if self.questions.contains_key(&file) {
                continue;
            }
            if let Some(bytes) = storage.read(Shelf::Challenges, &file)?
                && let Ok(question) = serde_json::from_slice::<Question>(&bytes)
            {
                if question.expires < seconds(now) {
                    // Whoever was asked died before it could remove it.
                    storage.remove(Shelf::Challenges, &file)?;
                } else {
                    self.questions.insert(file, question);
                }
            }
        }
        Ok(())
    }
}
