"""What the board shows, row after row."""  # noqa: INP001 - for scripts

from collections.abc import Mapping, Sequence

from deploy.grafana.panels import (
    BARS,
    BESIDE,
    LANES,
    OURS,
    STACKED,
    Panel,
    Query,
    per_lane,
    quantiles,
    rate,
    rise,
    stat,
)

OUTCOMES = {
    "accepted": "green",
    "rejected": "orange",
    "dead_letter": "red",
    "duplicate": "blue",
    "evaluated": "purple",
    "tick": "#8e8e8e",
}

ROWS: Mapping[str, Sequence[Panel]] = {
    "At a glance": [
        stat(
            "Workers ready",
            "of those that are scraped",
            f"sum(billing_ready{{{OURS}}})",
            thresholds={0: "red", 1: "green"},
        ),
        stat(
            "Lanes that run",
            "The topic of commands has as many lanes as partitions.",
            f'count(count by (lane) (billing_lane_state{{{LANES}, state="running"}} == 1)) or vector(0)',
        ),
        stat(
            "Lanes that stopped",
            "They wait for an operator's word: see the table below and docs/alerts.md.",
            f"count(count by (lane) (billing_lane_stopped{{{LANES}}} == 1)) or vector(0)",
            thresholds={0: "green", 1: "red"},
        ),
        stat(
            "Commands",
            "Records decided in a second, without ticks.",
            rate("billing_commands_total", of=', outcome!="tick"'),
            "ops",
        ),
        stat(
            "Oldest unpublished",
            "Committed and not visible to subscribers yet.",
            f"max(min by (lane) (billing_lane_unpublished_age_seconds{{{LANES}}}))",
            "s",
            {0: "green", 5: "orange", 60: "red"},
        ),
        stat(
            "Horizon",
            "How far back answers are final for every lane. A biller may close a period that ended before.",
            f"max(min by (lane) (billing_lane_horizon_age_seconds{{{LANES}}}))",
            "s",
            {0: "green", 60: "orange", 120: "red"},
        ),
    ],
    "Traffic": [
        Panel(
            "Records by outcome",
            "Decided in a second. Ticks are how idle lanes tell the time.",
            [Query(rate("billing_commands_total", by="outcome"), "{{outcome}}")],
            unit="ops",
            colors=OUTCOMES,
            custom=STACKED,
        ),
        Panel(
            "Events by type",
            "Brought about in a second.",
            [Query(f"{rate('billing_events_total', by='event')} > 0", "{{event}}")],
            unit="ops",
            custom=STACKED,
            options=BESIDE,
        ),
        Panel(
            "Dead letters by reason",
            "Records that nobody can read, or whose sender nobody can answer. Empty is good.",
            [Query(f"{rise('billing_dead_letters_total', by='reason')} > 0", "{{reason}}")],
            custom=BARS,
        ),
    ],
    "Latency": [
        quantiles(
            "From append to visible",
            "Of the oldest record of each batch, until subscribers see what came of it. Clocks of broker and worker.",
            "billing_published_latency_seconds",
        ),
        quantiles(
            "From append to COMMIT",
            "Of the oldest record of each batch. Clocks of broker and worker.",
            "billing_committed_latency_seconds",
        ),
        Panel(
            "Append to visible, all of it",
            "Batches by how long their oldest record took.",
            [
                Query(
                    f"sum by (le) (increase(billing_published_latency_seconds_bucket{{{OURS}}}[$__rate_interval]))",
                    "{{le}}",
                    shape="heatmap",
                )
            ],
            kind="heatmap",
            unit="s",
            options={
                "calculate": False,
                "cellGap": 1,
                "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange"},
                "yAxis": {"unit": "s", "axisPlacement": "left"},
                "tooltip": {"mode": "single", "yHistogram": False},
                "legend": {"show": False},
            },
        ),
    ],
    "Lanes": [
        per_lane("Lag", "Records in the log that are not decided.", "billing_lane_lag_records", "short"),
        per_lane(
            "Age of the horizon",
            "How far back answers are final. Idle lanes go up and down by BILLING_LANES__TICK_SECONDS.",
            "billing_lane_horizon_age_seconds",
            "s",
        ),
        per_lane(
            "Age of the oldest unpublished record",
            "Committed in PostgreSQL and not visible in Kafka.",
            "billing_lane_unpublished_age_seconds",
            "s",
        ),
        Panel(
            "Lanes by state",
            "Anything but running is on its way to it, or needs a look.",
            [Query(f"sum by (state) (billing_lane_state{{{LANES}}})", "{{state}}")],
            width=12,
            custom=STACKED,
            colors={"running": "green", "waiting": "orange", "stopped": "red", "taking over": "blue"},
        ),
        Panel(
            "Each lane",
            "As its worker sees it now.",
            [
                Query(f"max by (lane, instance, state) (billing_lane_state{{{LANES}}})", shape="table", is_of_now=True),
                Query(f"max by (lane, instance) (billing_lane_lag_records{{{LANES}}})", shape="table", is_of_now=True),
                Query(
                    f"max by (lane, instance) (billing_lane_horizon_age_seconds{{{LANES}}})",
                    shape="table",
                    is_of_now=True,
                ),
                Query(
                    f"max by (lane, instance) (billing_lane_unpublished_age_seconds{{{LANES}}})",
                    shape="table",
                    is_of_now=True,
                ),
                Query(
                    f"max by (lane, instance) (billing_lane_progress_age_seconds{{{LANES}}})",
                    shape="table",
                    is_of_now=True,
                ),
            ],
            kind="table",
            width=16,
            transformations=[
                {"id": "merge", "options": {}},
                {
                    "id": "organize",
                    "options": {
                        "excludeByName": {"Time": True, "Value #A": True},
                        "indexByName": {},
                        "renameByName": {
                            "lane": "Lane",
                            "instance": "Worker",
                            "state": "State",
                            "Value #B": "Lag",
                            "Value #C": "Horizon",
                            "Value #D": "Unpublished",
                            "Value #E": "Last batch",
                        },
                    },
                },
            ],
            overrides=[
                {
                    "matcher": {"id": "byRegexp", "options": "Horizon|Unpublished|Last batch"},
                    "properties": [{"id": "unit", "value": "s"}, {"id": "decimals", "value": 1}],
                }
            ],
        ),
        Panel(
            "Alerts that fire",
            "Each has its section in docs/alerts.md.",
            [
                Query(
                    'max by (alertname, severity, lane, reason, instance) (ALERTS{alertname=~"Billing.+", '
                    'alertstate="firing"})',
                    shape="table",
                    is_of_now=True,
                )
            ],
            kind="table",
            transformations=[
                {
                    "id": "organize",
                    "options": {
                        "excludeByName": {"Time": True, "Value": True},
                        "indexByName": {},
                        "renameByName": {"alertname": "Alert", "severity": "Severity", "lane": "Lane", "reason": "Why"},
                    },
                }
            ],
        ),
    ],
    "The group, and what went wrong": [
        Panel(
            "Rebalances",
            "How often each worker was dealt its lanes anew.",
            [Query(rise("billing_rebalances_total", by="instance"), "{{instance}}")],
            custom=BARS,
        ),
        Panel(
            "Lanes that began again",
            "By what was at fault; and lanes that turned out to be another's.",
            [
                Query(rise("billing_lane_retries_total", by="fault"), "{{fault}}"),
                Query(rise("billing_lanes_fenced_total"), "fenced"),
            ],
            custom=BARS,
        ),
        Panel(
            "Invariants broken",
            "Commands and batches that made the program or a constraint fail. Ought to be empty for ever.",
            [
                Query(rise("billing_defects_total"), "commands"),
                Query(rise("billing_batch_defects_total"), "batches"),
            ],
            custom=BARS,
            colors={"commands": "red", "batches": "orange"},
        ),
        Panel(
            "Projects without a payer",
            "By how many more or fewer than six hours before.",
            [
                Query(
                    f"sum(increase(billing_payers_missing_total{{{OURS}}}[6h]))"
                    f" - sum(increase(billing_payers_missing_ended_total{{{OURS}}}[6h]))",
                    "difference",
                )
            ],
            width=12,
            may_be_negative=True,
        ),
        Panel(
            "Group offsets that somebody moved",
            "And attributes of commands that were bad and do not count.",
            [
                Query(rise("billing_group_offsets_moved_total"), "offsets moved"),
                Query(rise("billing_attributes_ignored_total", by="attribute"), "{{attribute}}"),
            ],
            width=12,
            custom=BARS,
        ),
    ],
    "The database": [
        quantiles("Batch", "From asking for a connection to COMMIT.", "billing_batch_seconds"),
        Panel(
            "Connections",
            "In use, open, and how many there may be, by worker.",
            [
                Query(f"sum by (instance) (billing_database_connections_in_use{{{OURS}}})", "{{instance}} in use"),
                Query(f"sum by (instance) (billing_database_connections{{{OURS}}})", "{{instance}} open"),
                Query(f"max(billing_database_connections_max{{{OURS}}})", "each may have"),
            ],
        ),
        Panel(
            "No connection to spare",
            "The share of time in which whoever wanted one waited.",
            [
                Query(
                    rate("billing_database_connections_exhausted_seconds_total", by="instance"),
                    "{{instance}}",
                )
            ],
            unit="percentunit",
        ),
        Panel(
            "Batch size",
            "Records in a batch, on average. At 500, the limit, a lane has no slack.",
            [Query(f"{rate('billing_batch_commands_sum')} / {rate('billing_batch_commands_count')}", "records")],
            width=12,
        ),
        quantiles("Publishing transaction", "From its first record to its end.", "billing_publish_seconds", 12),
    ],
    "Processes": [
        Panel(
            "CPU",
            "Cores. A worker uses one at most.",
            [Query(rate("process_cpu_seconds_total", by="instance"), "{{instance}}")],
            custom={"fillOpacity": 10},
        ),
        Panel(
            "Memory",
            "Resident.",
            [Query(f"sum by (instance) (process_resident_memory_bytes{{{OURS}}})", "{{instance}}")],
            unit="bytes",
        ),
        Panel(
            "Event loop",
            "How late 99 of 100 tasks come.",
            [
                Query(
                    "histogram_quantile(0.99, sum by (instance, le) "
                    f"(rate(billing_event_loop_late_seconds_bucket{{{OURS}}}[$__rate_interval])))",
                    "{{instance}}",
                )
            ],
            unit="s",
        ),
        Panel(
            "Releases",
            "Workers by release.",
            [Query(f"sum by (version) (billing_build_info{{{OURS}}})", "{{version}}")],
            width=12,
            custom=STACKED,
        ),
        Panel(
            "Open files",
            "Sockets too; each worker's limit is process_max_fds.",
            [Query(f"sum by (instance) (process_open_fds{{{OURS}}})", "{{instance}}")],
            width=12,
        ),
    ],
}
