"""The Kubernetes controller: Services of type LoadBalancer become VIPs that pods answer for directly."""
