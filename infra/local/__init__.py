"""The whole platform on one machine, on loopback, under one folder: `up`, `down`, `status`."""

from infra.local.stack import ServiceStatus, StackStatus, down, status, up

__all__ = ["ServiceStatus", "StackStatus", "down", "status", "up"]
