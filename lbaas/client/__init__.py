"""The API's clients over httpx, the only place that names the HTTP library."""
