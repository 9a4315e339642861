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
        let mut all = settings.domains.clone();
        all.sort_unstable();
        let first = all.first().map(String::as_str).unwrap_or_default();
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::failure::Failure;
    use crate::settings::{ChallengeKind, Pace};

    fn settings(storage: PathBuf) -> Settings {
        Settings {
            directory: "https://ca.test/".to_owned(),
            ca: None,
            domains: vec!["a.test".to_owned()],
            contact: None,
            challenge: ChallengeKind::Http,
            storage,
            renew_before: None,
            external_account: None,
            pace: Pace::default(),
        }
    }

    fn bundle(name: &str) -> Vec<u8> {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        bundle::write(&made.signing_key.serialize_pem(), &made.cert.pem())
    }

    #[test]
    fn a_certificate_is_taken_and_one_that_cant_be_used_is_told_of_once() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let mut watch = Watch::new(&settings(folder.path().to_owned()));
        let now = SystemTime::now();
        assert_eq!(watch.look(&storage, now).unwrap(), None);
        assert!(watch.current.is_none());

        let file = watch.certificate_file();
        let put = |bytes: &[u8]| storage.write(Shelf::Certificates, &file, bytes).unwrap();
        put(&bundle("a.test"));
        assert_eq!(watch.look(&storage, now).unwrap(), None);
        let first = watch.current.clone().unwrap();
        put(&bundle("b.test"));
        let odd = watch.look(&storage, now).unwrap().unwrap();
        assert!(odd.contains(&file) && odd.contains("not for a.test"), "{odd}");
        assert_eq!(watch.look(&storage, now).unwrap(), None);
        assert!(Arc::ptr_eq(&first, watch.current.as_ref().unwrap()));
        put(&bundle("a.test"));
        assert_eq!(watch.look(&storage, now).unwrap(), None);
        assert!(!Arc::ptr_eq(&first, watch.current.as_ref().unwrap()));
    }

    #[test]
    fn the_order_of_the_names_does_not_matter() {
        let mut one = settings(PathBuf::new());
        one.domains.push("b.test".to_owned());
        let mut other = one.clone();
        other.domains.reverse();
        let (one, other) = (Watch::new(&one), Watch::new(&other));
        assert_eq!(one.certificate_file(), other.certificate_file());
    }

    #[test]
    fn questions_are_seen_until_they_are_removed_or_over() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let mut watch = Watch::new(&settings(folder.path().to_owned()));
        let now = SystemTime::now();
        let later = now + Duration::from_secs(60);
        let question = Question {
            domain: "a.test".to_owned(),
            token: "t".to_owned(),
            answer: "t.k".to_owned(),
            expires: seconds(now),
            by_tls: false,
        };
        let put = |file: &str, bytes: &[u8]| storage.write(Shelf::Challenges, file, bytes).unwrap();
        put("one", &serde_json::to_vec(&question).unwrap());
        put("broken", b"{");
        watch.look(&storage, now).unwrap();
        assert_eq!(watch.questions(), [question]);
        watch.look(&storage, later).unwrap();
        assert!(watch.questions().is_empty());
        assert_eq!(storage.list(Shelf::Challenges).unwrap(), ["broken"]);
    }

    #[test]
    fn what_failed_last_is_read_again_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let mut watch = Watch::new(&settings(folder.path().to_owned()));
        let now = SystemTime::now();
        let back_off = BackOff::after(None, &Failure::refused("no"), now, 0.0);
        let file = watch.back_off_file();
        storage
            .write(Shelf::Certificates, &file, &serde_json::to_vec(&back_off).unwrap())
            .unwrap();
        watch.look(&storage, now).unwrap();
        assert_eq!(watch.back_off, Some(back_off));
        storage.remove(Shelf::Certificates, &file).unwrap();
        watch.look(&storage, now).unwrap();
        assert_eq!(watch.back_off, None);
    }
}
