// Microsoft's `@azure/monitor-query-logs`, unmodified, against a server over https.
//
// The environment says where the server is (LOGGIA_URL) and which rows it holds (`tests/sdk.rs`).

"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { LogsQueryClient, LogsQueryResultStatus } = require("@azure/monitor-query-logs");

const { LOGGIA_URL: ENDPOINT, LOGGIA_RESOURCE: RESOURCE, LOGGIA_WORKSPACE: WORKSPACE } = process.env;

const JANUARY = { startTime: new Date("2026-01-01Z"), endTime: new Date("2026-02-01Z") };
const JOBS =
  "AmlComputeJobEvent | project TimeGenerated, EventType, JobName | sort by TimeGenerated asc";

// Would run for hours.
const ENDLESS = `
range a from 1 to 3000000 step 1 | extend k = a % 2
| join kind=inner (range b from 1 to 3000000 step 1 | extend k = b % 2) on k
| summarize count() by bin(a * b, 10)`;

const EVERY_TYPE = `
print yes = true,
    time = datetime(2026-01-02T03:04:05.678Z),
    bag = dynamic({"a": [1, 2.5, null], "b": "text"}),
    array = dynamic([1, "two"]),
    scalar = dynamic(7),
    small = int(-7),
    large = 9007199254740991,
    ratio = 2.5,
    text = 'say "hé"',
    id = guid(6f9619ff-8b86-d011-b42d-00c04fc964ff),
    money = decimal(12.50),
    span = 1d + 2h + 3m + 4s + 500ms,
    nothing = long(null)`;

const credential = {
  async getToken() {
    return { token: "a-token-of-the-test", expiresOnTimestamp: Date.now() + 3_600_000 };
  },
};

function client(options = {}) {
  return new LogsQueryClient(credential, { endpoint: ENDPOINT, ...options });
}

function names(table) {
  const column = table.columnDescriptors.findIndex((column) => column.name === "JobName");
  return table.rows.map((row) => row[column]);
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail("the query does not fail");
}

test("rows of a workspace", async () => {
  for (const endpoint of [ENDPOINT, `${ENDPOINT}/v1`]) {
    const result = await client({ endpoint }).queryWorkspace("default", JOBS, JANUARY);
    assert.equal(result.status, LogsQueryResultStatus.Success);
    const [table] = result.tables;
    assert.equal(table.name, "PrimaryResult");
    assert.deepEqual(table.columnDescriptors, [
      { name: "TimeGenerated", type: "datetime" },
      { name: "EventType", type: "string" },
      { name: "JobName", type: "string" },
    ]);
    assert.deepEqual(names(table), ["first", "first", "second", "third"]);
    assert.deepEqual(table.rows[1][0], new Date("2026-01-10T09:00:00.123Z"));
  }
});

test("a log workspace holds only its members, and others can be added", async () => {
  const only = await client().queryWorkspace(WORKSPACE, JOBS, JANUARY);
  assert.deepEqual(names(only.tables[0]), ["first", "first", "third"]);
  const options = { additionalWorkspaces: ["sdk-two"] };
  const more = await client().queryWorkspace(WORKSPACE, JOBS, JANUARY, options);
  assert.deepEqual(names(more.tables[0]), ["first", "first", "second", "third"]);
});

test("timespans of every form", async () => {
  const within = async (timespan) => {
    const result = await client().queryWorkspace("default", JOBS, timespan);
    return names(result.tables[0]);
  };
  const startTime = new Date("2026-01-10Z");
  assert.deepEqual(await within({ duration: "P1D" }), ["recent"]);
  assert.deepEqual(await within({ startTime, duration: "P1D" }), ["first", "first", "second"]);
  const endTime = new Date("2026-01-10T10:00:00Z");
  assert.deepEqual(await within({ startTime, endTime }), ["first", "first"]);
  assert.deepEqual(await within({ duration: "PT1H", endTime }), ["first"]);
});

test("every type", async () => {
  const result = await client().queryWorkspace("default", EVERY_TYPE, JANUARY);
  const [table] = result.tables;
  const expected = [
    ["yes", "bool", true],
    ["time", "datetime", new Date("2026-01-02T03:04:05.678Z")],
    ["bag", "dynamic", { a: [1, 2.5, null], b: "text" }],
    ["array", "dynamic", [1, "two"]],
    ["scalar", "dynamic", 7],
    ["small", "int", -7],
    ["large", "long", 9007199254740991],
    ["ratio", "real", 2.5],
    ["text", "string", 'say "hé"'],
    ["id", "guid", "6f9619ff-8b86-d011-b42d-00c04fc964ff"],
    ["money", "decimal", "12.5"],
    ["span", "timespan", "1.02:03:04.5000000"],
    ["nothing", "long", null],
  ];
  const columns = table.columnDescriptors.map((column) => [column.name, column.type]);
  assert.deepEqual(columns, expected.map(([name, type]) => [name, type]));
  assert.deepEqual(table.rows, [expected.map(([, , value]) => value)]);
});

test("an empty table has its columns", async () => {
  const result = await client().queryWorkspace("default", "AmlDataSetEvent", JANUARY);
  assert.equal(result.status, LogsQueryResultStatus.Success);
  const [table] = result.tables;
  assert.deepEqual(table.rows, []);
  const columns = table.columnDescriptors.map((column) => column.name);
  assert.ok(columns.includes("TimeGenerated") && columns.includes("_ResourceId"), columns);
});

test("statistics and visualization come when asked for", async () => {
  const query = `${JOBS} | summarize n = count() by EventType | render piechart with (title='Jobs')`;
  const plain = await client().queryWorkspace("default", query, JANUARY);
  assert.equal(plain.statistics, undefined);
  assert.equal(plain.visualization, undefined);
  const result = await client().queryWorkspace("default", query, JANUARY, {
    includeQueryStatistics: true,
    includeVisualization: true,
    serverTimeoutInSeconds: 60,
  });
  assert.equal(result.statistics.query.datasetStatistics[0].tableRowCount, 3);
  assert.equal(result.visualization.visualization, "piechart");
  assert.equal(result.visualization.title, "Jobs");
});

test("the deepest error names column and place", async () => {
  const query = "AmlComputeJobEvent\n| where EventTipe == 'x'";
  const error = await failure(client().queryWorkspace("default", query, JANUARY));
  assert.equal(error.statusCode, 400);
  assert.equal(error.code, "BadArgumentError");
  const inner = error.details.error.innererror;
  assert.equal(inner.code, "SemanticError");
  assert.equal(inner.innererror.code, "SEM0100");
  assert.match(inner.innererror.message, /`EventTipe`.*did you mean `EventType`\?.*2:9/);
});

test("an unknown workspace is named", async () => {
  const error = await failure(client().queryWorkspace("no-such-workspace", JOBS, JANUARY));
  assert.equal(error.statusCode, 404);
  assert.equal(error.code, "PathNotFoundError");
  assert.match(error.message, /no-such-workspace/);
});

test("a query that takes longer than it may", async () => {
  const impatient = client({ retryOptions: { maxRetries: 0 } });
  const options = { serverTimeoutInSeconds: 1 };
  const error = await failure(impatient.queryWorkspace("default", ENDLESS, JANUARY, options));
  assert.equal(error.statusCode, 504);
});

test("an answer that is too long is partial", async () => {
  const long = "range x from 1 to 500010 step 1";
  const result = await client().queryWorkspace("default", long, JANUARY);
  assert.equal(result.status, LogsQueryResultStatus.PartialFailure);
  assert.equal(result.partialTables[0].rows.length, 500_000);
  assert.equal(result.partialError.code, "PartialError");
  assert.match(result.partialError.details[0].message, /500000 rows/);
});

test("rows of a resource, of its group and of its subscription", async () => {
  const group = RESOURCE.slice(0, RESOURCE.indexOf("/providers/"));
  const subscription = group.slice(0, group.indexOf("/resourcegroups/"));
  const all = ["first", "first", "second", "third"];
  const expected = [
    [RESOURCE, ["first", "first", "third"]],
    [RESOURCE.slice(1), ["first", "first", "third"]],
    [group, all],
    [subscription, all],
  ];
  for (const [resource, rows] of expected) {
    const result = await client().queryResource(resource, JOBS, JANUARY);
    assert.deepEqual(names(result.tables[0]), rows, resource);
  }
  const options = { additionalWorkspaces: ["sdk-two"], includeVisualization: true };
  const result = await client().queryResource(RESOURCE, `${JOBS} | render table`, JANUARY, options);
  assert.deepEqual(names(result.tables[0]), all);
  assert.equal(result.visualization.visualization, "table");
});

test("each query of a batch has its own outcome, in the order of the batch", async () => {
  const quick = (n) => ({ workspaceId: "default", query: `print n = ${n}`, timespan: JANUARY });
  const results = await client().queryBatch([
    { workspaceId: "default", query: "range x from 1 to 500010 step 1", timespan: JANUARY },
    { workspaceId: "default", query: "AmlComputeJobEvent | where Nope == 1", timespan: JANUARY },
    {
      workspaceId: WORKSPACE,
      query: `${JOBS} | count | render card`,
      timespan: { startTime: new Date("2026-01-10Z"), duration: "P1D" },
      additionalWorkspaces: ["sdk-two"],
      serverTimeoutInSeconds: 60,
      includeQueryStatistics: true,
      includeVisualization: true,
    },
    { workspaceId: "no-such-workspace", query: JOBS, timespan: JANUARY },
    ...Array.from({ length: 20 }, (_, n) => quick(n)),
  ]);
  const [long, wrong, counted, unknown, ...numbers] = results;
  assert.equal(long.status, LogsQueryResultStatus.PartialFailure);
  assert.equal(long.partialTables[0].rows.length, 500_000);
  // The SDK calls every failure within a batch a partial one.
  assert.equal(wrong.partialError.code, "BadArgumentError");
  assert.match(wrong.partialError.innererror.innererror.message, /`Nope`/);
  assert.deepEqual(counted.tables[0].rows, [[3]]);
  assert.equal(counted.visualization.visualization, "card");
  assert.ok(counted.statistics.query);
  assert.match(unknown.partialError.message, /no-such-workspace/);
  assert.deepEqual(
    numbers.map((result) => result.tables[0].rows[0][0]),
    Array.from({ length: 20 }, (_, n) => n),
  );
});
