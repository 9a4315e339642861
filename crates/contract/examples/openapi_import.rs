//! Imports descriptions of APIs, and says what is wrong with those that can't be.
//!
//! ```sh
//! openapi_import FILE…   # exit status 1 when one can't be imported
//! ```

#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use std::error::Error;
use std::time::Instant;

use portcullis_contract::openapi::Contract;
use portcullis_contract::schema::Documents;
use portcullis_contract::yaml;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut good, mut all) = (0, 0);
    for file in std::env::args().skip(1) {
        all += 1;
        let started = Instant::now();
        let mut documents = Documents::default();
        documents.add("api", yaml::parse(&std::fs::read_to_string(&file)?)?)?;
        let read = started.elapsed();
        match Contract::import(&documents, "api", false) {
            Ok(contract) => {
                good += 1;
                let (operations, schemas) = (contract.operations(), contract.schemas().len());
                println!(
                    "{file}: {operations} operations, {schemas} schemas, read in {read:?}, in all {:?}",
                    started.elapsed()
                );
            }
            Err(problems) => {
                let first = problems.first().map(ToString::to_string).unwrap_or_default();
                println!("{file}: {} problems: {first}", problems.len());
            }
        }
    }
    println!("{good} of {all}");
    if good == all {
        Ok(())
    } else {
        Err("some could not be imported".into())
    }
}
