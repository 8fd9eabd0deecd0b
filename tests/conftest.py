"""What all tests share."""

from hypothesis import HealthCheck, settings

# The first example of a test may pay for imports and tables; a hang is still found.
settings.register_profile("project", deadline=10_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")
