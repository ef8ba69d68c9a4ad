"""luminous: a serverless peer for NixOS machines. Nothing lives here but the version."""

__version__ = "0.1.0"
