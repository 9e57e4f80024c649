"""The MUST statements of runtime-spec 1.3.0 for Linux: small tests for any runtime."""
