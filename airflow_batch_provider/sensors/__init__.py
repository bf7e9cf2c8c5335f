"""Sensors: wait until a batch is finished."""
