"""Finds cameras on the network: WS-Discovery, then a few questions of ONVIF to each that answers."""
