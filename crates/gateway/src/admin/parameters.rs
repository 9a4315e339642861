//! The parameters of operators' requests.

use portcullis_core::{Error, codes};

/// The parameters of a query, `NAME=VALUE&…`, decoded.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn of(query: Option<&str>) -> Parameters {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Parameters(pairs.collect())
    }

    /// The first value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).into_iter().next()
    }

    /// The value of that name.
    ///
    /// # Errors
    /// When it is missing.
    pub(super) fn need(&self, name: &str) -> Result<&str, Error> {
        self.get(name)
            .ok_or_else(|| Error::new(&codes::BAD_QUERY).with_detail(format!("`{name}` is missing: write `?{name}=…`")))
    }

    /// All values of that name.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let of_name = self.0.iter().filter(|(known, _)| known == name);
        of_name.map(|(_, value)| value.as_str()).collect()
    }
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text)
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let parameters = Parameters::of(Some("url=http://a:1&weight=3&x=a%26b+c&url=two&flag"));
        assert_eq!(parameters.get("url"), Some("http://a:1"));
        assert_eq!(parameters.all("url"), ["http://a:1", "two"]);
        assert_eq!(parameters.get("x"), Some("a&b c"));
        assert_eq!(parameters.get("flag"), Some(""));
        assert!(parameters.need("none").is_err());
        assert_eq!(Parameters::of(None).get("url"), None);
    }
}
