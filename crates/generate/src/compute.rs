//! What happens on compute clusters: sessions of jobs, the nodes that run them, and what is logged
//! of both.

use crate::record::Log;
use crate::world::{Workspace, World};

mod clusters;
mod jobs;
mod session;

/// Writes the records of a workspace's clusters and jobs.
pub(crate) fn write(world: &World, workspace: &Workspace, log: &mut Log) {
    for (index, cluster) in workspace.clusters.iter().enumerate() {
        let rng = workspace.rng.part("compute").part(&cluster.name);
        let mut sessions = session::draw(world, workspace, cluster, &mut rng.part("sessions"));
        if index == 0 && workspace.name == world.catalogue.workspace[0].name {
            session::make_famous(&mut sessions, &world.catalogue.famous.automl_run);
        }
        session::place(&mut sessions, world, &mut rng.part("places"));
        clusters::write(
            world,
            workspace,
            cluster,
            &sessions,
            &mut rng.part("cluster"),
            log,
        );
        for session in &sessions {
            jobs::write(
                world,
                workspace,
                cluster,
                session,
                &mut rng.part(&session.id),
                log,
            );
        }
    }
}
