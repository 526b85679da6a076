"""Envoy: configuration, threads, plugins, streams, filters, clusters, statistics."""
