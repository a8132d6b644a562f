"""One trace from a request to the steps that apply it on each machine, for OpenTelemetry, where that is switched on.

``spans`` is what the rest of lbaas knows; ``otel`` alone knows the library, and is imported only where a collector is
named. A trace travels with its change: decision record tracing.
"""
