"""The web portal: pages over the HTTP API, for people who have a token.

It has no rule of its own. Whatever a page shows or does is a request to the API of the same process, with the
visitor's token: scope, validation, error texts, idempotency and audit are the API's.
"""
