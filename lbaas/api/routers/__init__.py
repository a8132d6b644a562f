"""The routes, by resource. Each asks a service and shows what it answers."""

from lbaas.api.problems import responses

READS = responses(401, 403, 404, 422, 503)
WRITES = responses(400, 401, 403, 404, 409, 413, 415, 422, 503)
DELETES = responses(401, 403, 404, 409, 422, 503)
