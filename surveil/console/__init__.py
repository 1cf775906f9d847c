"""The console: a web interface and its API, on the port of the pages.

Imported only where `http: {console: true}`. `routes` has every endpoint with the role that it needs; `api` answers,
`auth` says who asks, `live` sends pictures and events, `static` is the front end.
"""
