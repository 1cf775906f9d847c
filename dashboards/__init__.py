"""The Grafana dashboards, written in Python: the one source of `grafana/dashboards/*.json`.

    python -m dashboards            # write them (`make docs` does it)
    python -m dashboards --check    # exit 1 when a file differs (`make check` does it)
    python -m dashboards.picture    # draw them from a Prometheus, without a Grafana

`kit` has the kinds of panels, `frame` what every dashboard has around them; each dashboard is a file.
"""
