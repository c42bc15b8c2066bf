use crate::failure::Failure;
use crate::sim::case::Case;
use isegoria::registry::ProtocolVisitor;
use isegoria_node::Protocol;
use isegoria_sim::{Run, SimConfig, diagram};
use std::io::{BufRead, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

struct One {
    config: SimConfig,
    seed: u64,
}

impl ProtocolVisitor for One {
    type Output = Run;

    fn visit<P: Protocol>(self, options: P::Options) -> Run {
        isegoria_sim::run::<P>(&self.config, &options, self.seed)
    }
}

fn run_again(case: &Case) -> Result<Run, Failure> {
    let (name, options) = case.check()?;
    let one = One { config: case.config(true)?, seed: case.seed };
    Ok(isegoria::registry::visit_protocol(&name, &options, one)?)
}

/// Runs one seed again, prints what happened and draws it.
pub(crate) fn run(case: &Case, out: &Path) -> Result<ExitCode, Failure> {
    let title = format!("{}, seed {}", case.protocol, case.seed);
    let run = run_again(case)?;
    show(&run, &title, &out.join(file_name(case)))?;
    match run.outcome {
        Ok(report) => {
            eprintln!("{title}: no violation, fingerprint {:016x}", report.fingerprint);
            Ok(ExitCode::SUCCESS)
        }
        Err(violation) => {
            eprintln!("{title}: {violation}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn file_name(case: &Case) -> String {
    format!("{}-{}.svg", case.protocol.replace([':', ',', '='], "-"), case.seed)
}

/// Prints the trace and draws its end.
fn show(run: &Run, title: &str, file: &Path) -> Result<(), Failure> {
    let place = run.outcome.as_ref().err().and_then(|violation| violation.place);
    match step_through(run, place.map(diagram::mentions)) {
        // The reader has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            return Err(Failure::failed(format!("cannot print: {error}")));
        }
        _ => {}
    }
    std::fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))
        .and_then(|()| std::fs::write(file, diagram::draw(run, title)))
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", file.display())))?;
    eprintln!("space–time diagram: {}", file.display());
    Ok(())
}

/// Prints the trace; on a terminal it stops at each line about the violation's place.
fn step_through(run: &Run, about: Option<impl Fn(&str) -> bool>) -> std::io::Result<()> {
    let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut enter = std::io::stdin().lock().lines();
    for line in run.trace.lines() {
        let text = line.to_string();
        let marked = about.as_ref().is_some_and(|about| about(&text));
        writeln!(out, "{}{text}", if marked { "» " } else { "  " })?;
        if interactive && marked {
            out.flush()?;
            // The end of input goes on without stopping.
            let _ = enter.next();
        }
    }
    out.flush()
}
