"""*Pipeline*: the machine behind one daemon's cameras."""

from __future__ import annotations

from typing import Any

from dashboards import frame, kit, states
from dashboards.kit import Panel, query

ONE = 'instance="$instance"'
JOB = 'job="surveil",instance="$instance"'


def dashboard() -> dict[str, Any]:
    """Return the dashboard's JSON."""
    return frame.frame(
        "surveil-pipeline",
        "Pipeline",
        "The machine behind the cameras: time in each stage, cost of the model, waiting alerts.",
        [
            ("What runs", _what()),
            ("Time from picture to alert", _time()),
            ("Stages and model", _stages()),
            ("Queue and outbox", _outbox()),
            ("Recordings and second place", _recordings()),
            ("Machine", _machine()),
            ("GPU", _gpu()),
        ],
        [frame.instance()],
    )


def _what() -> list[Panel]:
    return [
        kit.number(
            "Version", "none", query(f"surveil_build_info{{{ONE}}}", "{{version}}"), why="Of surveil.",
            show_name=True, base="text", width=3,
        ),
        kit.number(
            "Configuration", "none", query(f"surveil_build_info{{{ONE}}}", "{{config}}"),
            why="First digits of the configuration's SHA-256: it changes when the file does.",
            show_name=True, base="text", width=3,
        ),
        kit.number(
            "Model", "none", query(f"surveil_execution_provider_info{{{ONE}}}", "{{model}}"),
            why="What detects.", show_name=True, base="text", width=3,
        ),
        kit.number(
            "Runs on", "none", query(f"surveil_execution_provider_info{{{ONE}}}", "{{provider}}"),
            why="The ONNX Runtime provider in use.", show_name=True, base="text", width=3,
        ),
        kit.number(
            "As wanted", "none",
            query(
                f'count(surveil_execution_provider_info{{{ONE},wanted="cuda",provider="CPUExecutionProvider"}}) '
                "or vector(0)"
            ),
            why="A model that should run on the GPU but runs on the CPU gives the same results, slower.",
            values={0: ("yes", "green"), 1: ("no, on the CPU", "red")},
        ),
        kit.number(
            "Last reload", "none",
            query(f"surveil_config_last_reload_successful{{{ONE}}} - 2 * surveil_config_restart_required{{{ONE}}}"),
            why="Whether the configuration that runs is the one in the file.",
            values=states.RELOAD,
        ),
        kit.number(
            "Runs for", "s", query(f"time() - max(process_start_time_seconds{{{JOB}}})"),
            why="Since the daemon started.", base="text",
        ),
    ]  # fmt: skip


def _time() -> list[Panel]:
    return [
        kit.heat(
            "Age of frames when their analysis starts", "s",
            f"sum by (le) (increase(surveil_frame_age_seconds_bucket{{{ONE}}}[$__rate_interval]))",
            why="All cameras. The objective is 99 % under half a second.",
        ),
        kit.heat(
            "From a frame's arrival to its alert on disk", "s",
            f"sum by (le) (increase(surveil_capture_to_alert_seconds_bucket{{{ONE}}}[$__rate_interval]))",
            why="The objective is 99 % under a second.",
        ),
        kit.lines(
            "Burn rate of the objectives", "none",
            query(_burn("surveil_frame_age_seconds", "0.5"), "frames older than 0.5 s"),
            query(_burn("surveil_capture_to_alert_seconds", "1.0"), "alerts later than 1 s"),
            why="Share of late frames or alerts, as a multiple of the 1 % that the objective allows. At 1 the "
            "error budget just lasts. At 14.4 for an hour, an alert fires.",
            limits=[(1, "yellow"), (14.4, "red")], width=12,
        ),
        kit.lines(
            "Age of frames, 99 %, by camera", "s",
            query(
                "histogram_quantile(0.99, sum by (camera, le) "
                f"(rate(surveil_frame_age_seconds_bucket{{{ONE}}}[$__rate_interval])))",
                "{{camera}}",
            ),
            why="If one camera is late, the cause is its stream or network. If all are late, it is the machine.",
            limits=[(0.5, "red")], width=12,
        ),
    ]  # fmt: skip


def _stages() -> list[Panel]:
    return [
        kit.lines(
            "Time in a stage, 95 %", "s",
            query(
                "histogram_quantile(0.95, sum by (stage, le) "
                f"(rate(surveil_stage_seconds_bucket{{{ONE}}}[$__rate_interval])))",
                "{{stage}}",
            ),
            why="Time for one frame, without waiting.",
        ),
        kit.lines(
            "How busy the stages are", "percentunit",
            query(f"sum by (stage) (rate(surveil_stage_seconds_sum{{{ONE}}}[$__rate_interval]))", "{{stage}}"),
            why="Seconds of work per second. `detect`, `analyse` and `commit` have one thread each, which is "
            "fully used at 100 %. `prepare` has one thread per core.",
            limits=[(0.8, "yellow"), (1, "red")],
        ),
        kit.lines(
            "Inference", "s",
            *(
                query(
                    f"histogram_quantile({q}, sum by (le) "
                    f"(rate(surveil_inference_seconds_bucket{{{ONE}}}[$__rate_interval])))",
                    f"{q:.0%}",
                )
                for q in (0.5, 0.95, 0.99)
            ),
            why="Time of one call of the model.",
        ),
        kit.heat(
            "Batch sizes", "none",
            f"sum by (le) (increase(surveil_detector_batch_size_bucket{{{ONE}}}[$__rate_interval]))",
            why="Crops per call: 1 on a CPU; many on a busy GPU.", width=8,
        ),
        kit.lines(
            "Crops by camera", "cps",
            query(
                f"sum by (camera) (rate(surveil_detector_crops_total{{{ONE}}}[$__rate_interval]))", "{{camera}}"
            ),
            why="Who uses the model.", stacked=True,
        ),
        kit.lines(
            "Calls of the model", "cps",
            query(f"sum(rate(surveil_inference_seconds_count{{{ONE}}}[$__rate_interval]))", "calls"),
            query(f"sum(rate(surveil_detector_crops_total{{{ONE}}}[$__rate_interval]))", "crops"),
            why="Crops divided by calls is the mean batch.",
        ),
    ]  # fmt: skip


def _outbox() -> list[Panel]:
    return [
        kit.lines(
            "Frames that were due and missed", "cps",
            query(
                "sum by (reason) "
                f'(rate(surveil_frames_dropped_total{{{ONE},reason!~"decimated|idle"}}[$__rate_interval]))',
                "{{reason}}",
            ),
            why="`overwritten`: the machine is too slow. `damaged`: the network.", stacked=True, width=6,
        ),
        kit.lines(
            "Frames that wait", "none", query(f"sum by (camera) (surveil_frames_waiting{{{ONE}}})", "{{camera}}"),
            why="Frames in the ring or in flight, at most two per camera.", width=6, stacked=True,
        ),
        kit.lines(
            "Outbox", "none",
            query(
                f'sum by (sink, state) (surveil_outbox_alerts{{{ONE},state!="delivered"}})', "{{sink}}: {{state}}"
            ),
            why="Alerts that wait for a sink, or were given up.", limits=[(10, "red")], width=6,
        ),
        kit.lines(
            "Oldest undelivered alert", "s",
            query(f"max by (sink) (surveil_outbox_oldest_pending_seconds{{{ONE}}})", "{{sink}}"),
            why="Age of the oldest alert that waits, by sink. An alert fires after a quarter of an hour.",
            limits=[(60, "yellow"), (900, "red")], width=6,
        ),
        kit.lines(
            "Evidence that could not be written", "none",
            query(
                f"sum by (reason) (increase(surveil_evidence_errors_total{{{ONE}}}[$__interval]))", "{{reason}}"
            ),
            why="By reason, in each interval. Alerts continue without a picture.", bars=True, width=6,
        ),
        kit.lines(
            "Bugs in rules", "none",
            query(f"sum by (camera) (increase(surveil_rule_errors_total{{{ONE}}}[$__interval]))", "{{camera}}"),
            why="Exceptions in rules, by camera. Each of them is a bug: please report it.", bars=True, width=6,
        ),
        kit.lines(
            "Books of signals", "none",
            query(f'sum(surveil_ledger_signals{{{ONE},outcome="pending"}})', "wait for their outcome"),
            query(
                f'abs(sum(surveil_ledger_signals{{{ONE},outcome="raised"}}) '
                f'- sum(surveil_ledger_signals{{{ONE},outcome!="raised"}}))',
                "unaccounted for",
            ),
            why="Every signal of a configured rule has opened an event, joined one, was suppressed, or is "
            "pending. Anything unaccounted for is a bug.", width=6,
        ),
        kit.lines(
            "Evidence", "bytes", query(f"sum by (camera) (surveil_evidence_bytes{{{ONE}}})", "{{camera}}"),
            why="Size of stored pictures and clips, limited by `evidence.max_bytes` of each camera.", stacked=True,
            width=6,
        ),
    ]  # fmt: skip


def _recordings() -> list[Panel]:
    return [
        kit.timeline(
            "Recorded", query(f"max by (camera) (surveil_recording_active{{{ONE}}})", "{{camera}}"),
            why="Whether video of the camera is being written.", values=states.RECORDED, width=12,
            empty="no camera is recorded",
        ),
        kit.lines(
            "Recordings", "bytes", query(f"sum by (camera) (surveil_recording_stored_bytes{{{ONE}}})", "{{camera}}"),
            why="Size of recordings on the disk, limited by `record.max_bytes` of each camera.", stacked=True, width=6,
        ),
        kit.levels(
            "Recordings go back", "s",
            query(
                f"time() - (max by (camera) (surveil_recording_oldest_timestamp_seconds{{{ONE}}}) > 0)",
                "{{camera}}", at_once=True,
            ),
            why="Age of the oldest recording, limited by `record.keep_days`.", empty="no recording", width=6,
        ),
        kit.lines(
            "Interruptions of recordings", "none",
            query(
                f"sum by (camera, reason) (increase(surveil_recording_gaps_total{{{ONE}}}[$__interval])) > 0",
                "{{camera}}: {{reason}}",
            ),
            query(
                f"sum by (camera) (increase(surveil_recording_dropped_packets_total{{{ONE}}}[$__interval])) > 0",
                "{{camera}}: dropped packets",
            ),
            why="By reason, in each interval. Dropped packets: the disk is too slow.", bars=True, width=6,
        ),
        kit.lines(
            "Not at the second place", "bytes",
            query(f"sum by (kind) (surveil_offsite_pending_bytes{{{ONE}}})", "{{kind}}"),
            why="What exists only on this machine and would be lost if it were stolen.", stacked=True, width=6,
        ),
        kit.lines(
            "Oldest file that is not at the second place", "s",
            query(f"max(surveil_offsite_oldest_pending_seconds{{{ONE}}})", "age"),
            why="An alert fires after a quarter of an hour.", limits=[(60, "yellow"), (900, "red")], width=6,
        ),
        kit.lines(
            "Copies to the second place", "none",
            query(f"sum by (result) (increase(surveil_offsite_files_total{{{ONE}}}[$__interval]))", "{{result}}"),
            why="Files in each interval. `retry`: the second place did not accept the file; `lost`: the file "
            "was deleted here before it was copied.",
            bars=True, width=6, colours={"copied": "green", "retry": "yellow", "lost": "red"},
        ),
    ]  # fmt: skip


def _machine() -> list[Panel]:
    return [
        kit.lines(
            "Cores in use", "none", query(f"rate(process_cpu_seconds_total{{{JOB}}}[$__rate_interval])", "daemon"),
            why="CPU seconds per second of the whole daemon, decoding included.", width=6,
        ),
        kit.lines(
            "Memory", "bytes", query(f"process_resident_memory_bytes{{{JOB}}}", "resident"),
            why="A line that rises for days is a leak.", width=6,
        ),
        kit.lines(
            "Open files", "percentunit",
            query(f"process_open_fds{{{JOB}}} / process_max_fds{{{JOB}}}", "of what is allowed"),
            why="Open sockets and files, as a share of the daemon's limit.",
            limits=[(0.8, "red")], width=6,
        ),
        kit.lines(
            "Disk with the state", "bytes",
            query(f"surveil_state_free_bytes{{{ONE}}}", "free"), query(f"surveil_state_size_bytes{{{ONE}}}", "size"),
            why="An alert fires if less than 5 % is free, or if the disk will be full within a day.", width=6,
        ),
    ]  # fmt: skip


def _gpu() -> list[Panel]:
    return [
        kit.lines(
            "Busy", "percentunit",
            query(f"surveil_gpu_utilization_ratio{{{ONE}}}", "GPU {{gpu}} computes"),
            query(f"surveil_gpu_decoder_utilization_ratio{{{ONE}}}", "GPU {{gpu}} decodes"),
            why="Recent utilisation of the GPU by all processes. Empty without a GPU.", high=1,
        ),
        kit.lines(
            "Memory of the GPU", "bytes",
            query(f"surveil_gpu_memory_used_bytes{{{ONE}}}", "GPU {{gpu}} in use"),
            query(f"surveil_gpu_memory_size_bytes{{{ONE}}}", "GPU {{gpu}} size"),
            why="Memory in use by all processes, and total memory.",
        ),
        kit.lines(
            "Temperature of the GPU", "celsius", query(f"surveil_gpu_temperature_celsius{{{ONE}}}", "GPU {{gpu}}"),
            why="Most GPUs slow down between 80 and 90 °C.", limits=[(80, "yellow"), (90, "red")],
        ),
    ]  # fmt: skip


def _burn(histogram: str, bound: str) -> str:
    """Return the share of values over `bound`, in multiples of 1 %."""
    good = f'sum(rate({histogram}_bucket{{{ONE},le="{bound}"}}[$__rate_interval]))'
    every = f"sum(rate({histogram}_count{{{ONE}}}[$__rate_interval]))"
    return f"(1 - {good} / ({every} > 0)) / 0.01"
