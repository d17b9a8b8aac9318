"""A real Autobahn application: subscriber and callee with a KeyRing; tells on stdout what it gets.

usage: autobahn_live.py URL SERIALIZER RING.json
Prints one JSON object a line: {"ready": true}, then events and calls as its application code sees them.
Ends when stdin closes.
"""

import asyncio
import base64
import json
import sys
import threading

import txaio

txaio.use_asyncio()

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.cryptobox import Key, KeyRing
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from autobahn.wamp.types import CallResult, PublishOptions, RegisterOptions, SubscribeOptions

URL, SERIALIZER, RING = sys.argv[1:4]


def tag(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bin": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, dict):
        return {k: tag(v) for k, v in value.items()}
    return [tag(v) for v in value] if isinstance(value, (list, tuple)) else value


def tell(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Application(ApplicationSession):
    async def onJoin(self, details):
        with open(RING) as file:
            ring = json.load(file)
        keys = KeyRing()
        for entry in ring["keys"]:
            keys.set_key(entry["uri"], Key(**{k: entry.get(k) for k in (
                "originator_priv", "originator_pub", "responder_priv", "responder_pub")}))
        self.set_payload_codec(keys)

        def on_event(sub):
            def handler(*args, **kwargs):
                details = kwargs.pop("details")
                tell(event=sub, topic=details.topic, enc=details.enc_algo, args=tag(args), kwargs=tag(kwargs))
            return handler

        async def echo(*args, **kwargs):
            details = kwargs.pop("details")
            tell(call="echo", enc=details.enc_algo, args=tag(args), kwargs=tag(kwargs))
            return CallResult(*args, **kwargs)

        async def stepwise(count, details=None):
            for i in range(count):
                details.progress(i, of=count)
            return "done"

        async def fail(*args, **kwargs):
            raise ApplicationError("com.acme.error.failed", *args, **kwargs)

        async def announce(topic, *args):
            """Publishes, sealed by Autobahn, to what the caller subscribed to."""
            self.publish(topic, *args, options=PublishOptions(acknowledge=True))
            return None

        await self.subscribe(on_event("exact"), "com.acme.topic", SubscribeOptions(details=True))
        await self.subscribe(on_event("prefix"), "com.acme.many", SubscribeOptions(match="prefix", details=True))
        await self.register(echo, "com.acme.echo", RegisterOptions(details_arg="details"))
        await self.register(stepwise, "com.acme.stepwise", RegisterOptions(details_arg="details"))
        await self.register(fail, "com.acme.fail")
        await self.register(announce, "com.acme.announce")
        tell(ready=True)

    def onUserError(self, fail, msg):
        tell(trouble=str(msg), what=str(fail))


def end_with_stdin(loop):
    sys.stdin.read()
    loop.call_soon_threadsafe(loop.stop)


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
threading.Thread(target=end_with_stdin, args=(loop,), daemon=True).start()
serializer = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}[SERIALIZER]()
coroutine = ApplicationRunner(URL, "realm1", serializers=[serializer]).run(Application, start_loop=False)
loop.run_until_complete(coroutine)
loop.run_forever()
