/// Where people are told of what happens to services and their targets.
#[derive(Clone, Copy, Debug)]
pub struct Journal {
    /// Something went as it should.
    pub info: fn(&str),
    /// Something went wrong, and the gate goes on.
    pub warn: fn(&str),
}

impl Journal {
    /// Tells nobody.
    pub const SILENT: Journal = Journal {
        info: |_| {},
        warn: |_| {},
    };
}
