"""A worker, the command line and the schedule of a real Temporal server through `bulla codec`, across rotations and a restart.

Variables: BULLA (the program), TEMPORAL (the command line), AWS (the AWS CLI), NODE, NODE_MODULES (the SDK for TypeScript and Playwright), EXAMPLES, DIR (an
empty directory). Everything it starts, it ends.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import timedelta

from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleIntervalSpec, ScheduleSpec
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.worker import Worker

from bulla_codec import data_converter
from workflows import Echo, Order, Tick, charge

BULLA, TEMPORAL, AWS = os.environ["BULLA"], os.environ["TEMPORAL"], os.environ["AWS"]
DIR = pathlib.Path(os.environ["DIR"])
TOKENS = {"worker": "worker-token-of-this-test", "support": "support-token-of-this-test"}
ENV = {
    "PATH": os.environ["PATH"],
    "HOME": str(DIR),
    "AWS_ACCESS_KEY_ID": "111122223333",
    "AWS_SECRET_ACCESS_KEY": "any",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Process:
    """A program that is ended with the test, by its own id."""

    def __init__(self, name: str, *command: str) -> None:
        self.log = DIR / f"{name}.log"
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(command, env=ENV, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    async def until(self, ready) -> None:
        for _ in range(600):
            if self.child.poll() is not None:
                break
            with contextlib.suppress(OSError):
                if ready():
                    return
            await asyncio.sleep(0.1)
        raise AssertionError(f"not ready: {self.log.read_text()}")

    def stop(self) -> None:
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(60)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def get(url: str, token: str | None = None, method: str = "GET"):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers, method=method), timeout=30) as answer:
        return json.load(answer)


def answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.status == 200


def aws(kms: str, *arguments: str):
    command = [AWS, "kms", *arguments, "--endpoint-url", kms, "--output", "json"]
    done = subprocess.run(command, env=ENV, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else {}


class Codec:
    """`bulla codec` with a key of `bulla serve --dev`, which stands for AWS KMS."""

    def __init__(self, kms: str, ui: str) -> None:
        self.kms, self.port = kms, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        digests = {who: hashlib.sha256(token.encode()).hexdigest() for who, token in TOKENS.items()}
        (DIR / "codec.toml").write_text(
            f"""
unknown = "deny"
default_namespace = "default"
allowed_origins = ["{ui}"]
[[namespace]]
pattern = "default"
key = "aws-kms:///alias/temporal-{{namespace}}"
[[token]]
principal = "worker"
sha256 = "{digests["worker"]}"
[[token]]
principal = "support"
sha256 = "{digests["support"]}"
[[allow]]
principal = "worker"
namespaces = ["*"]
operations = ["encode", "decode", "rotate"]
[[allow]]
principal = "support"
namespaces = ["default"]
operations = ["decode"]
"""
        )

    async def start(self) -> None:
        self.process = Process(
            "codec", BULLA, "codec", "--table", str(DIR / "codec.toml"), "--endpoint", self.kms,
            "--listen", f"127.0.0.1:{self.port}", "--access-log", str(DIR / "access.log"),
        )
        await self.process.until(lambda: answers(f"{self.url}/readyz"))

    def rotate(self) -> int:
        return get(f"{self.url}/v1/codec/rotate", TOKENS["worker"], "POST")["renewed_data_keys"]


def temporal(port: int, *arguments: str, codec: str | None = None, token: str | None = None, fails: bool = False) -> str:
    command = [TEMPORAL, *arguments, "--address", f"127.0.0.1:{port}", "--output", "json"]
    if codec:
        command += ["--codec-endpoint", f"{codec}/codec/{{namespace}}", "--codec-auth", f"Bearer {token}"]
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=120)
    assert fails == (done.returncode != 0), (command, done.stdout, done.stderr)
    return readable(done.stdout) + done.stderr


def readable(text: str) -> str:
    """The output, and what its base64 holds."""
    decoded = [base64.b64decode(data) for data in re.findall(r'"data": "([A-Za-z0-9+/=]+)"', text)]
    return text + b" ".join(decoded).decode(errors="replace")


def stored(database: pathlib.Path) -> bytes:
    """All that the server has written: the database, its journal and its log."""
    return b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))


async def node(script: str, *arguments: str) -> None:
    command = [os.environ["NODE"], str(pathlib.Path(__file__).with_name(script)), *arguments]
    pipe = subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, env=ENV, stdout=pipe, stderr=subprocess.STDOUT)
    output, _ = await asyncio.wait_for(child.communicate(), 300)
    assert child.returncode == 0, output.decode()


async def settle(condition) -> None:
    for _ in range(300):
        if await condition():
            return
        await asyncio.sleep(0.2)
    raise AssertionError("not in time")


async def main() -> None:
    running: list[Process] = []
    try:
        kms_port, port, ui_port = free_port(), free_port(), free_port()
        kms = f"http://127.0.0.1:{kms_port}"
        service = Process("kms", BULLA, "serve", "--dev", "--listen", f"127.0.0.1:{kms_port}")
        running.append(service)
        await service.until(lambda: answers(f"{kms}/readyz"))
        first = aws(kms, "create-key")["KeyMetadata"]["KeyId"]
        aws(kms, "create-alias", "--alias-name", "alias/temporal-default", "--target-key-id", first)
        ui = f"http://127.0.0.1:{ui_port}"
        codec = Codec(kms, ui)
        await codec.start()
        running.append(codec.process)
        database = DIR / "temporal.db"
        server = Process(
            "temporal", TEMPORAL, "server", "start-dev", "--port", str(port), "--ui-port", str(ui_port),
            "--db-filename", str(database), "--log-level", "error",
            "--ui-codec-endpoint", f"{codec.url}/codec", "--search-attribute", "Customer=Keyword",
        )
        running.append(server)
        await server.until(lambda: answers(f"{ui}/"))
        await scenario(codec, port, database, kms, ui)
    finally:
        if running:
            # The codec may be another process by now.
            running[1:2] = [codec.process] if len(running) > 1 else []
        for process in reversed(running):
            process.stop()
    print("ok")


async def scenario(codec: Codec, port: int, database: pathlib.Path, kms: str, ui: str) -> None:
    converter = data_converter(f"{codec.url}/codec", "default", TOKENS["worker"])
    client = None
    for _ in range(100):
        try:
            client = await Client.connect(f"127.0.0.1:{port}", data_converter=converter)
            break
        except RuntimeError:
            await asyncio.sleep(0.2)
    assert client
    async with Worker(client, task_queue="q", workflows=[Order, Tick, Echo], activities=[charge]):
        customer = SearchAttributeKey.for_keyword("Customer")
        attributes = TypedSearchAttributes([SearchAttributePair(customer, "PUBLIC-customer")])
        order = await client.start_workflow(
            Order.run, "SECRET-card", id="order-1", task_queue="q", memo={"who": "SECRET-memo"}, search_attributes=attributes
        )
        # 2 MB there and back, just below what the server takes.
        large = "SECRET" * 333_333
        assert await client.execute_workflow(Echo.run, large, id="large", task_queue="q") == large
        interval = ScheduleIntervalSpec(every=timedelta(seconds=1))
        action = ScheduleActionStartWorkflow(Tick.run, "SECRET-tock", id="tick", task_queue="q")
        schedule = await client.create_schedule("s", Schedule(action=action, spec=ScheduleSpec(intervals=[interval])))

        # Three rotations of data keys while workflow and schedule run.
        for round_ in range(3):
            await order.signal(Order.note, f"SECRET-note-{round_}")
            assert codec.rotate() == 1
        # One of the master key, by its alias.
        second = aws(kms, "create-key")["KeyMetadata"]["KeyId"]
        aws(kms, "update-alias", "--alias-name", "alias/temporal-default", "--target-key-id", second)
        assert codec.rotate() == 1
        await order.signal(Order.note, "SECRET-note-of-second-key")
        # A restart with empty caches.
        codec.process.stop()
        await codec.start()
        await order.signal(Order.note, "SECRET-note-after-restart")
        assert await order.query(Order.state) == "SECRET-state 5"

        async def ticked() -> bool:
            return (await schedule.describe()).info.num_actions >= 3

        await settle(ticked)
        await asyncio.to_thread(command_line, codec, port, False)
        await order.signal(Order.finish)
        result = await order.result()
        assert result.startswith("SECRET-result SECRET-charged SECRET-card SECRET-note-0") and "after-restart" in result
        await schedule.delete()
        # Everything ever written decodes, by a client that comes new.
        fresh = await Client.connect(f"127.0.0.1:{port}", data_converter=converter)
        assert (await fresh.get_workflow_handle("order-1").describe()).status.name == "COMPLETED"
        assert await (await fresh.get_workflow_handle("order-1").describe()).memo() == {"who": "SECRET-memo"}
        # Search attributes are the server's to read: it finds by them, and gives them back as they were.
        found = [workflow.id async for workflow in fresh.list_workflows("Customer = 'PUBLIC-customer'")]
        assert found == ["order-1"], found
        assert (await order.describe()).typed_search_attributes[customer] == "PUBLIC-customer"
        ticks = [workflow async for workflow in fresh.list_workflows("WorkflowType = 'Tick'")]
        assert len(ticks) >= 3
        for tick in ticks:
            if tick.status.name == "COMPLETED":
                handle = fresh.get_workflow_handle(tick.id, run_id=tick.run_id)
                assert await handle.result() == "SECRET-ticked SECRET-tock"
        await asyncio.to_thread(command_line, codec, port, True)
        # Decoded and raw in a browser; a worker and a client in TypeScript.
        modules, endpoint = os.environ["NODE_MODULES"], f"{codec.url}/codec"
        await node("web_ui.mjs", f"{modules}/playwright-core/index.js", ui, endpoint, TOKENS["support"], "order-1")
        example = f"{os.environ['EXAMPLES']}/typescript/bulla-codec.ts"
        await node("ts_worker.mjs", modules, example, f"127.0.0.1:{port}", endpoint, TOKENS["worker"])
    assert b"SECRET" not in stored(database), "plaintext in the server's database"
    assert b"binary/bulla-v1" in stored(database) and b"PUBLIC-customer" in stored(database)
    lines = [json.loads(line) for line in (DIR / "access.log").read_text().splitlines()]
    done = [line for line in lines if "errorCode" not in line]
    assert {line["principal"] for line in done} == {"worker", "support"}
    assert any(line["principal"] is None for line in lines), "who showed no name left no line"
    keys = {key for line in done for key in line["keys"]}
    assert len(keys) == 2, keys
    assert "SECRET" not in (DIR / "access.log").read_text() + (DIR / "codec.log").read_text()


def command_line(codec: Codec, port: int, finished: bool) -> None:
    """`temporal workflow show|describe|query|result`, with the codec, without it, and refused by it."""
    calls = [
        (["workflow", "show", "-w", "order-1"], ["SECRET-card", "SECRET-note-0", "SECRET-failure", "SECRET-detail", "SECRET-note-of-second-key"]),
        (["workflow", "describe", "-w", "order-1"], ["SECRET-memo", "PUBLIC-customer"]),
        (["workflow", "query", "-w", "order-1", "--type", "state"], ["SECRET-state 5"]),
    ]
    if finished:
        calls.append((["workflow", "result", "-w", "order-1"], ["SECRET-result", "SECRET-note-after-restart"]))
    for arguments, expected in calls:
        # A query has its arguments sealed, also where there are none: who may only decode does not ask it.
        token = TOKENS["worker" if "query" in arguments else "support"]
        text = temporal(port, *arguments, codec=codec.url, token=token)
        for marker in expected:
            assert marker in text, (arguments, marker, text[-4000:])
        assert "SECRET" not in temporal(port, *arguments), arguments
    refused = subprocess.run(
        [TEMPORAL, "workflow", "show", "-w", "order-1", "--address", f"127.0.0.1:{port}",
         "--codec-endpoint", f"{codec.url}/codec", "--codec-auth", "Bearer nobody"],
        env=ENV, capture_output=True, text=True, timeout=120,
    )
    assert "SECRET" not in readable(refused.stdout) + refused.stderr


if __name__ == "__main__":
    asyncio.run(main())
    sys.exit(0)
