"""The layers around every request: limits, access control, uploads, the protocol."""
