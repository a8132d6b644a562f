"""HTTP: routes, authentication, problems. What is done stands in the services."""
