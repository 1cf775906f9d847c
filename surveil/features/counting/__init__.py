"""Counting: who crosses lines and which way, how many are in zones, how long they stay, where they walk.

`live` counts in one camera's tracks (pure), `rollup` adds up by hour, `store` keeps the hours for years,
`report` and `heatmap` show them.
"""
