"""Attributes of a stream, a connection and a plugin: what a module gets for a property.

==========  ==================================================================
lookup      :func:`plugin_attribute`, :func:`stream_attribute`: from a path to a value
view        what attributes are computed from
messages    ``request.*``, ``response.*``
places      ``connection.*``, ``source.*``, ``destination.*``, ``upstream.*``
xds         ``xds.*``, metadata
==========  ==================================================================
"""

from meshsim.envoy.attributes.lookup import TABLES, plugin_attribute, stream_attribute
from meshsim.envoy.attributes.view import Subject

__all__ = ["TABLES", "Subject", "plugin_attribute", "stream_attribute"]
