"""Microsoft's `azure-monitor-query`, unmodified, against a server over https.

The environment says where the server is (LOGGIA_URL) and which rows it holds (`tests/sdk.rs`).
"""

import json
import os
import time
import unittest
import uuid
from datetime import datetime, timedelta, timezone

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.monitor.query import (
    LogsBatchQuery,
    LogsQueryClient,
    LogsQueryError,
    LogsQueryPartialResult,
    LogsQueryResult,
    LogsQueryStatus,
)

URL = os.environ["LOGGIA_URL"]
RESOURCE = os.environ["LOGGIA_RESOURCE"]
WORKSPACE = os.environ["LOGGIA_WORKSPACE"]

TENTH = datetime(2026, 1, 10, tzinfo=timezone.utc)
JANUARY = (datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 2, 1, tzinfo=timezone.utc))
JOBS = "AmlComputeJobEvent | project TimeGenerated, EventType, JobName | sort by TimeGenerated asc"

# Would run for hours.
ENDLESS = """
range a from 1 to 3000000 step 1 | extend k = a % 2
| join kind=inner (range b from 1 to 3000000 step 1 | extend k = b % 2) on k
| summarize count() by bin(a * b, 10)
"""

EVERY_TYPE = """
print yes = true,
    time = datetime(2026-01-02T03:04:05.678901Z),
    bag = dynamic({"a": [1, 2.5, null], "b": "text"}),
    array = dynamic([1, "two"]),
    scalar = dynamic(7),
    small = int(-7),
    large = 9007199254740993,
    ratio = 2.5,
    whole = real(3),
    text = 'say "hé"',
    id = guid(6f9619ff-8b86-d011-b42d-00c04fc964ff),
    money = decimal(12.50),
    span = 1d + 2h + 3m + 4s + 500ms
"""

NULLS = """
print yes = bool(null), time = datetime(null), bag = dynamic(null), small = int(null),
    large = long(null), ratio = real(null), text = "", id = guid(null), money = decimal(null),
    span = timespan(null)
"""


class Credential:
    """Gives out the same token whenever it is asked."""

    def get_token(self, *scopes, **kwargs):
        return AccessToken("a-token-of-the-test", int(time.time()) + 3600)


def client(**options):
    return LogsQueryClient(Credential(), endpoint=URL, **options)


def names(result):
    return [row["JobName"] for row in result.tables[0].rows]


class QueryWorkspace(unittest.TestCase):
    def test_rows_can_be_read_by_name_and_by_place(self):
        result = client().query_workspace("default", JOBS, timespan=JANUARY)
        self.assertIsInstance(result, LogsQueryResult)
        self.assertEqual(result.status, LogsQueryStatus.SUCCESS)
        (table,) = result.tables
        self.assertEqual(table.name, "PrimaryResult")
        self.assertEqual(table.columns, ["TimeGenerated", "EventType", "JobName"])
        self.assertEqual(table.columns_types, ["datetime", "string", "string"])
        self.assertEqual(names(result), ["first", "first", "second", "third"])
        failed = table.rows[1]
        self.assertEqual(failed[1], "JobFailed")
        self.assertEqual(failed["TimeGenerated"], TENTH + timedelta(hours=9, microseconds=123456))

    def test_an_endpoint_that_ends_in_the_version(self):
        versioned = LogsQueryClient(Credential(), endpoint=URL + "/v1")
        self.assertEqual(len(versioned.query_workspace(WORKSPACE, JOBS, timespan=None).tables), 1)

    def test_a_log_workspace_holds_only_its_members(self):
        result = client().query_workspace(WORKSPACE, JOBS, timespan=JANUARY)
        self.assertEqual(names(result), ["first", "first", "third"])
        more = client().query_workspace(
            WORKSPACE, JOBS, timespan=JANUARY, additional_workspaces=["sdk-two"]
        )
        self.assertEqual(names(more), ["first", "first", "second", "third"])

    def test_timespans(self):
        def within(timespan):
            return names(client().query_workspace("default", JOBS, timespan=timespan))

        self.assertEqual(within(None), ["first", "first", "second", "third", "recent"])
        self.assertEqual(within(timedelta(days=1)), ["recent"])
        self.assertEqual(within((TENTH, TENTH + timedelta(hours=10))), ["first", "first"])
        self.assertEqual(within((TENTH, timedelta(days=1))), ["first", "first", "second"])

    def test_a_timespan_and_a_filter_hold_together(self):
        query = "AmlComputeJobEvent | where TimeGenerated >= datetime(2026-01-10T10:00:00Z) | project JobName"
        result = client().query_workspace("default", query, timespan=(TENTH, timedelta(days=1)))
        self.assertEqual(names(result), ["second"])

    def test_every_type(self):
        result = client().query_workspace("default", EVERY_TYPE, timespan=None)
        (table,) = result.tables
        (row,) = table.rows
        types = dict(zip(table.columns, table.columns_types))
        expected = {
            "yes": ("bool", True),
            "time": ("datetime", datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)),
            "scalar": ("dynamic", 7),
            "small": ("int", -7),
            "large": ("long", 9007199254740993),
            "ratio": ("real", 2.5),
            "whole": ("real", 3.0),
            "text": ("string", 'say "hé"'),
            "id": ("guid", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
            "money": ("decimal", "12.5"),
            "span": ("timespan", "1.02:03:04.5000000"),
        }
        for name, (of_type, value) in expected.items():
            with self.subTest(name):
                self.assertEqual(types[name], of_type)
                self.assertEqual(row[name], value)
                self.assertIs(type(row[name]), type(value))
        # The SDK leaves bags and arrays as text.
        self.assertEqual((types["bag"], types["array"]), ("dynamic", "dynamic"))
        self.assertEqual(json.loads(row["bag"]), {"a": [1, 2.5, None], "b": "text"})
        self.assertEqual(json.loads(row["array"]), [1, "two"])
        uuid.UUID(row["id"])

    def test_nulls(self):
        (table,) = client().query_workspace("default", NULLS, timespan=None).tables
        (row,) = table.rows
        for name in ["yes", "time", "bag", "small", "large", "ratio", "money"]:
            self.assertIsNone(row[name], name)
        # The SDK writes what it is given for these as text.
        self.assertEqual([row["id"], row["span"]], ["None", "None"])
        self.assertEqual(row["text"], "")

    def test_an_empty_table_has_its_columns(self):
        result = client().query_workspace("default", "AmlDataSetEvent", timespan=None)
        self.assertEqual(result.status, LogsQueryStatus.SUCCESS)
        (table,) = result.tables
        self.assertEqual(len(table.rows), 0)
        types = dict(zip(table.columns, table.columns_types))
        self.assertEqual(types["TimeGenerated"], "datetime")
        self.assertEqual(types["_ResourceId"], "string")

    def test_statistics_and_visualization_come_when_asked_for(self):
        query = JOBS + " | summarize n = count() by EventType | render piechart with (title='Jobs')"
        plain = client().query_workspace("default", query, timespan=JANUARY)
        self.assertIsNone(plain.statistics)
        self.assertIsNone(plain.visualization)
        result = client().query_workspace(
            "default",
            query,
            timespan=JANUARY,
            server_timeout=60,
            include_statistics=True,
            include_visualization=True,
        )
        self.assertGreaterEqual(result.statistics["query"]["executionTime"], 0)
        self.assertEqual(result.statistics["query"]["datasetStatistics"][0]["tableRowCount"], 3)
        self.assertEqual(result.visualization["visualization"], "piechart")
        self.assertEqual(result.visualization["title"], "Jobs")

    def test_the_deepest_error_names_column_and_place(self):
        with self.assertRaises(HttpResponseError) as caught:
            client().query_workspace(
                "default", "AmlComputeJobEvent\n| where EventTipe == 'x'", timespan=None
            )
        error = caught.exception
        self.assertEqual(error.status_code, 400)
        self.assertEqual(error.error.code, "BadArgumentError")
        inner = error.error.innererror
        self.assertEqual(inner["code"], "SemanticError")
        self.assertEqual(inner["innererror"]["code"], "SEM0100")
        deepest = inner["innererror"]["message"]
        self.assertIn("`EventTipe`", deepest)
        self.assertIn("did you mean `EventType`?", deepest)
        self.assertIn("2:9", deepest)
        self.assertIn("EventTipe", str(error))

    def test_a_syntax_error(self):
        with self.assertRaises(HttpResponseError) as caught:
            client().query_workspace("default", "AmlComputeJobEvent | wehre x", timespan=None)
        self.assertEqual(caught.exception.error.innererror["code"], "SyntaxError")
        self.assertIn("`where`", str(caught.exception))

    def test_an_unknown_workspace_is_named(self):
        with self.assertRaises(HttpResponseError) as caught:
            client().query_workspace("no-such-workspace", JOBS, timespan=None)
        self.assertEqual(caught.exception.status_code, 404)
        self.assertIn("no-such-workspace", str(caught.exception))

    def test_a_query_that_takes_longer_than_it_may(self):
        with self.assertRaises(HttpResponseError) as caught:
            client(retry_total=0).query_workspace(
                "default", ENDLESS, timespan=None, server_timeout=1
            )
        self.assertEqual(caught.exception.status_code, 504)

    def test_an_answer_that_is_too_long_is_partial(self):
        result = client().query_workspace(
            "default", "range x from 1 to 500010 step 1", timespan=None
        )
        self.assertIsInstance(result, LogsQueryPartialResult)
        self.assertEqual(result.status, LogsQueryStatus.PARTIAL)
        self.assertEqual(len(result.partial_data[0].rows), 500_000)
        self.assertEqual(result.partial_error.code, "PartialError")
        self.assertIn("500000 rows", result.partial_error.details[0]["message"])


class QueryResource(unittest.TestCase):
    def test_a_workspace_with_and_without_a_leading_slash(self):
        for resource in [RESOURCE, RESOURCE.lstrip("/"), RESOURCE.upper()]:
            result = client().query_resource(resource, JOBS, timespan=JANUARY)
            self.assertEqual(names(result), ["first", "first", "third"], resource)

    def test_a_resource_group_and_a_subscription(self):
        group = RESOURCE[: RESOURCE.index("/providers/")]
        subscription = group[: group.index("/resourcegroups/")]
        for resource in [group, subscription]:
            result = client().query_resource(resource, JOBS, timespan=JANUARY)
            self.assertEqual(names(result), ["first", "first", "second", "third"], resource)

    def test_options_are_taken(self):
        result = client().query_resource(
            RESOURCE,
            JOBS + " | render table",
            timespan=JANUARY,
            server_timeout=60,
            include_statistics=True,
            include_visualization=True,
            additional_workspaces=["sdk-two"],
        )
        self.assertEqual(names(result), ["first", "first", "second", "third"])
        self.assertEqual(result.visualization["visualization"], "table")
        self.assertIn("query", result.statistics)

    def test_an_unknown_resource_is_named(self):
        with self.assertRaises(HttpResponseError) as caught:
            client().query_resource(RESOURCE + "-not", JOBS, timespan=None)
        self.assertEqual(caught.exception.status_code, 404)
        self.assertIn("-not", str(caught.exception))


class QueryBatch(unittest.TestCase):
    def test_each_query_has_its_own_outcome(self):
        results = client().query_batch(
            [
                LogsBatchQuery("default", JOBS, timespan=JANUARY),
                LogsBatchQuery("default", "AmlComputeJobEvent | where Nope == 1", timespan=None),
                LogsBatchQuery(
                    WORKSPACE,
                    JOBS + " | count | render card",
                    timespan=(TENTH, timedelta(days=1)),
                    additional_workspaces=["sdk-two"],
                    server_timeout=60,
                    include_statistics=True,
                    include_visualization=True,
                ),
                LogsBatchQuery("no-such-workspace", JOBS, timespan=None),
                LogsBatchQuery("default", "range x from 1 to 500010 step 1", timespan=None),
            ]
        )
        rows, wrong, counted, unknown, long = results
        self.assertEqual(names(rows), ["first", "first", "second", "third"])
        self.assertIsInstance(wrong, LogsQueryError)
        self.assertEqual(wrong.code, "BadArgumentError")
        self.assertIn("`Nope`", wrong.message)
        self.assertEqual(counted.tables[0].rows[0]["Count"], 3)
        self.assertEqual(counted.visualization["visualization"], "card")
        self.assertIn("query", counted.statistics)
        self.assertIsInstance(unknown, LogsQueryError)
        self.assertIn("no-such-workspace", unknown.message)
        self.assertIsInstance(long, LogsQueryPartialResult)
        self.assertEqual(len(long.partial_data[0].rows), 500_000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
