//! Random queries: sharding never changes an answer, and answers are what KQL says.

use std::collections::BTreeMap;

use futures::StreamExt;
use testkit::Oracle;
use testkit::mutation::{MUTATIONS, Mutation};
use testkit::oracle::Outcome;

/// How many worlds are asked at once.
const WORLDS_AT_ONCE: usize = 3;

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The seeds of some worlds, those of one world together.
fn worlds(first: u64, queries: u64) -> Vec<Vec<u64>> {
    let mut worlds: Vec<Vec<u64>> = Vec::new();
    for seed in first..first + queries {
        match worlds.last_mut() {
            Some(world) if Oracle::same_world(world[0], seed) => world.push(seed),
            _ => worlds.push(vec![seed]),
        }
    }
    worlds
}

async fn ask(seeds: Vec<u64>) -> Vec<Result<Outcome, String>> {
    let oracle = Oracle::new(seeds[0]);
    let mut outcomes = Vec::with_capacity(seeds.len());
    for seed in seeds {
        outcomes.push(oracle.check(seed).await);
    }
    outcomes
}

/// Random queries over random tables: one node against clusters, and both against the reference
/// evaluator. `LOGGIA_SEED` and `LOGGIA_QUERIES` choose others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_queries_answer_the_same_wherever_their_rows_lie() {
    let (first, queries) = (number("LOGGIA_SEED", 1), number("LOGGIA_QUERIES", 500));
    let asked = futures::stream::iter(worlds(first, queries))
        .map(|seeds| tokio::spawn(ask(seeds)))
        .buffered(WORLDS_AT_ONCE);
    let outcomes: Vec<_> = asked.collect().await;
    let (mut ran, mut gave_rows, mut known) = (0, 0, 0);
    let (mut refused, mut unknowns, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for outcome in outcomes
        .into_iter()
        .flat_map(|world| world.expect("a world is asked"))
    {
        match outcome {
            Ok(Outcome::Ran { rows, unknown }) => {
                ran += 1;
                gave_rows += u64::from(rows > 0);
                known += u64::from(unknown.is_none());
                unknowns.extend(unknown);
            }
            Ok(Outcome::Refused(why)) => refused.push(why),
            Err(problem) => problems.push(problem),
        }
    }
    println!(
        "{queries} queries from seed {first}: {ran} ran, {gave_rows} gave rows, the reference \
         knows {known}, {} are wrong",
        problems.len()
    );
    refused.sort();
    refused.dedup();
    assert!(
        problems.is_empty(),
        "{} of {queries} queries:\n\n{}",
        problems.len(),
        problems.join("\n\n")
    );
    if queries < 100 {
        return;
    }
    assert!(
        ran * 10 >= queries * 7,
        "only {ran} of {queries} queries ran: {refused:#?}"
    );
    assert!(
        gave_rows * 2 >= queries,
        "only {gave_rows} of {queries} queries gave rows"
    );
    assert!(
        known * 2 >= queries,
        "the reference knows only {known} of {queries}: {:#?}",
        counted(&unknowns)
    );
    println!(
        "refused: {refused:#?}, not known: {:#?}",
        counted(&unknowns)
    );
}

/// How often each reason stands there.
fn counted(reasons: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason.as_str()).or_default() += 1;
    }
    counts
}

/// Most queries that a fault may go unnoticed in.
const FAULT_QUERIES_MAX: u64 = 150;

/// What has become of a fault.
struct Hunted {
    fault: Mutation,
    /// How many queries it touched.
    touched: u32,
    /// The seed of the query that showed it.
    caught: Option<u64>,
}

/// Plants each fault in turn and asks until an answer shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_faults_are_noticed() {
    let hunted = |fault: &Mutation| Hunted {
        fault: *fault,
        touched: 0,
        caught: None,
    };
    let mut hunt: Vec<Hunted> = MUTATIONS.iter().map(hunted).collect();
    let seeds: Vec<u64> = (1..=FAULT_QUERIES_MAX).collect();
    for world in seeds.chunk_by(|a, b| Oracle::same_world(*a, *b)) {
        let oracle = Oracle::new(world[0]);
        for seed in world {
            let mut open: Vec<&mut Hunted> = hunt
                .iter_mut()
                .filter(|hunted| hunted.caught.is_none())
                .collect();
            let faults: Vec<Mutation> = open.iter().map(|hunted| hunted.fault).collect();
            let noticed = oracle.notices(*seed, &faults).await;
            for (hunted, noticed) in open.iter_mut().zip(noticed) {
                hunted.touched += u32::from(noticed.is_some());
                if noticed == Some(true) {
                    hunted.caught = Some(*seed);
                }
            }
        }
        if hunt.iter().all(|hunted| hunted.caught.is_some()) {
            break;
        }
    }
    for hunted in &hunt {
        let Hunted {
            fault,
            touched,
            caught,
        } = hunted;
        match caught {
            Some(seed) => println!(
                "seen   {}: seed {seed}, of {touched} it touched",
                fault.name
            ),
            None => println!("UNSEEN {}: in {touched} that it touched", fault.name),
        }
    }
    let caught = hunt.iter().filter(|hunted| hunted.caught.is_some()).count();
    println!("{caught} of {} faults are seen", hunt.len());
    assert!(
        hunt.len() >= 20 && caught * 20 >= hunt.len() * 19,
        "{caught} of {}",
        hunt.len()
    );
}
