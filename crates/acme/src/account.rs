//! Our account at an authority: made once, kept in the storage, with the key that signs every order.

use std::sync::Arc;

use instant_acme::{Account, AccountCredentials, Error, ExternalAccountKey, NewAccount};
use serde::{Deserialize, Serialize};

use crate::failure::{self, Failure};
use crate::settings::Settings;
use crate::storage::{Shelf, Storage, file_name};
use crate::transport::Transport;

/// What is kept of an account. It holds the account's key.
#[derive(Serialize, Deserialize)]
struct Kept {
    contact: Option<String>,
    credentials: AccountCredentials,
}

/// The same to be written: the credentials can't be copied.
#[derive(Serialize)]
struct Keep<'a> {
    contact: Option<&'a str>,
    credentials: &'a AccountCredentials,
}

/// What an account is told apart by: its authority, and the other account that it is bound to.
pub(crate) fn name(settings: &Settings) -> String {
    let host = settings.directory.trim_start_matches("https://");
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let bound = settings.external_account.as_ref().map(|bound| bound.key_id.as_str());
    file_name(host, &format!("{} {}", settings.directory, bound.unwrap_or_default()))
}

/// The account that there is, if there is one.
pub(crate) async fn known(
    settings: &Settings,
    storage: &Arc<Storage>,
    transport: Transport,
) -> Result<Option<Account>, Failure> {
    match kept(settings, storage).await? {
        Some(kept) => restored(kept.credentials, transport).await.map(Some),
        None => Ok(None),
    }
}

/// The account that there is, or a new one. Our turn must have come: two gates would make two accounts.
pub(crate) async fn open(
    settings: &Settings,
    storage: &Arc<Storage>,
    transport: Transport,
) -> Result<Account, Failure> {
    let contact = settings.contact.as_ref().map(|address| format!("mailto:{address}"));
    let contacts: Vec<&str> = contact.as_deref().into_iter().collect();
    let Some(known) = kept(settings, storage).await? else {
        return create(settings, storage, transport, &contacts).await;
    };
    let account = restored(known.credentials, transport).await?;
    if known.contact == contact {
        return Ok(account);
    }
    if let Err(error) = account.update_contacts(&contacts).await {
        forget_if_unknown(settings, storage, &error).await?;
        return Err(Failure::of("can't tell the authority the new contact", &error));
    }
    // The credentials were used up.
    if let Some(known) = kept(settings, storage).await? {
        keep(settings, storage, contact.as_deref(), &known.credentials).await?;
    }
    Ok(account)
}

async fn restored(credentials: AccountCredentials, transport: Transport) -> Result<Account, Failure> {
    Account::builder_with_http(Box::new(transport))
        .from_credentials(credentials)
        .await
        .map_err(|error| Failure::of("can't read the directory", &error))
}

async fn create(
    settings: &Settings,
    storage: &Arc<Storage>,
    transport: Transport,
    contacts: &[&str],
) -> Result<Account, Failure> {
    let bound = settings
        .external_account
        .as_ref()
        .map(|bound| ExternalAccountKey::new(bound.key_id.clone(), &bound.key));
    let wanted = NewAccount {
        contact: contacts,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (account, credentials) = Account::builder_with_http(Box::new(transport))
        .create(&wanted, settings.directory.clone(), bound.as_ref())
        .await
        .map_err(|error| Failure::of("can't open an account", &error))?;
    keep(settings, storage, contacts.first().copied(), &credentials).await?;
    Ok(account)
}

/// Forgets the account where the authority says that it knows none such, so that the next order makes a new one.
pub(crate) async fn forget_if_unknown(
    settings: &Settings,
    storage: &Arc<Storage>,
    error: &Error,
) -> Result<(), Failure> {
    if matches!(error, Error::Api(problem) if failure::is(problem, "accountDoesNotExist")) {
        let name = name(settings);
        storage
            .aside(move |storage| storage.remove(Shelf::Accounts, &name))
            .await?;
    }
    Ok(())
}

async fn kept(settings: &Settings, storage: &Arc<Storage>) -> Result<Option<Kept>, Failure> {
    let name = name(settings);
    let path = storage.path(Shelf::Accounts, &name);
    let bytes = storage
        .aside(move |storage| storage.read(Shelf::Accounts, &name))
        .await?;
    let kept = bytes.map(|bytes| serde_json::from_slice(&bytes)).transpose();
    kept.map_err(|error| {
        let words = format!("the account in {} can't be read: {error}", path.display());
        Failure::new(failure::Kind::Storage, words)
    })
}

async fn keep(
    settings: &Settings,
    storage: &Arc<Storage>,
    contact: Option<&str>,
    credentials: &AccountCredentials,
) -> Result<(), Failure> {
    let bytes = serde_json::to_vec_pretty(&Keep { contact, credentials })
        .map_err(|error| Failure::new(failure::Kind::Storage, error.to_string()))?;
    let name = name(settings);
    storage
        .aside(move |storage| storage.write(Shelf::Accounts, &name, &bytes))
        .await?;
    Ok(())
}
