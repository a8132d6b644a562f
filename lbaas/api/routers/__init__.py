"""The routes, by resource. Each asks a service and shows what it answers."""

from lbaas.api.problems import responses

READS = responses(401, 403, 404, 422, 429, 503)
CREATES = responses(400, 401, 403, 404, 409, 413, 415, 422, 429, 503)
CHANGES = responses(400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 503)
DELETES = responses(401, 403, 404, 409, 412, 422, 429, 503)
