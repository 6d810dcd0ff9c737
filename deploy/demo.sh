#!/usr/bin/env bash
# The main job, start to end: logs of three workspaces as Azure exports them go in, questions that
# administrators ask come back answered. Leaves its data in target/demo.
#   deploy/demo.sh LOGGIA [PORT]
set -euo pipefail

loggia=${1:?the path of the loggia program}
port=${2:-8750}
home=target/demo
export LOGGIA_SERVER=http://127.0.0.1:$port

rm -rf "$home"
mkdir -p "$home"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# ask TITLE KQL: prints the question, the answer and the time that both sides took.
ask() {
  say "$1"
  sed 's/^/    /' <<<"$2"
  local start=$EPOCHREALTIME
  local answer
  answer=$("$loggia" query "$2")
  local end=$EPOCHREALTIME
  # A long answer is shown in part; the last line counts all of its rows.
  if [ "$(wc -l <<<"$answer")" -le 15 ]; then
    echo "$answer"
  else
    head -n 12 <<<"$answer"
    echo '…'
    tail -n 1 <<<"$answer"
  fi
  printf '%d ms\n' $(((${end/./} - ${start/./}) / 1000))
}

say "Generate two weeks of logs of three workspaces in $home/export"
"$loggia" generate --workspaces 3 --days 14 "$home/export" | tail -n 2

say "Serve them from $home/data"
mkfifo "$home/ready"
"$loggia" dev --data "$home/data" --port "$port" >"$home/ready" 2>"$home/server.log" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT
if ! read -r ready <"$home/ready"; then
  cat "$home/server.log" >&2
  exit 1
fi
echo "$ready"

say 'Ingest the exported tree'
start=$EPOCHREALTIME
"$loggia" ingest --add-workspaces "$home/export"
end=$EPOCHREALTIME
printf '%d ms\n' $(((${end/./} - ${start/./}) / 1000))
"$loggia" workspace list

ask 'Jobs that failed in the last 5 days' 'AmlComputeJobEvent
| where TimeGenerated > ago(5d) and EventType == "JobFailed"
| project TimeGenerated, ClusterId, EventType, ExecutionState, ToolType'

job=$("$loggia" query --format csv \
  'AmlComputeJobEvent | where EventType == "JobFailed" | top 1 by TimeGenerated | project JobName' | tail -n 1)
ask 'All records of one job' "AmlComputeJobEvent
| where JobName == \"$job\"
| project TimeGenerated, ClusterId, EventType, ExecutionState, ToolType"

ask 'Cluster events of one VM size in the last 4 days' 'AmlComputeClusterEvent
| where TimeGenerated > ago(4d) and VmSize == "STANDARD_D1_V2"
| project ClusterName, InitialNodeCount, MaximumNodeCount, QuotaAllocated, QuotaUtilized'

ask 'Nodes allocated in the last 8 days' 'AmlComputeClusterNodeEvent
| where TimeGenerated > ago(8d) and NodeAllocationTime > ago(8d)
| distinct NodeId'

ask 'Running nodes of every cluster of every workspace in the last day' 'AmlComputeClusterEvent
| where TimeGenerated > ago(1d)
| summarize avgRunningNodes=avg(TargetNodeCount), maxRunningNodes=max(TargetNodeCount)
    by Workspace=tostring(split(_ResourceId, "/")[8]), ClusterName, ClusterType, VmSize, VmPriority'

ask 'Failure rate by workspace and day' 'AmlComputeJobEvent
| where EventType in ("JobSucceeded", "JobFailed")
| summarize Jobs = count(), Failed = countif(EventType == "JobFailed")
    by Workspace = tostring(split(_ResourceId, "/")[8]), Day = bin(TimeGenerated, 1d)
| extend FailureRate = round(100.0 * Failed / Jobs, 1)
| order by Day desc, Workspace asc
| take 12'

say 'Go on'
cat <<END
    $loggia query 'AmlRunEvent | summarize count() by Status'
    $loggia query --stats 'AmlComputeJobEvent | summarize count() by EventType, _ResourceId'
    curl -s $LOGGIA_SERVER/v1/workspaces/default/query --json '{"query": "AmlRunEvent | count"}'
    $loggia --help
END
if [ -t 0 ] && [ -t 1 ]; then
  echo "The server runs on at $LOGGIA_SERVER until you press Ctrl-C."
  wait $server
else
  echo "Start it again with: $loggia dev --data $home/data --port $port"
fi
