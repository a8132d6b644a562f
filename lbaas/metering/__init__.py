"""What flows is counted, kept until the server has it, and entered once: the agents' side of metering.

::

    kernel  ->  counting (node, host)  ->  period  ->  buffer, on disk  ->  delivery  ->  POST /v1/agent/usage
"""
