use std::process::ExitCode;

/// Why a command ends with a non-zero exit code: one sentence.
#[derive(Debug)]
pub(crate) struct Failure {
    sentence: String,
    code: u8,
}

impl Failure {
    /// The thing that was asked for failed: 1.
    pub(crate) fn failed(sentence: impl Into<String>) -> Failure {
        Failure { sentence: sentence.into(), code: 1 }
    }

    /// Bad usage or configuration: 2.
    pub(crate) fn usage(sentence: impl Into<String>) -> Failure {
        Failure { sentence: sentence.into(), code: 2 }
    }

    pub(crate) fn report(&self) -> ExitCode {
        crate::say::complain(format_args!("isegoria: {}", self.sentence));
        ExitCode::from(self.code)
    }
}

impl From<isegoria::ConfigFileError> for Failure {
    fn from(error: isegoria::ConfigFileError) -> Failure {
        Failure::usage(error.to_string())
    }
}
