"""Answers the questions of `tests/seed.rs` from exported files, without Loggia.

    expected.py TREE JOB NOW…

Prints, for each instant NOW and each question, the rows as JSON. Instants are text with seven digits
after the point, which sorts as time does.
"""

import json
import sys
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

ONE_DAY = timedelta(days=1)


def instant(text):
    """`2026-01-01T00:00:00.5Z` with all seven digits; nothing for nothing."""
    whole, _, fraction = (text or "").rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<7}Z" if whole else ""


def days_before(now, days):
    whole, fraction = now.split(".")
    earlier = datetime.fromisoformat(whole) - days * ONE_DAY
    return f"{earlier.isoformat()}.{fraction}"


def records(tree, category):
    """All records of a category, as (time, workspace, properties)."""
    found = []
    for path in sorted(Path(tree, f"insights-logs-{category.lower()}").rglob("*.json")):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            workspace = record["resourceId"].lower().split("/")[8]
            found.append((instant(record["time"]), workspace, record["properties"]))
    return found


class Answers:
    def __init__(self, tables, job, now):
        self.jobs, self.clusters, self.nodes = tables
        self.job = job
        self.now = now

    def ago(self, days):
        return days_before(self.now, days)

    def job_row(self, time, properties):
        names = ["ClusterId", "EventType", "ExecutionState", "ToolType"]
        return [time] + [properties.get(name) or "" for name in names]

    def failed_jobs(self):
        since = self.ago(5)
        return [
            self.job_row(time, properties)
            for time, _, properties in self.jobs
            if time > since and properties["EventType"] == "JobFailed"
        ]

    def records_of_a_job(self):
        return [
            self.job_row(time, properties)
            for time, _, properties in self.jobs
            if properties["JobName"] == self.job
        ]

    def clusters_of_a_size(self):
        since = self.ago(4)
        names = ["ClusterName", "InitialNodeCount", "MaximumNodeCount", "QuotaAllocated", "QuotaUtilized"]
        return [
            [properties[name] for name in names]
            for time, _, properties in self.clusters
            if time > since and properties["VmSize"] == "STANDARD_D1_V2"
        ]

    def allocated_nodes(self):
        since = self.ago(8)
        nodes = {
            properties["NodeId"]
            for time, _, properties in self.nodes
            if time > since and instant(properties.get("NodeAllocationTime")) > since
        }
        return [[node] for node in nodes]

    def running_nodes(self):
        since = self.ago(1)
        groups = defaultdict(list)
        for time, workspace, properties in self.clusters:
            if time > since:
                names = ["ClusterName", "ClusterType", "VmSize", "VmPriority"]
                key = (workspace, *(properties.get(name) or "" for name in names))
                groups[key].append(properties["TargetNodeCount"])
        return [[*key, sum(counts) / len(counts), max(counts)] for key, counts in groups.items()]

    def failure_rates(self):
        groups = defaultdict(list)
        for time, workspace, properties in self.jobs:
            if properties["EventType"] in ("JobSucceeded", "JobFailed"):
                day = f"{time[:10]}T00:00:00.0000000Z"
                groups[workspace, day].append(properties["EventType"] == "JobFailed")
        return [
            [*key, sum(failed), len(failed), 100.0 * sum(failed) / len(failed)]
            for key, failed in groups.items()
        ]

    def all(self):
        return {
            "failed jobs": self.failed_jobs(),
            "records of a job": self.records_of_a_job(),
            "clusters of a size": self.clusters_of_a_size(),
            "allocated nodes": self.allocated_nodes(),
            "running nodes": self.running_nodes(),
            "failure rates": self.failure_rates(),
        }


def main(tree, job, *clocks):
    categories = ["AmlComputeJobEvent", "AmlComputeClusterEvent", "AmlComputeClusterNodeEvent"]
    tables = [records(tree, category) for category in categories]
    print(json.dumps({now: Answers(tables, job, now).all() for now in clocks}))


if __name__ == "__main__":
    main(*sys.argv[1:])
