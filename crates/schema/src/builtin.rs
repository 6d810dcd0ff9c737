//! The tables that every workspace has, empty or not.

use std::sync::LazyLock;

use kql::Type;

use crate::table::Table;

macro_rules! definitions {
    ($($name:literal),+ $(,)?) => { [$(include_str!(concat!("builtin/", $name, ".toml"))),+] };
}

const DEFINITIONS: [&str; 26] = definitions![
    "AmlComputeClusterEvent",
    "AmlComputeClusterNodeEvent",
    "AmlComputeCpuGpuUtilization",
    "AmlComputeInstanceEvent",
    "AmlComputeJobEvent",
    "AmlDataLabelEvent",
    "AmlDataSetEvent",
    "AmlDataStoreEvent",
    "AmlDeploymentEvent",
    "AmlEnvironmentEvent",
    "AmlInferencingEvent",
    "AmlModelsEvent",
    "AmlOnlineEndpointConsoleLog",
    "AmlOnlineEndpointEventLog",
    "AmlOnlineEndpointTrafficLog",
    "AmlPipelineEvent",
    "AmlRegistryReadEventsLog",
    "AmlRegistryWriteEventsLog",
    "AmlRunEvent",
    "AmlRunStatusChangedEvent",
    "AzureActivity",
    "AzureDiagnostics",
    "AzureMetrics",
    "AzureMetricsV2",
    "Heartbeat",
    "Usage",
];

#[derive(serde::Deserialize)]
struct Definition {
    name: String,
    columns: toml::map::Map<String, toml::Value>,
}

static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| DEFINITIONS.map(read).into());

fn read(text: &str) -> Table {
    let definition: Definition = toml::from_str(text).expect("a built-in table is valid TOML");
    let columns = definition.columns.into_iter().map(|(name, ty)| {
        let ty = ty.as_str().and_then(Type::from_name);
        (name, ty.expect("a built-in column has a KQL type"))
    });
    Table::new(definition.name, columns)
}

/// All built-in tables, by name.
pub fn tables() -> &'static [Table] {
    &TABLES
}

/// The built-in table of that name; letter case counts.
pub fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Origin;

    #[test]
    fn every_table_has_the_standard_columns_once() {
        assert_eq!(tables().len(), 26);
        for table in tables() {
            for name in [
                "TimeGenerated",
                "_ResourceId",
                "TenantId",
                "Type",
                "_TimeReceived",
            ] {
                let count = table
                    .columns
                    .iter()
                    .filter(|column| column.name == name)
                    .count();
                assert_eq!(count, 1, "{} {name}", table.name);
            }
        }
    }

    #[test]
    fn columns_keep_the_order_of_the_reference() {
        let table = table("AmlComputeJobEvent").expect("a built-in table");
        assert_eq!(table.columns[3].name, "TimeGenerated");
        assert_eq!(
            table.column("Type").map(|column| column.origin),
            Some(Origin::TableName)
        );
        assert!(table.columns.last().expect("columns").hidden);
    }
}
