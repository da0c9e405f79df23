"""A method that does not say which scope it needs cannot be served."""

from __future__ import annotations

import grpc
import pytest
from telecine.encoder.v1 import encoder_pb2_grpc
from telecine.logs.v1 import log_collector_service_pb2_grpc

from encoder_service.rpc.servicer import EncoderServicer
from log_collector.rpc.servicer import LogCollectorServicer
from service_host.auth.scopes import Scope, requires, scopes_of
from service_host.calls.registration import Registrar
from tests.service_host.tiny_service import NAME, TinyService


class Server:
    """Remembers what was added; a server of gRPC does not show it."""

    def __init__(self):
        self.added = []

    def add_generic_rpc_handlers(self, handlers):
        self.added.extend(handlers)


def test_a_servicer_whose_methods_all_declare_a_scope_is_taken():
    server = Server()
    TinyService().register(Registrar(server))
    assert [each.service_name() for each in server.added] == [NAME]


def test_every_method_without_a_scope_is_named_and_nothing_is_added():
    server = Server()
    with pytest.raises(TypeError, match=r"/telecine\.encoder\.v1\.EncoderService/Encode, .*GetJob"):
        encoder_pb2_grpc.add_EncoderServiceServicer_to_server(
            encoder_pb2_grpc.EncoderServiceServicer(), Registrar(server)
        )
    assert not server.added


def test_one_forgotten_method_of_a_servicer_is_found():
    class Forgetful(LogCollectorServicer):
        async def Tail(self, request, context):  # noqa: N802 - the rpc's name
            yield None

    servicer = Forgetful(*[None] * 5)
    with pytest.raises(TypeError, match=r"beside /telecine\.logs\.v1\.LogCollectorService/Tail$"):
        log_collector_service_pb2_grpc.add_LogCollectorServiceServicer_to_server(
            servicer, Registrar(Server())
        )


@pytest.mark.parametrize("name", ["unknown.v1.Service", ""])
def test_a_service_that_no_proto_describes_is_refused(name):
    handler = grpc.method_handlers_generic_handler(name, {})
    with pytest.raises(TypeError, match=r"no \.proto describes"):
        Registrar(Server()).add_generic_rpc_handlers((handler,))


def test_handlers_that_do_not_name_their_service_are_refused():
    class Anything(grpc.GenericRpcHandler):
        def service(self, handler_call_details):
            return None

    with pytest.raises(TypeError, match="which service"):
        Registrar(Server()).add_generic_rpc_handlers((Anything(),))


def test_a_declaration_needs_a_scope():
    with pytest.raises(TypeError):
        requires()


def test_what_was_declared_is_read_from_bound_and_unbound_methods():
    assert scopes_of(EncoderServicer.Encode) == {Scope.ENCODE}
    assert scopes_of(TinyService().single) == {Scope.READ}
    assert scopes_of(print) is None
