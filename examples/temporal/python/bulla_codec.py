"""A Temporal worker's or client's way to Bulla's codec server.

    client = await Client.connect("localhost:7233", data_converter=data_converter("https://codec.example.org/codec", "default", token))
"""

import asyncio
import dataclasses
import urllib.request

from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec


class BullaCodec(PayloadCodec):
    def __init__(self, endpoint: str, namespace: str, token: str | None = None, timeout_seconds: float = 20) -> None:
        self.url = f"{endpoint.rstrip('/')}/{namespace}"
        self.headers = {"Content-Type": "application/json", "X-Namespace": namespace}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        self.timeout_seconds = timeout_seconds

    async def encode(self, payloads) -> list[Payload]:
        return await asyncio.to_thread(self._ask, "encode", payloads)

    async def decode(self, payloads) -> list[Payload]:
        return await asyncio.to_thread(self._ask, "decode", payloads)

    def _ask(self, verb: str, payloads) -> list[Payload]:
        body = json_format.MessageToJson(Payloads(payloads=payloads), indent=None).encode()
        request = urllib.request.Request(f"{self.url}/{verb}", body, self.headers, method="POST")
        with urllib.request.urlopen(request, timeout=self.timeout_seconds) as response:
            return list(json_format.Parse(response.read(), Payloads()).payloads)


def data_converter(endpoint: str, namespace: str, token: str | None = None) -> DataConverter:
    """Seals values, and the messages and stack traces of failures too."""
    return dataclasses.replace(
        DataConverter.default,
        payload_codec=BullaCodec(endpoint, namespace, token),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
