"""What every request passes: limits, access, uploads, the protocol."""
