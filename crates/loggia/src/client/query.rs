//! `loggia query`.

use std::io::Read as _;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use proto::failure::{Code, Failure};
use proto::v1;
use proto::v1::execute_response::Part;
use proto::v1::query_client::QueryClient;
use tonic::transport::Channel;

use crate::cli::{Format, QueryArgs};
use crate::exit::Exit;
use crate::{client, output};

/// Asks, and writes the rows to standard output.
pub(crate) async fn run(args: QueryArgs) -> Result<(), Exit> {
    let kql = text(&args)?;
    let channel = client::connect(&args.server).await?;
    let client = QueryClient::new(channel).max_decoding_message_size(proto::MESSAGE_BYTES_MAX);
    if args.explain {
        return explain(client, &args, kql).await;
    }
    let answer = ask(client, &args, kql).await?;
    output::write(args.format, &answer.columns, &answer.batches)?;
    finish(&args, &answer)
}

/// An answer as a whole.
struct Answer {
    columns: Vec<v1::Column>,
    batches: Vec<RecordBatch>,
    summary: v1::Summary,
}

fn text(args: &QueryArgs) -> Result<String, Exit> {
    let read = |path: &std::path::Path| {
        std::fs::read_to_string(path)
            .map_err(|error| Exit::other(format!("error: {}: {error}", path.display())))
    };
    match (&args.file, args.kql.as_deref()) {
        (Some(path), _) if path.as_os_str() != "-" => read(path),
        (Some(_), _) | (None, Some("-") | None) => {
            let mut text = String::new();
            let result = std::io::stdin().read_to_string(&mut text);
            result.map_err(|error| Exit::other(format!("error: standard input: {error}")))?;
            Ok(text)
        }
        (None, Some(kql)) => Ok(kql.to_owned()),
    }
}

fn scope(args: &QueryArgs) -> v1::Scope {
    v1::Scope {
        workspaces: args.workspace.clone(),
        resources: args.resource.clone(),
    }
}

fn timespan(args: &QueryArgs) -> Option<v1::Timespan> {
    let text = args.timespan.clone()?;
    Some(v1::Timespan {
        form: Some(v1::timespan::Form::Iso8601(text)),
    })
}

async fn ask(
    mut client: QueryClient<Channel>,
    args: &QueryArgs,
    kql: String,
) -> Result<Answer, Exit> {
    let request = v1::ExecuteRequest {
        kql,
        scope: Some(scope(args)),
        timespan: timespan(args),
        timeout: args
            .timeout
            .map(|s| proto::convert::duration(std::time::Duration::from_secs(s))),
        format: v1::Format::Arrow.into(),
        ..v1::ExecuteRequest::default()
    };
    let mut responses = client.execute(request).await?.into_inner();
    let broken = |message: String| Exit::from(Failure::new(Code::Internal, message));
    let mut decoder = StreamDecoder::new();
    let mut answer = Answer {
        columns: Vec::new(),
        batches: Vec::new(),
        summary: v1::Summary::default(),
    };
    let mut complete = false;
    while let Some(response) = responses.message().await? {
        match response.part {
            Some(Part::Header(header)) => answer.columns = header.columns,
            Some(Part::Arrow(piece)) => {
                let mut buffer = Buffer::from(piece);
                while !buffer.is_empty() {
                    let decoded = decoder.decode(&mut buffer);
                    let batch = decoded.map_err(|error| broken(error.to_string()))?;
                    answer.batches.extend(batch);
                }
            }
            Some(Part::Summary(summary)) => {
                answer.summary = summary;
                complete = true;
            }
            Some(Part::Rows(_)) | None => {}
        }
    }
    if !complete {
        return Err(broken("the answer has no end".to_owned()));
    }
    if let (true, Some(schema)) = (answer.batches.is_empty(), decoder.schema()) {
        answer.batches.push(RecordBatch::new_empty(schema));
    }
    Ok(answer)
}

#[expect(clippy::print_stderr, reason = "it says what is beside the rows")]
fn finish(args: &QueryArgs, answer: &Answer) -> Result<(), Exit> {
    for warning in &answer.summary.warnings {
        eprintln!("{}", warning.picture.trim_end());
    }
    if args.stats {
        eprint!("{}", output::stats::text(&answer.summary));
    }
    if answer.summary.incomplete.is_empty() {
        return Ok(());
    }
    let reasons = answer
        .summary
        .incomplete
        .iter()
        .map(|incomplete| &incomplete.message);
    let reasons: Vec<String> = reasons
        .map(|message| format!("incomplete: {message}"))
        .collect();
    Err(Exit::partial(reasons.join("\n")))
}

#[expect(clippy::print_stdout, reason = "it answers")]
async fn explain(
    mut client: QueryClient<Channel>,
    args: &QueryArgs,
    kql: String,
) -> Result<(), Exit> {
    let request = v1::ExplainRequest {
        kql,
        scope: Some(scope(args)),
        timespan: timespan(args),
        now: None,
    };
    let explained = client.explain(request).await?.into_inner();
    println!(
        "{}\n\n{}",
        explained.kql.trim_end(),
        explained.physical_plan.trim_end()
    );
    if args.format == Format::Table && args.stats {
        println!("\n{}", explained.logical_plan.trim_end());
    }
    Ok(())
}
