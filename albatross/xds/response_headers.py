"""What a listener's attributes do to responses: to targets' and to the load balancer's own.

Source: ALB user guide, "HTTP header modification for your Application Load Balancer".
"""

from collections.abc import Mapping

from envoy.config.route.v3.route_components_pb2 import Route
from envoy.extensions.filters.http.header_mutation.v3.header_mutation_pb2 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)

from albatross.model import attributes
from albatross.model.listener import Listener
from albatross.xds import names
from albatross.xds.actions import ADD_IF_ABSENT, OVERWRITE, header
from albatross.xds.packing import extension, packed


def response_headers_filter() -> dict[str, object]:
    """Return the filter, which does nothing but on routes that `set_response_headers` has seen."""
    return extension(names.RESPONSE_HEADERS_FILTER, HeaderMutation())


# differs from AWS: what is refused before it is known to be an HTTP request (with 400, 408 or 501),
# and a CONNECT request, does not get the headers that the listener's attributes set, and gets
# Server even where that is off.
def set_response_headers(route: Route, listener: Listener, *, own: Mapping[str, str]) -> None:
    """Have the responses on `route` carry what `listener`'s attributes say, and headers of their
    `own` that a route cannot add otherwise.
    """
    if not listener.attributes and not own:  # by default they say nothing
        return
    mutations = Mutations()
    for name, value in own.items():  # a refusal of the request has them already, for its page
        mutations.response_mutations.add(append=header(name, value, ADD_IF_ABSENT))
    if attributes.get(listener, "routing.http.response.server.enabled") == "false":
        mutations.response_mutations.add(remove="server")
    for key, name in attributes.RESPONSE_HEADERS.items():
        if value := attributes.get(listener, key):
            # A `%` would be read as a command by Envoy.
            line = header(name, value.replace("%", "%%"), OVERWRITE)
            mutations.response_mutations.add(append=line)
    if mutations.response_mutations:
        route.typed_per_filter_config[names.RESPONSE_HEADERS_FILTER].CopyFrom(
            packed(HeaderMutationPerRoute(mutations=mutations))
        )
