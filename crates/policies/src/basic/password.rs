//! Hashes of passwords, and whether a password is the one.

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;

/// The longest password that is verified. bcrypt looks at 72 bytes; what has more is refused there, never cut.
const LONGEST: usize = 512;

/// The most memory that verifying one may take, in KiB: the file says how much, and a slip of the pen should not end the process.
const MOST_MEMORY: u32 = 1024 * 1024;

/// The highest cost of bcrypt: each step doubles the time, and this one takes about ten seconds.
const MOST_COST: u32 = 17;

/// A password, as its hash.
#[derive(Clone)]
pub(super) enum Password {
    /// In the PHC string format.
    Argon2(Box<str>),
    /// In the modular crypt format.
    Bcrypt(Box<str>),
}

impl Password {
    /// # Errors
    /// Says in words what is wrong with the hash.
    pub(super) fn new(hash: &str) -> Result<Password, String> {
        if hash.starts_with("$argon2id$") {
            let parsed = PasswordHash::new(hash).map_err(|error| error.to_string())?;
            if parsed.hash.is_none() || parsed.salt.is_none() {
                return Err("it has no salt or no hash".to_owned());
            }
            let memory = parsed.params.get_decimal("m").unwrap_or(0);
            argon2::Params::try_from(&parsed).map_err(|error| error.to_string())?;
            if memory > MOST_MEMORY {
                return Err(format!(
                    "verifying it takes {memory} KiB of memory, and {MOST_MEMORY} are allowed"
                ));
            }
            return Ok(Password::Argon2(hash.into()));
        }
        if ["$2a$", "$2b$", "$2y$"].iter().any(|start| hash.starts_with(start)) {
            let parts: bcrypt::HashParts = hash.parse().map_err(|error: bcrypt::BcryptError| error.to_string())?;
            if !(4..=MOST_COST).contains(&parts.get_cost()) {
                return Err(format!("its cost must be from 4 to {MOST_COST}"));
            }
            return Ok(Password::Bcrypt(hash.into()));
        }
        Err(
            "it is neither of Argon2id (`$argon2id$…`) nor of bcrypt (`$2b$…`); `htpasswd -nB NAME` makes one"
                .to_owned(),
        )
    }

    /// The beginning of the hash, which says how slow it is: those that have the same take the same time.
    pub(super) fn cost(&self) -> &str {
        match self {
            // `$argon2id$v=19$m=19456,t=2,p=1`: the salt comes after.
            Password::Argon2(hash) => hash.rsplitn(3, '$').last().unwrap_or_default(),
            // `$2b$10`.
            Password::Bcrypt(hash) => hash.get(..6).unwrap_or_default(),
        }
    }

    /// Whether it is this password. Slow on purpose.
    pub(super) fn is(&self, password: &[u8]) -> bool {
        if password.len() > LONGEST {
            return false;
        }
        match self {
            Password::Argon2(hash) => {
                PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
            }
            Password::Bcrypt(hash) => bcrypt::non_truncating_verify(password, hash).unwrap_or(false),
        }
    }
}
