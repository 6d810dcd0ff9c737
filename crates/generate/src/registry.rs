//! The registry that all workspaces share: a resource of its own.

use crate::record::Log;
use crate::world::World;

/// Reads and writes on a day for each workspace.
const READS_PER_DAY: f64 = 30.0;
const WRITES_PER_DAY: f64 = 2.0;

/// The registry's log.
pub(crate) fn log(world: &World) -> Log {
    let mut log = Log::new(world.registry.id.as_str());
    for workspace in &world.workspaces {
        for (category, action, per_day) in [
            ("RegistryAssetReadEvent", "READ", READS_PER_DAY),
            ("RegistryAssetWriteEvent", "WRITE", WRITES_PER_DAY),
        ] {
            let mut rng = world.registry.rng.part(&workspace.name).part(action);
            for _ in 0..world.count(per_day) {
                let names = &world.catalogue.names;
                let person = workspace.person(world, &mut rng);
                let (kind, name) = match rng.below(3) {
                    0 => ("MODELS", rng.word(&names.models)),
                    1 => ("ENVIRONMENTS", rng.word(&names.environments)),
                    _ => ("COMPONENTS", rng.word(&names.modules)),
                };
                let operation =
                    format!("MICROSOFT.MACHINELEARNINGSERVICES/REGISTRIES/{kind}/{action}");
                let label = *rng.pick(&["latest", "stable", "candidate"]);
                log.record(category, world.office.at(rng.unit()), &operation)
                    .text("correlationId", &rng.guid())
                    .properties()
                    .text("RegistryResourceId", world.registry.id.as_str())
                    .text("UserName", person.name)
                    .text("UserObjectId", &person.object_id)
                    .text("RegistryTenantId", &world.tenant)
                    .text("AssetName", name)
                    .quoted("AssetVersion", 1 + rng.below(9))
                    .text("Labels", label)
                    .end();
            }
        }
    }
    log
}
